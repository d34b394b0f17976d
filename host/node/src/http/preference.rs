//! What a client prefers (`Prefer`, RFC 7240, section 2), and which of it an answer has followed (`Preference-Applied`, section 3).

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::route::{Infrastructure, Target, route};
use super::{Http, headers};

/// Returns the preferences that a header lists, each by name and value, without quotes; empty: it has none.
pub(super) fn all(text: &str) -> impl Iterator<Item = (&str, &str)> {
    outside_quotes(text, ',').map(|preference| {
        // Behind a semicolon stand its parameters, of which those that are read here have none.
        let preference = outside_quotes(preference, ';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        let value = value.trim();
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        (name.trim(), quoted.unwrap_or(value))
    })
}

/// Divides a text at a character, but not where that stands in quotes: source RFC 9110, section 5.6.4.
fn outside_quotes(text: &str, at: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |character| {
        let escapes = std::mem::take(&mut is_escaped);
        match character {
            '\\' => is_escaped = is_quoted && !escapes,
            '"' if !escapes => is_quoted = !is_quoted,
            _ => {}
        }
        character == at && !is_quoted
    })
}

/// Returns true if requests for `path` wait for as long as their clients say: those to services and documents, listings and queries.
pub(super) fn waits(http: &Http, path: &str) -> bool {
    match route(path) {
        Ok(Target::Service(_)) => http.operations().services().http_above(path).is_none(),
        Ok(Target::Infrastructure(place)) => {
            matches!(place, Infrastructure::QueryTasks | Infrastructure::QueryPage)
        }
        Ok(Target::Utility(..)) | Err(_) => false,
    }
}

/// Says that an answer was waited for no longer than `wait`, beside what is said already.
pub(super) fn say_wait(answer: &mut HeaderMap, wait: Duration) {
    let seconds = format!("wait={}", wait.as_secs());
    let said = answer.get(&headers::PREFERENCE_APPLIED).and_then(|said| said.to_str().ok());
    let all = said.map_or_else(|| seconds.clone(), |said| format!("{said}, {seconds}"));
    if let Ok(all) = HeaderValue::try_from(all) {
        answer.insert(&headers::PREFERENCE_APPLIED, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_divided_outside_of_quotes() {
        let read: Vec<_> =
            all(r#"handling="a,wait=1", foo="b\";c"; x="," ; y, wait = "5" ,return=minimal,,"#).collect();
        let meant =
            [("handling", "a,wait=1"), ("foo", r#"b\";c"#), ("wait", "5"), ("return", "minimal"), ("", ""), ("", "")];
        assert_eq!(read, meant);
    }
}
