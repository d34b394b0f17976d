//! `nodes`: who belongs to the group, how each stands, and how one is removed for good.

use http::Method;
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal};
use super::table::Table;
use super::views::{self, Node};

/// Shows the nodes of the group, or removes one for good
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward nodes
  steward nodes -o json | jq '.nodes[] | select(.status != \"AVAILABLE\")'
  steward nodes remove host-3")]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Lists the nodes (also without this word)
    #[command(visible_alias = "ls")]
    List,
    /// Forgets a node that will not come back
    #[command(after_help = "\
The node must be stopped or silent, and must not hold what no other node has.
Its copies count no longer, another node votes in its place if there is one, and
a quorum that follows the majority is counted anew. Its number is never given
again: its data folder cannot come back, and a node of the same name begins on
an empty one. To remove a number once more changes nothing, so whoever has not
heard what came of it can ask again.")]
    Remove {
        /// Its name, or its number
        node: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Runs `nodes`.
///
/// # Errors
/// A failure if there is no answer, it has another shape, or the host refuses.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match &args.action {
        None | Some(Action::List) => list(client, terminal).await,
        Some(Action::Remove { node, yes }) => remove(node, *yes, client, terminal).await,
    }
}

async fn remove(node: &str, yes: bool, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let path = format!("/core/nodes/{node}");
    let (name, question) = match client.ask(&Call::new(Method::GET, &path)?).await {
        Ok(shown) => {
            let found: Node = views::one(shown.json()?)?;
            let question = format!("remove node {} ({}) for good?", found.id, found.status);
            (found.id, question)
        }
        // The host tells the number of a node that was removed from one that nobody had.
        Err(missing) if missing.exit == Exit::NotFound && node.parse::<u32>().is_ok() => {
            (node.to_owned(), format!("remove node {node} for good?"))
        }
        Err(missing) if missing.exit == Exit::NotFound => {
            return Err(missing.hint("all nodes: steward nodes; one that was removed is known by its number only"));
        }
        Err(failure) => return Err(failure),
    };
    terminal.confirm(&question, yes)?;
    let removed = client.ask(&Call::new(Method::DELETE, &path)?).await?.json()?;
    if terminal.format == Format::Json {
        terminal.print_json(&json!({"type": "node.removed", "schema": 1, "node": removed}));
    } else {
        terminal.print(&name);
        terminal.say("removed; its number is never given again");
    }
    Ok(Exit::Done)
}

async fn list(client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let answer = client.ask(&Call::get("/core/node-groups/default")).await?.json()?;
    let own = answer.get("documentOwner").and_then(Value::as_str).unwrap_or_default().to_owned();
    if terminal.format == Format::Json {
        let nodes: Vec<Value> = answer
            .get("nodes")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(_, node)| node.clone())
            .collect();
        terminal.print_json(
            &json!({"type": "nodes", "schema": 1, "nodes": nodes, "systemGroup": answer.get("systemGroup")}),
        );
        return Ok(Exit::Done);
    }
    let nodes = of(&answer)?;
    if terminal.quiet {
        nodes.iter().for_each(|node| terminal.print(&node.id));
        return Ok(Exit::Done);
    }
    terminal.print_table(&table(&nodes, &own, terminal));
    terminal.say("* answered this request");
    Ok(Exit::Done)
}

/// Reads the nodes out of `GET /core/node-groups/default`, by name.
///
/// # Errors
/// A failure if the answer has another shape.
pub(super) fn of(group: &Value) -> Result<Vec<Node>, Failure> {
    let mut nodes: Vec<Node> = views::entries(group, "nodes")?;
    nodes.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(nodes)
}

/// Returns the table of nodes; `own` is the one that has answered.
pub(super) fn table(nodes: &[Node], own: &str, terminal: &Terminal) -> Table {
    let heads = ["node", "status", "quorum", "role", "owns", "in sync", "behind", "changed", "address"];
    let mut table = Table::new(heads).standing(1);
    for node in nodes {
        let name = if node.id == own { format!("{}*", node.id) } else { node.id.clone() };
        let address = node.group_reference.split("/core/").next().unwrap_or_default().to_owned();
        let count = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), |number| number.to_string());
        let [owns, in_sync] = [node.owned_partitions, node.in_sync_partitions].map(count);
        let (quorum, behind) = (count(node.membership_quorum), count(node.behind));
        let role = role(node);
        let changed = terminal.time(node.document_update_time_micros);
        table.row(vec![name, status(node), quorum, role.to_owned(), owns, in_sync, behind, changed, address]);
    }
    table
}

/// Returns true if a node is AVAILABLE, and the one that answers reaches it: what the group has agreed on is old where most of it is
/// away.
pub(super) fn is_available(node: &Node) -> bool {
    node.status == "AVAILABLE" && node.reached != Some(false)
}

/// Returns the status, and whether the node that answers reaches that one.
fn status(node: &Node) -> String {
    match (node.reached, node.status.as_str()) {
        (Some(false), status @ ("AVAILABLE" | "SYNCHRONIZING")) => format!("{status}, not reached"),
        (Some(true | false) | None, status) => status.to_owned(),
    }
}

fn role(node: &Node) -> &'static str {
    match (node.leads, node.votes) {
        (true, _) => "leads",
        (false, true) => "votes",
        (false, false) => "–",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_there_and_not_reached_says_so() {
        let group = json!({"nodes": {
            "b": {"id": "b", "status": "AVAILABLE", "reached": false, "votes": true},
            "a": {"id": "a", "status": "UNAVAILABLE", "reached": false, "leads": true},
        }});
        let nodes = of(&group).expect("nodes");
        assert_eq!(nodes.iter().map(|node| node.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((status(&nodes[0]).as_str(), role(&nodes[0])), ("UNAVAILABLE", "leads"));
        assert_eq!((status(&nodes[1]).as_str(), role(&nodes[1])), ("AVAILABLE, not reached", "votes"));
    }
}
