//! `nodes`: who belongs to the group, and how each stands.

use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Table, Terminal};
use super::views::{self, Node};

/// Shows the nodes of the group
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward nodes
  steward nodes -o json | jq '.nodes[] | select(.status != \"AVAILABLE\")'")]
pub(super) struct Args {}

/// Runs `nodes`.
///
/// # Errors
/// A failure if there is no answer, or it has another shape.
pub(super) async fn run(client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
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
    terminal.print(&table(&nodes, &own, terminal).render());
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
    let mut table = Table::new(["node", "status", "quorum", "role", "changed", "address"]);
    for node in nodes {
        let name = if node.id == own { format!("{}*", node.id) } else { node.id.clone() };
        let address = node.group_reference.split("/core/").next().unwrap_or_default().to_owned();
        let quorum = node.membership_quorum.map_or_else(|| "–".to_owned(), |members| members.to_string());
        let role = role(node);
        let changed = terminal.time(node.document_update_time_micros);
        table.row(vec![name, status(node), quorum, role.to_owned(), changed, address]);
    }
    table
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
