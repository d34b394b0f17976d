//! `owner`: which node orders the updates of a document, and which others hold it.

use http::Method;
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal, cell};

/// Shows who owns a document
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Any node answers, also for a document that does not exist yet.

Examples:
  steward owner /core/counters/clicks
  steward owner /core/counters/clicks -q               the name alone
  steward owner /core/counters/clicks -o json | jq .owner.epoch")]
pub(super) struct Args {
    /// Path of the document
    link: String,
}

/// Runs `owner`.
///
/// # Errors
/// A failure if there is no answer, or the host refuses.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let link = args.link.trim_end_matches('/');
    let call = Call::new(Method::POST, "/core/node-selectors/default")?.json(&json!({"key": link}));
    let owner = client.ask(&call).await?.json()?;
    if terminal.format == Format::Json {
        terminal.print_json(&json!({"type": "owner", "schema": 1, "owner": owner}));
        return Ok(Exit::Done);
    }
    let text = |name: &str| owner.get(name).map_or_else(|| "–".to_owned(), cell);
    if terminal.quiet {
        terminal.print(&text("ownerNodeId"));
        return Ok(Exit::Done);
    }
    lines(&owner).iter().for_each(|line| terminal.print(line));
    if owner.get("confirmed") == Some(&Value::Bool(false)) {
        terminal.hint("note:", "the system group does not answer: this is what the node knew last");
    }
    Ok(Exit::Done)
}

/// Returns the answer of the selector as people read it.
fn lines(owner: &Value) -> Vec<String> {
    let text = |name: &str| owner.get(name).map_or_else(|| "–".to_owned(), cell);
    let address = text("ownerNodeGroupReference").split("/core/").next().unwrap_or_default().to_owned();
    let members = owner.get("selectedNodes").and_then(Value::as_array);
    let names = members.into_iter().flatten().filter_map(|member| member.get("id")).map(cell);
    vec![
        format!("owner      {}  {address}", text("ownerNodeId")),
        format!("epoch      {}", text("epoch")),
        format!("in sync    {}", names.collect::<Vec<_>>().join(" ")),
        format!("quorum     {}", text("writeQuorum")),
        format!("partition  {}", text("partition")),
        format!("lane       {}", text("lane")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_and_holders_are_named() {
        let owner = json!({
            "ownerNodeId": "a", "ownerNodeGroupReference": "http://h:1/core/node-groups/default", "epoch": 7,
            "selectedNodes": [{"id": "a"}, {"id": "b"}], "partition": "0/persisted/3", "lane": "persisted", "writeQuorum": 2,
        });
        let lines = lines(&owner);
        assert_eq!((lines[0].as_str(), lines[2].as_str()), ("owner      a  http://h:1", "in sync    a b"));
    }
}
