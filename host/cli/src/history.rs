//! `history`: the kept versions of one document, newest first.

use http::Method;
use serde_json::json;
use steward_model::Exact;

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal, exact_cell};
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
    let ask = async |limit: u32, to: Option<i64>| {
        let call = Call::new(Method::GET, &format!("{link}/history"))?.query("limit", &limit.to_string());
        let call = to.map(|to| call.clone().query("to", &to.to_string())).unwrap_or(call);
        let answer = client.ask(&call).await?.exact()?;
        Ok::<_, Failure>(answer.get("versions").and_then(Exact::as_list).unwrap_or_default().to_vec())
    };
    let versions = ask(args.limit, None).await?;
    if terminal.format == Format::Json {
        let mut shown = Exact::from(json!({"type": "history", "schema": 1, "link": link}));
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("versions", Exact::List(versions));
        }
        terminal.print_exact(&shown);
        return Ok(Exit::Done);
    }
    // What the oldest one that is shown has changed can only be told by the one before it.
    let earlier = match versions.last().and_then(|oldest| number(oldest, "documentVersion")) {
        Some(oldest) if oldest > 0 => ask(1, Some(oldest - 1)).await?,
        Some(_) | None => Vec::new(),
    };
    let mut table = Table::new(["version", "updated", "action", "cause", "owner", "changed"]);
    for (place, version) in versions.iter().enumerate() {
        let text = |key: &str| version.get(key).map_or_else(|| "–".to_owned(), exact_cell);
        table.row(vec![
            text("documentVersion"),
            terminal.time(number(version, "documentUpdateTimeMicros")),
            text("documentUpdateAction"),
            text("documentUpdateCause"),
            text("documentOwner"),
            changes(versions.get(place + 1).or(earlier.first()), version),
        ]);
    }
    terminal.print_table(&table);
    Ok(Exit::Done)
}

fn number(version: &Exact, field: &str) -> Option<i64> {
    version.get(field).and_then(Exact::as_i64)
}

/// Returns the fields of the state that differ from the version before, with their new values.
fn changes(before: Option<&Exact>, after: &Exact) -> String {
    if before.is_none() && number(after, "documentVersion").is_some_and(|version| version > 0) {
        return "? the version before is not kept".to_owned();
    }
    let own = |(name, _): &(&str, &Exact)| !name.starts_with("document");
    let members = |version: Option<&'_ Exact>| version.and_then(Exact::as_object).cloned().unwrap_or_default();
    let (before, after) = (members(before), members(Some(after)));
    let changed = after.iter().filter(own).filter(|(name, value)| before.get(name) != Some(*value));
    let mut parts: Vec<String> = changed.map(|(name, value)| format!("{name}={}", exact_cell(value))).collect();
    let gone = before.iter().filter(own).filter(|(name, _)| after.get(name).is_none());
    parts.extend(gone.map(|(name, _)| format!("-{name}")));
    if parts.is_empty() { "–".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_name_new_values_and_lost_fields() {
        let before = Exact::from(json!({"count": 1, "name": "a", "old": true, "documentVersion": 0}));
        let after = Exact::from(json!({"count": 2, "name": "a", "step": 5, "documentVersion": 1}));
        assert_eq!(changes(Some(&before), &after), "count=2 step=5 -old");
        assert_eq!(changes(None, &before), "count=1 name=a old=true");
        assert_eq!(changes(Some(&before), &before), "–");
        assert_eq!(changes(None, &after), "? the version before is not kept");
    }
}
