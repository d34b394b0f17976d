//! `history`: the kept versions of one document, newest first.

use http::Method;
use serde_json::{Map, Value, json};

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Terminal, cell};
use super::table::Table;

/// Shows the versions of a document
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward history /core/counters/clicks
  steward history /core/counters/clicks -n 5 --time iso
  steward get /core/counters/clicks --version 3        one of them in full")]
pub(super) struct Args {
    /// Path of the document
    link: String,
    /// How many versions at the most
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: u32,
}

/// Runs `history`.
///
/// # Errors
/// A failure if there is no answer, or the host refuses.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let link = args.link.trim_end_matches('/');
    let call = Call::new(Method::GET, &format!("{link}/history"))?.query("limit", &args.limit.to_string());
    let answer = client.ask(&call).await?.json()?;
    let versions = answer.get("versions").and_then(Value::as_array).cloned().unwrap_or_default();
    if terminal.format == super::output::Format::Json {
        terminal.print_json(&json!({"type": "history", "schema": 1, "link": link, "versions": versions}));
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["version", "updated", "action", "cause", "owner", "changed"]);
    for (place, version) in versions.iter().enumerate() {
        let text = |key: &str| version.get(key).map_or_else(|| "–".to_owned(), cell);
        table.row(vec![
            text("documentVersion"),
            terminal.time(version.get("documentUpdateTimeMicros").and_then(Value::as_i64)),
            text("documentUpdateAction"),
            text("documentUpdateCause"),
            text("documentOwner"),
            changes(versions.get(place + 1), version),
        ]);
    }
    terminal.print_table(&table);
    Ok(Exit::Done)
}

/// Returns the fields of the state that differ from the version before, with their new values.
fn changes(before: Option<&Value>, after: &Value) -> String {
    let none = Map::new();
    let after = after.as_object().unwrap_or(&none);
    let before = before.and_then(Value::as_object);
    let own = |name: &str| !name.starts_with("document");
    let changed = after
        .iter()
        .filter(|(name, value)| own(name) && before.is_none_or(|before| before.get(name.as_str()) != Some(*value)));
    let mut parts: Vec<String> = changed.map(|(name, value)| format!("{name}={}", cell(value))).collect();
    let gone = before.into_iter().flat_map(Map::keys).filter(|name| own(name) && !after.contains_key(name.as_str()));
    parts.extend(gone.map(|name| format!("-{name}")));
    if parts.is_empty() { "–".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_name_new_values_and_lost_fields() {
        let before = json!({"count": 1, "name": "a", "old": true, "documentVersion": 0});
        let after = json!({"count": 2, "name": "a", "step": 5, "documentVersion": 1});
        assert_eq!(changes(Some(&before), &after), "count=2 step=5 -old");
        assert_eq!(changes(None, &before), "count=1 name=a old=true");
        assert_eq!(changes(Some(&before), &before), "–");
    }
}
