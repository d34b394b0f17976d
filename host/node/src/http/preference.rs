//! Which preferences of a client an answer has followed: `Preference-Applied` (RFC 7240, section 3).

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::route::{Infrastructure, Target, route};
use super::{Http, headers};

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
