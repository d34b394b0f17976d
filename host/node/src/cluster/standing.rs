//! How the system group stands as this node sees it, for people.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use steward_model::node::{NodeStatus, Role};
use steward_model::{Lane, Member, NodeId};
use steward_protocol::cluster::ClusterState;
use steward_protocol::cluster::group::Node;
use steward_protocol::cluster::table::Row;
use steward_protocol::liveness;

use super::beats::Beats;
use super::engine;
use super::group::Group;
use crate::peer::{self, RefusedPeer};

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
    /// Returns true if `node` is the one that looks, or messages pass to and from it. What the group has agreed on about a node may
    /// be old: without a majority nobody is called UNAVAILABLE any more.
    pub(crate) fn reaches(&self, node: NodeId) -> bool {
        self.seen.iter().find(|seen| seen.member.node == node).is_none_or(|seen| seen.reached)
    }

    /// Returns how many nodes are AVAILABLE, and reached from here.
    pub(crate) fn available(&self, state: &ClusterState) -> usize {
        state.group().nodes().filter(|node| node.status == NodeStatus::Available && self.reaches(node.id)).count()
    }

    /// Returns how many partitions of the persisted lane can neither be read nor written from here, and will not before nodes are
    /// back: the system group names nobody, and the owner is not reached, or is reached and can confirm nothing.
    pub(crate) fn stranded(&self, state: &ClusterState) -> usize {
        if self.decides {
            return 0;
        }
        let is_stranded = |row: &Row| {
            let reached = row.in_sync.iter().filter(|member| self.reaches(member.node)).count();
            !self.reaches(row.primary.node) || reached < row.needed_to_confirm()
        };
        persisted(state).filter(|row| is_stranded(row)).count()
    }

    /// Returns what is wrong with the partitions that are stranded, and what to do about it; none if none is.
    pub(crate) fn stranding(&self, state: &ClusterState) -> Option<String> {
        let stranded = self.stranded(state);
        (stranded > 0).then(|| {
            format!(
                "{stranded} of {} partitions can neither be read nor written from here: too few of the nodes that hold them are \
                 reached; start those again, or look at the network",
                persisted(state).count()
            )
        })
    }

    /// Returns what is wrong, each as one sentence that says what to do about it.
    pub(crate) fn problems(&self, state: &ClusterState) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.decides {
            let served = if self.stranded(state) > 0 { "" } else { "documents are served all the same, but " };
            problems.push(format!(
                "the system group cannot decide: a majority of its voters is missing; {served}no node joins, no owner changes and \
                 no quorum changes until they are back"
            ));
        }
        problems.extend(self.of_quorum(state));
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

    /// Returns what keeps updates from going on: too few nodes, and documents whose owner is gone with nobody in its place.
    fn of_quorum(&self, state: &ClusterState) -> Vec<String> {
        let mut problems = Vec::new();
        let is_there =
            |node: &Node| node.role == Role::Peer && node.status == NodeStatus::Available && self.reaches(node.id);
        let available = state.group().nodes().filter(|node| is_there(node)).count();
        let quorum = state.quorum().value as usize;
        if available < quorum {
            // A quorum is set by the system group, if it can decide.
            let possible = match available {
                0 => String::new(),
                _ if !self.decides => String::new(),
                _ => format!(", or relax it: steward quorum {available}"),
            };
            problems.push(format!(
                "updates wait: {available} of the {quorum} nodes that the quorum asks for are available; start the others{possible}"
            ));
        }
        problems.extend(self.stranding(state));
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
}

fn persisted(state: &ClusterState) -> impl Iterator<Item = &Row> {
    state.table().rows().filter(|(partition, _)| partition.lane == Lane::Persisted).map(|(_, row)| row)
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
        let linked = self.group.links.as_ref().map(|links| links.connected(peer::Lane::Urgent)).unwrap_or_default();
        let seen = |view: liveness::View| Seen {
            member: view.member,
            silence: view.silence,
            reached: linked.contains(&view.member.node) && beats.reaches(view.member.node),
            suspected: view.suspected,
        };
        beats.views().into_iter().map(seen).collect()
    }
}
