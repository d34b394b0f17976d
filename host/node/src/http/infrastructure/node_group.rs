//! `/core/node-groups/default` in Xenon's shape, and `/core/nodes`.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use steward_model::NodeId;
use steward_protocol::cluster::Command;
use steward_protocol::cluster::command::Scope;
use steward_protocol::cluster::group::{Node, NodeStatus, Role};

use super::shapes::{READ_ONLY, body, list, short_kind, with_built_in};
use crate::cluster::Standing;
use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;

const PATH: &str = "/core/node-groups/default";

const ALLOWED: &str = "GET, HEAD, PATCH, OPTIONS";

const KIND: &str = "com:vmware:xenon:services:common:NodeGroupService:NodeGroupState";
const NODE_KIND: &str = "com:vmware:xenon:services:common:NodeState";
const QUORUM_KIND: &str = "com:vmware:xenon:services:common:NodeGroupService:UpdateQuorumRequest";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    kind: Option<String>,
    membership_quorum: Option<u32>,
    #[serde(default)]
    is_group_update: bool,
}

/// Shows the node group, or changes its quorum.
///
/// # Errors
/// [`Error::Field`] if the request is no `UpdateQuorumRequest`, [`Error::Deployment`] if the quorum cannot be.
pub(super) async fn answer(http: &Arc<Http>, asked: HostRequest) -> Result<Answer, Error> {
    match asked.parts.method {
        Method::GET | Method::HEAD => Ok(encode::json(StatusCode::OK, &state(http))),
        Method::PATCH => change_quorum(http, body(http, asked).await?).await,
        _ => asked.other(ALLOWED),
    }
}

async fn change_quorum(http: &Http, request: Request) -> Result<Answer, Error> {
    let kind = request.kind.as_deref().unwrap_or_default();
    if short_kind(kind) != "UpdateQuorumRequest" {
        let reason = format!("is {kind:?}: offered is {QUORUM_KIND}");
        return Err(Error::Field { pointer: "/kind".to_owned(), reason });
    }
    let missing =
        || Error::Field { pointer: "/membershipQuorum".to_owned(), reason: "is missing: a number from 1".to_owned() };
    let value = request.membership_quorum.ok_or_else(missing)?;
    let scope = if request.is_group_update { Scope::Group } else { Scope::Node(http.parts.node) };
    let at = http.operations().clock().timestamp();
    http.parts.control.propose(Command::SetQuorum { value: Some(value), scope, at }).await?;
    let told = json!({
        "isGroupUpdate": request.is_group_update,
        "membershipQuorum": value,
        "kind": QUORUM_KIND,
    });
    Ok(encode::json(StatusCode::OK, &told))
}

fn state(http: &Http) -> Value {
    let cluster = http.parts.control.state();
    let group = cluster.group();
    let standing = http.parts.view.standing();
    let shown = || group.nodes().filter(|node| node.status != NodeStatus::Replaced);
    let own = http.parts.node;
    let nodes: Map<String, Value> =
        shown().map(|node| (node.host.to_string(), node_state(node, own, &standing))).collect();
    let updated = shown().map(|node| node.updated.0).max().unwrap_or(0);
    let version: u64 = group.nodes().map(|node| node.version + 1).sum();
    json!({
        "config": {},
        "nodes": nodes,
        "quorum": {"value": group.quorum().value, "pinned": group.quorum().pinned, "majority": group.majority()},
        "systemGroup": {
            "leader": standing.leader.and_then(|leader| cluster.node(leader)).map(|node| node.host.to_string()),
            "term": standing.term,
            "decides": standing.decides,
        },
        "problems": standing.problems(&cluster),
        "membershipUpdateTimeMicros": updated,
        "localMembershipUpdateTimeMicros": updated,
        "documentVersion": version,
        "documentKind": KIND,
        "documentSelfLink": PATH,
        "documentUpdateTimeMicros": updated,
        "documentExpirationTimeMicros": 0,
        "documentOwner": http.owner_name(),
    })
}

/// Returns a node in Xenon's shape, and how it stands as the node `own` sees it.
fn node_state(node: &Node, own: NodeId, standing: &Standing) -> Value {
    let seen = standing.seen.iter().find(|seen| seen.member.node == node.id);
    let role = match node.role {
        Role::Peer => "PEER",
        Role::Observer => "OBSERVER",
    };
    let mut state = json!({
        "groupReference": format!("{}{PATH}", node.address),
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
        "documentVersion": node.version,
        "documentKind": NODE_KIND,
        "documentSelfLink": format!("{PATH}/{}", node.host),
        "documentUpdateTimeMicros": node.updated.0,
        "documentExpirationTimeMicros": 0,
    });
    if !node.location.is_empty() {
        state["customProperties"] = json!({"xenon.NodeState.location": node.location});
    }
    state
}

/// Lists the nodes by number, replaced ones too.
///
/// # Errors
/// [`Error::Method`] for everything but reading.
pub(super) fn nodes(http: &Http, asked: &HostRequest) -> Result<Answer, Error> {
    if !asked.reads() {
        return asked.other(READ_ONLY);
    }
    let cluster = http.parts.control.state();
    let (own, standing) = (http.parts.node, http.parts.view.standing());
    let document = |node: &Node| (format!("/core/nodes/{}", node.id), node_state(node, own, &standing));
    let documents: Map<String, Value> = cluster.group().nodes().map(document).collect();
    let links = documents.keys().cloned().collect();
    Ok(encode::json(StatusCode::OK, &list(http, links, Some(documents))))
}

/// Shows one node, by its number or its host id.
///
/// # Errors
/// [`Error::NoSuchPath`] if there is none.
pub(super) fn node(http: &Http, asked: &HostRequest, id: &str) -> Result<Answer, Error> {
    if !asked.reads() {
        return asked.other(READ_ONLY);
    }
    let cluster = http.parts.control.state();
    let by_number = id.parse().ok().and_then(|number| cluster.node(NodeId(number)));
    let by_name = || cluster.group().nodes().filter(|node| node.host.as_str() == id).max_by_key(|node| node.id);
    let missing = || Error::NoSuchPath { path: asked.path().to_owned(), nearest: Some("/core/nodes".to_owned()) };
    let node = by_number.or_else(by_name).ok_or_else(missing)?;
    let state = node_state(node, http.parts.node, &http.parts.view.standing());
    let document = with_built_in(http, state, asked.path(), NODE_KIND);
    Ok(encode::json(StatusCode::OK, &document))
}
