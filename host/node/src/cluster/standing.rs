//! How the system group stands as this node sees it, for people.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use steward_model::node::{NodeStatus, Role};
use steward_model::{Member, NodeId};
use steward_protocol::cluster::ClusterState;
use steward_protocol::liveness;

use super::beats::Beats;
use super::engine;
use super::group::Group;
use crate::peer::{Lane, RefusedPeer};

/// After how many milliseconds without its voters a leader cannot decide anything.
const UNHEARD_MILLIS_MAX: u64 = 2_000;

/// What this node knows of another one at first hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub member: Member,
    /// For how long it has sent no beat.
    pub silence: Duration,
    /// True if messages pass in both directions.
    pub reached: bool,
    /// True if it is believed to be gone.
    pub suspected: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Who leads, if that is known.
    pub leader: Option<NodeId>,
    pub term: u64,
    /// Who votes.
    pub voters: BTreeSet<NodeId>,
    /// True if commands can be decided, as far as this node can tell.
    pub decides: bool,
    /// Every other node.
    pub seen: Vec<Seen>,
    /// Whom this node does not talk to, or who does not talk to it.
    pub refused: Vec<RefusedPeer>,
}

impl Standing {
    /// Returns what is wrong, each as one sentence that says what to do about it.
    pub(crate) fn problems(&self, state: &ClusterState) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.decides {
            problems.push(
                "the system group cannot decide: a majority of its voters is missing; documents are served all the same, but no \
                 node joins, no owner changes and no quorum changes until they are back"
                    .to_owned(),
            );
        }
        problems.extend(of_quorum(state));
        for node in state.group().nodes() {
            match node.status {
                NodeStatus::Unavailable => problems.push(format!(
                    "node {} ({}) is silent: start it again, or remove it for good if it will not come back: \
                     steward nodes remove {}",
                    node.id, node.host, node.id
                )),
                NodeStatus::Synchronizing | NodeStatus::Available | NodeStatus::Leaving | NodeStatus::Replaced => {}
            }
        }
        let halves = self.seen.iter().filter(|seen| !seen.reached && !seen.suspected);
        problems.extend(halves.map(|seen| {
            format!("no messages pass to and from node {}, although it is there: look at the network", seen.member.node)
        }));
        problems.extend(self.refused.iter().map(|refused| format!("{}: {}", refused.peer, refused.reason)));
        problems
    }
}

/// Returns what keeps updates from going on: too few nodes, and documents whose owner is gone with nobody in its place.
fn of_quorum(state: &ClusterState) -> Vec<String> {
    let mut problems = Vec::new();
    let peers = || state.group().nodes().filter(|node| node.role == Role::Peer);
    let (quorum, available) =
        (state.quorum().value as usize, peers().filter(|node| node.status == NodeStatus::Available).count());
    if available < quorum {
        let possible =
            if available == 0 { String::new() } else { format!(", or relax it: steward quorum {available}") };
        problems.push(format!(
            "updates wait: {available} of the {quorum} nodes that the quorum asks for are available; start the others{possible}"
        ));
    }
    let is_gone = |node: NodeId| state.node(node).is_none_or(|node| node.status == NodeStatus::Unavailable);
    let rows = state.table().rows();
    let orphans: Vec<NodeId> = rows.map(|(_, row)| row.primary.node).filter(|owner| is_gone(*owner)).collect();
    if let Some(owner) = orphans.first() {
        problems.push(format!(
            "{} partitions have no owner that is there, and no other copy that may follow: start node {owner} again",
            orphans.len()
        ));
    }
    problems
}

/// Looks at the system group. Cheap to clone.
#[derive(Clone)]
pub(crate) struct View {
    pub(super) group: Group,
    /// None in a node that was started without peers.
    pub(super) beats: Option<Arc<Beats>>,
}

impl View {
    /// Returns how the system group stands.
    pub(crate) fn standing(&self) -> Standing {
        let metrics = self.group.metrics();
        let leader = metrics.current_leader.and_then(engine::node_id);
        let own = engine::node_id(metrics.id);
        let voters = metrics.membership_config.voter_ids().filter_map(engine::node_id).collect();
        let seen = self.seen();
        let heard = |leader: NodeId| seen.iter().all(|seen| seen.member.node != leader || !seen.suspected);
        let decides = match leader {
            None => false,
            Some(leader) if Some(leader) == own => {
                self.beats.is_none() || metrics.millis_since_quorum_ack.is_none_or(|millis| millis < UNHEARD_MILLIS_MAX)
            }
            Some(leader) => heard(leader),
        };
        let refused = self.group.links.as_ref().map(|links| links.refused()).unwrap_or_default();
        Standing { leader, term: metrics.current_term, voters, decides, seen, refused }
    }

    fn seen(&self) -> Vec<Seen> {
        let Some(beats) = &self.beats else { return Vec::new() };
        let linked = self.group.links.as_ref().map(|links| links.connected(Lane::Urgent)).unwrap_or_default();
        let seen = |view: liveness::View| Seen {
            member: view.member,
            silence: view.silence,
            reached: linked.contains(&view.member.node) && beats.reaches(view.member.node),
            suspected: view.suspected,
        };
        beats.views().into_iter().map(seen).collect()
    }
}
