//! What nobody has to ask for: the leader fences silent nodes and sees to the voters; every node keeps its links to the members, and
//! comes back when it was fenced although it is there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use steward_model::node::NodeStatus;
use steward_model::{Member, NodeId};
use steward_protocol::cluster::{ClusterState, Command};

use super::ask::{Ask, Said};
use super::beats::Beats;
use super::engine;
use super::group::{Group, Undone};
use super::voting;
use crate::clock::Clock;
use crate::shutdown::Shutdown;

/// How often the leader looks. Shorter than a beat, so that it adds little to the time of a failover.
const LOOK: Duration = Duration::from_millis(50);

/// How many looks lie between two at the voters.
const LOOKS_PER_VOTING: u32 = 10;

/// How many looks lie between two attempts to come back.
const LOOKS_PER_RETURN: u32 = 4;

/// For how many looks in a row another one has to lead worse before this node asks to be elected: fencing comes before.
const LOOKS_PER_ELECTION: u32 = 20;

/// Keeps this node's part of the system group in order.
pub(super) struct Keeper {
    pub(super) group: Group,
    pub(super) beats: Arc<Beats>,
    pub(super) clock: Arc<Clock>,
    pub(super) own: Member,
    pub(super) shutdown: Shutdown,
}

impl Keeper {
    /// Looks until the task is ended. Runs on the thread for peers.
    pub(super) async fn run(self) {
        let (mut looks, mut worse) = (0_u32, 0_u32);
        loop {
            tokio::time::sleep(LOOK).await;
            looks = looks.wrapping_add(1);
            let state = self.group.states.borrow().clone();
            if self.is_over(&state) {
                return;
            }
            if self.group.leads() {
                self.fence(&state).await;
                if looks.is_multiple_of(LOOKS_PER_VOTING) {
                    self.see_to_voters().await;
                }
            }
            worse = if self.leads_better() { worse + 1 } else { 0 };
            if worse == LOOKS_PER_ELECTION {
                worse = 0;
                self.stand_for_election().await;
            }
            if looks.is_multiple_of(LOOKS_PER_RETURN) {
                self.come_back(&state).await;
            }
        }
    }

    /// Fences the nodes that are believed to be gone.
    async fn fence(&self, state: &ClusterState) {
        for node in state.group().nodes() {
            let fenced = matches!(node.status, NodeStatus::Unavailable | NodeStatus::Replaced);
            let Some(evidence) = self.beats.evidence(node.member()).filter(|_| !fenced) else { continue };
            let command = Command::FenceNode { node: node.id, boot: node.boot, evidence, at: self.clock.timestamp() };
            match self.group.decide(command).await {
                Ok(_) => tracing::info!(node = %node.member(), host = %node.host, %evidence, "node fenced"),
                Err(undone) => tracing::debug!(%undone, node = %node.member(), "node not fenced"),
            }
        }
    }

    async fn see_to_voters(&self) {
        let silent: BTreeSet<NodeId> = self.beats.suspects().into_iter().map(|member| member.node).collect();
        match voting::settle(&self.group, &silent).await {
            Ok(()) | Err(Undone::NotLeader(_)) => {}
            Err(undone) => tracing::debug!(%undone, "voters not changed yet"),
        }
    }

    /// Returns true if a node leads that does not reach everybody whom this one reaches.
    fn leads_better(&self) -> bool {
        let metrics = self.group.metrics();
        let leader = metrics.current_leader.and_then(engine::node_id).filter(|leader| *leader != self.own.node);
        let voters = || metrics.membership_config.voter_ids().filter_map(engine::node_id).collect();
        leader.is_some_and(|leader| self.beats.leads_better(leader, &voters()))
    }

    async fn stand_for_election(&self) {
        tracing::info!(
            "the leader of the system group does not reach a node that this one reaches: standing for election"
        );
        if let Err(error) = self.group.raft.trigger().elect().await {
            tracing::debug!(%error, "not elected");
        }
    }

    /// Reports that this node is there, if the group believes that it is gone. That it is available is reported by whoever knows the
    /// copies: what it has missed meanwhile is not here yet.
    async fn come_back(&self, state: &ClusterState) {
        let Some(own) = state.node(self.own.node).filter(|own| own.boot == self.own.boot) else { return };
        if own.status != NodeStatus::Unavailable {
            return;
        }
        let command = Command::Unfence { node: self.own.node, boot: self.own.boot, at: self.clock.timestamp() };
        let words = command.to_string();
        match self.group.ask_leader(Ask::Propose(command)).await {
            Some(Said::Applied { .. }) => tracing::info!(command = words, "this node reports itself to the group"),
            Some(said) => tracing::debug!(%said, command = words, "not reported yet"),
            None => tracing::debug!(command = words, "not reported yet, nobody leads"),
        }
    }

    /// Ends the process if the group has given this node's place to another process.
    fn is_over(&self, state: &ClusterState) -> bool {
        let over = match state.node(self.own.node) {
            _ if state.is_blank() => None,
            None => Some("the group has removed this node"),
            Some(node) if node.boot > self.own.boot => Some("a newer process of this node has registered"),
            Some(node) if node.status == NodeStatus::Replaced => {
                Some("another store serves under the name of this node")
            }
            Some(_) => None,
        };
        if let Some(reason) = over {
            tracing::error!(reason, node = %self.own, "this process is over, it stops");
            self.shutdown.drain();
        }
        over.is_some()
    }
}

/// Keeps the links to the members of the system group.
pub(super) async fn follow_members(group: Group) {
    let Some(links) = group.links.clone() else { return };
    let mut metrics = group.raft.metrics();
    let mut seen = None;
    loop {
        let members = group.members();
        // Before the first entry has come, what was heard at the registration holds.
        let knows = engine::node_id(group.own.node).is_some_and(|own| members.contains_key(&own));
        if knows && seen.as_ref() != Some(&members) {
            links.set_peers(&members);
            seen = Some(members);
        }
        if metrics.changed().await.is_err() {
            return;
        }
    }
}
