//! `/core/nodes`: the nodes of the group by number, how much of the documents lies with each, and how one is removed for good.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};
use steward_model::NodeId;
use steward_protocol::cluster::group::{Node, Role};
use steward_protocol::cluster::{ClusterState, Command};

use super::shapes::{list, with_built_in};
use super::shares::Shares;
use crate::cluster::Standing;
use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::http::methods::Methods;

const GROUP: &str = "/core/node-groups/default";

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Show,
    Remove,
}

pub(super) const METHODS: Methods<Act> = Methods(&[("GET", Act::Show), ("HEAD", Act::Show), ("DELETE", Act::Remove)]);

const KIND: &str = "com:vmware:xenon:services:common:NodeState";

/// Returns a node in Xenon's shape, and how it stands as the node `own` sees it.
pub(super) fn state(node: &Node, own: NodeId, standing: &Standing, shares: &Shares) -> Value {
    let seen = standing.seen.iter().find(|seen| seen.member.node == node.id);
    let role = match node.role {
        Role::Peer => "PEER",
        Role::Observer => "OBSERVER",
    };
    let mut state = json!({
        "groupReference": format!("{}{GROUP}", node.address),
        "status": node.status.to_string().to_ascii_uppercase(),
        "options": [role],
        "id": node.host,
        "nodeId": node.id.0,
        "membershipQuorum": node.quorum,
        "locationQuorum": 1,
        "boot": node.boot.0,
        "votes": standing.voters.contains(&node.id),
        "leads": standing.leader == Some(node.id),
        "reached": node.id == own || seen.is_some_and(|seen| seen.reached),
        "silentMillis": seen.map(|seen| seen.silence.as_millis()),
        "ownedPartitions": shares.owned(node.id),
        "inSyncPartitions": shares.in_sync(node.id),
        "behind": shares.behind(node.id),
        "documentVersion": node.version,
        "documentKind": KIND,
        "documentSelfLink": format!("{GROUP}/{}", node.host),
        "documentUpdateTimeMicros": node.updated.0,
        "documentExpirationTimeMicros": 0,
    });
    if !node.location.is_empty() {
        state["customProperties"] = json!({"xenon.NodeState.location": node.location});
    }
    state
}

/// Lists the nodes by number, replaced ones too.
pub(super) fn all(http: &Http) -> Answer {
    let cluster = http.parts.control.state();
    let (own, standing, shares) = (http.parts.node, http.parts.view.standing(), Shares::of(http, &cluster));
    let document = |node: &Node| (format!("/core/nodes/{}", node.id), state(node, own, &standing, &shares));
    let documents: Map<String, Value> = cluster.group().nodes().map(document).collect();
    let links = documents.keys().cloned().collect();
    encode::json(StatusCode::OK, &list(http, links, Some(documents)))
}

/// Shows one node, by its number or its host id, or with DELETE removes it for good; what has the number of a node that was removed
/// needs nothing.
///
/// # Errors
/// [`Error::NoSuchPath`] if there is none, [`Error::Deployment`] if it cannot be removed or the system group does not decide.
pub(super) async fn one(http: &Arc<Http>, asked: HostRequest, id: &str) -> Result<Answer, Error> {
    let missing = || Error::NoSuchPath { path: asked.path().to_owned(), nearest: Some("/core/nodes".to_owned()) };
    let document = match asked.act(&METHODS)? {
        Act::Show => {
            let cluster = http.parts.control.state();
            let node = find(&cluster, id).ok_or_else(missing)?;
            shown(http, &cluster, node, asked.path())
        }
        Act::Remove => {
            let cluster = http.parts.deployments.newest().await?;
            match find(&cluster, id) {
                Some(node) => {
                    let document = shown(http, &cluster, node, asked.path());
                    remove(http, node).await?;
                    document
                }
                // Whoever has not heard what came of it asks again.
                None if id.parse().is_ok_and(|number| cluster.group().was_removed(NodeId(number))) => json!({}),
                None => return Err(missing()),
            }
        }
    };
    Ok(encode::json(StatusCode::OK, &document))
}

fn shown(http: &Http, cluster: &ClusterState, node: &Node, link: &str) -> Value {
    let shown = state(node, http.parts.node, &http.parts.view.standing(), &Shares::of(http, cluster));
    with_built_in(http, shown, link, KIND)
}

/// Returns the node with this number, or the newest of this name.
fn find<'a>(cluster: &'a ClusterState, id: &str) -> Option<&'a Node> {
    let by_number = id.parse().ok().and_then(|number| cluster.node(NodeId(number)));
    let by_name = || cluster.group().nodes().filter(|node| node.host.as_str() == id).max_by_key(|node| node.id);
    by_number.or_else(by_name)
}

async fn remove(http: &Http, node: &Node) -> Result<(), Error> {
    let (id, boot, at) = (node.id, node.boot, http.operations().clock().timestamp());
    http.parts.control.propose(Command::RemoveNode { node: id, boot, at }).await?;
    tracing::info!(node = %id, host = %node.host, "node removed from the group for good");
    Ok(())
}
