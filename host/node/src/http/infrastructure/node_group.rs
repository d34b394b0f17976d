//! `/core/node-groups/default` in Xenon's shape.

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use steward_protocol::cluster::Command;
use steward_protocol::cluster::command::Scope;
use steward_protocol::cluster::group::{Node, NodeStatus, Role};

use super::nodes;
use super::shapes::{body, is_kind, other_kind};
use super::shares::Shares;
use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::http::methods::Methods;

const PATH: &str = "/core/node-groups/default";

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Show,
    ChangeQuorum,
}

pub(super) const METHODS: Methods<Act> =
    Methods(&[("GET", Act::Show), ("HEAD", Act::Show), ("PATCH", Act::ChangeQuorum)]);

const KIND: &str = "com:vmware:xenon:services:common:NodeGroupService:NodeGroupState";
const QUORUM_KIND: &str = "com:vmware:xenon:services:common:NodeGroupService:UpdateQuorumRequest";

/// What a quorum can be.
const QUORUMS: &str = "a whole number from 1, or \"auto\"";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    kind: Option<String>,
    membership_quorum: Option<Value>,
    #[serde(default)]
    is_group_update: bool,
    /// The quorum may be more than all nodes together.
    #[serde(default)]
    force: bool,
}

/// Shows the node group, or changes its quorum.
///
/// # Errors
/// [`Error::Field`] if the request is no `UpdateQuorumRequest`, [`Error::QuorumBeyond`] if all nodes together could not meet
/// the quorum and the request does not insist, [`Error::Deployment`] if the system group does not decide.
pub(super) async fn answer(http: &Arc<Http>, asked: HostRequest) -> Result<Answer, Error> {
    match asked.act(&METHODS)? {
        Act::Show => Ok(encode::json(StatusCode::OK, &state(http))),
        Act::ChangeQuorum => change_quorum(http, body(http, asked).await?).await,
    }
}

async fn change_quorum(http: &Http, request: Request) -> Result<Answer, Error> {
    if !is_kind(request.kind.as_deref(), "UpdateQuorumRequest") {
        return Err(other_kind(request.kind.as_deref(), QUORUM_KIND));
    }
    let value = wanted(request.membership_quorum.as_ref())?;
    if let Some(wanted) = value.filter(|_| !request.force) {
        let state = http.parts.control.state();
        let is_peer = |node: &&Node| node.role == Role::Peer && node.status != NodeStatus::Replaced;
        let peers = state.group().nodes().filter(is_peer).count();
        // Nothing would tell that updates wait for nodes that there are not.
        if wanted as usize > peers {
            return Err(Error::QuorumBeyond { wanted, peers });
        }
    }
    let scope = if request.is_group_update { Scope::Group } else { Scope::Node(http.parts.node) };
    let at = http.operations().clock().timestamp();
    http.parts.control.propose(Command::SetQuorum { value, scope, at }).await?;
    let now = value.unwrap_or_else(|| http.parts.control.state().quorum().value);
    let told = json!({
        "isGroupUpdate": request.is_group_update,
        "membershipQuorum": now,
        "kind": QUORUM_KIND,
    });
    Ok(encode::json(StatusCode::OK, &told))
}

/// Returns the quorum that a request names; none: the majority.
fn wanted(membership_quorum: Option<&Value>) -> Result<Option<u32>, Error> {
    let refused = |reason: String| Error::Field { pointer: "/membershipQuorum".to_owned(), reason };
    let Some(value) = membership_quorum else { return Err(refused(format!("is missing: write {QUORUMS}"))) };
    if value == "auto" {
        return Ok(None);
    }
    let members = value.as_u64().and_then(|members| u32::try_from(members).ok()).filter(|members| *members > 0);
    members.map(Some).ok_or_else(|| refused(format!("is {value}: write {QUORUMS}")))
}

fn state(http: &Http) -> Value {
    let cluster = http.parts.control.state();
    let group = cluster.group();
    let standing = http.parts.view.standing();
    let shown = || group.nodes().filter(|node| node.status != NodeStatus::Replaced);
    let own = http.parts.node;
    let shares = Shares::of(http, &cluster);
    let nodes: Map<String, Value> =
        shown().map(|node| (node.host.to_string(), nodes::state(node, own, &standing, &shares))).collect();
    let epoch = cluster.table().rows().map(|(_, row)| row.epoch.as_u64()).max();
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
        "partitionsPerLane": cluster.partitions_per_lane(),
        "highestEpoch": epoch,
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
