//! `quorum`: how many nodes must be available for updates to go on, and setting that for the whole group.

use http::Method;
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::nodes;
use super::output::{Format, Terminal, cell};

/// Xenon's name of the request.
const KIND: &str = "com:vmware:xenon:services:common:NodeGroupService:UpdateQuorumRequest";

/// Shows or sets the quorum of the group
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A quorum that is set stays until it is set again; auto lets it follow the
majority of the nodes. Lowered, it lets waiting updates go on at once. With 1,
the death of one node can lose updates.

Examples:
  steward quorum
  steward quorum 2
  steward quorum auto")]
pub(super) struct Args {
    /// How many nodes, or auto
    #[arg(value_name = "N|auto", value_parser = wanted)]
    members: Option<Wanted>,
    /// Set it also if the group has fewer nodes: no update is made until they have joined
    #[arg(long, requires = "members")]
    force: bool,
}

/// A quorum that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// So many nodes.
    Members(u32),
    /// The majority of the nodes, however many those are.
    Auto,
}

fn wanted(text: &str) -> Result<Wanted, String> {
    match text {
        "auto" => Ok(Wanted::Auto),
        number => match number.parse() {
            Ok(members @ 1..) => Ok(Wanted::Members(members)),
            Ok(0) | Err(_) => Err("write a number from 1, or auto".to_owned()),
        },
    }
}

/// Runs `quorum`.
///
/// # Errors
/// A failure if there is no answer, or the host refuses.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if let Some(wanted) = args.members {
        let members = match wanted {
            Wanted::Members(members) => json!(members),
            Wanted::Auto => json!("auto"),
        };
        let request = json!({"isGroupUpdate": true, "membershipQuorum": members, "kind": KIND, "force": args.force});
        client.ask(&Call::new(Method::PATCH, "/core/node-groups/default")?.json(&request)).await?;
    }
    let group = client.ask(&Call::get("/core/node-groups/default")).await?.json()?;
    let available = nodes::of(&group)?.iter().filter(|node| nodes::is_available(node)).count();
    let quorum = group.get("quorum").cloned().unwrap_or_default();
    if terminal.format == Format::Json {
        terminal.print_json(&json!({"type": "quorum", "schema": 1, "quorum": quorum, "available": available}));
        return Ok(Exit::Done);
    }
    let text = |name: &str| quorum.get(name).map_or_else(|| "–".to_owned(), cell);
    if terminal.quiet {
        terminal.print(&text("value"));
        return Ok(Exit::Done);
    }
    let origin = match quorum.get("pinned") {
        Some(Value::Bool(true)) => format!("set; the majority would be {}", text("majority")),
        Some(_) | None => "the majority of the nodes".to_owned(),
    };
    terminal.print(&format!("quorum {}   {origin}   {available} available", text("value")));
    let needed = quorum.get("value").and_then(Value::as_u64).unwrap_or_default();
    if (available as u64) < needed {
        terminal.hint("note:", "updates wait until as many nodes are available: steward status says what is missing");
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_is_a_number_from_one_or_auto() {
        assert_eq!((wanted("3"), wanted("auto")), (Ok(Wanted::Members(3)), Ok(Wanted::Auto)));
        for text in ["0", "-1", "most", ""] {
            assert!(wanted(text).is_err(), "{text}");
        }
    }
}
