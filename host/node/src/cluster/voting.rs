//! What the leader does about who votes, and about nodes that are no more.

use std::collections::BTreeSet;

use openraft::{BasicNode, ChangeMembers, RaftMetrics};
use steward_model::NodeId;
use steward_model::node::{NodeStatus, Role};
use steward_protocol::cluster::ClusterState;
use steward_protocol::placement::voters::{Candidate, Standing, voters};

use super::engine;
use super::group::{Group, Undone};

/// How many entries a node may be behind and still become a voter.
const BEHIND_MAX: u64 = 100;

/// Makes those vote who should, if this node leads; `silent` are the nodes that it does not hear.
///
/// # Errors
/// [`Undone`] if the change is not known to have come about.
pub(super) async fn settle(group: &Group, silent: &BTreeSet<NodeId>) -> Result<(), Undone> {
    let metrics = group.metrics();
    let Some(leader) = engine::node_id(metrics.id).filter(|_| group.leads()) else { return Ok(()) };
    let state = group.states.borrow().clone();
    if state.is_blank() {
        return Ok(());
    }
    let membership = metrics.membership_config.membership();
    let current: BTreeSet<NodeId> = membership.voter_ids().filter_map(engine::node_id).collect();
    let wanted = voters(&current, &candidates(&state, &metrics, silent), leader);
    if wanted != current || membership.get_joint_config().len() > 1 {
        tracing::info!(from = %listed(&current), to = %listed(&wanted), "voters of the system group change");
        let ids: BTreeSet<u64> = wanted.iter().copied().map(engine::raft_id).collect();
        group.change(ChangeMembers::ReplaceAllVoters(ids)).await?;
    }
    let known = |node: NodeId| state.node(node).is_some_and(|node| node.status != NodeStatus::Replaced);
    let learners = membership.nodes().map(|(id, _)| *id).filter(|id| membership.voter_ids().all(|voter| voter != *id));
    let gone: BTreeSet<u64> = learners.filter(|id| engine::node_id(*id).is_none_or(|node| !known(node))).collect();
    if !gone.is_empty() {
        tracing::info!(count = gone.len(), "nodes leave the system group");
        group.change(ChangeMembers::RemoveNodes(gone)).await?;
    }
    Ok(())
}

/// Returns how every registered peer stands.
fn candidates(
    state: &ClusterState,
    metrics: &RaftMetrics<u64, BasicNode>,
    silent: &BTreeSet<NodeId>,
) -> Vec<Candidate> {
    let behind = |node: NodeId| {
        let reached = metrics.replication.as_ref().and_then(|all| all.get(&engine::raft_id(node)).copied().flatten());
        let last = metrics.last_log_index.unwrap_or(0);
        reached.is_none_or(|reached| reached.index + BEHIND_MAX < last)
    };
    let standing = |node: NodeId, status: NodeStatus| match status {
        NodeStatus::Leaving => Standing::Leaving,
        NodeStatus::Unavailable => Standing::Silent,
        NodeStatus::Synchronizing | NodeStatus::Available | NodeStatus::Replaced => {
            if silent.contains(&node) {
                Standing::Silent
            } else if behind(node) {
                Standing::Behind
            } else {
                Standing::Ready
            }
        }
    };
    let counts = |role: Role, status: NodeStatus| role == Role::Peer && status != NodeStatus::Replaced;
    let peers = state.group().nodes().filter(|node| counts(node.role, node.status));
    peers.map(|node| Candidate { node: node.id, standing: standing(node.id, node.status) }).collect()
}

fn listed(nodes: &BTreeSet<NodeId>) -> String {
    nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ")
}
