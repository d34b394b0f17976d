//! This node's part in the system group: deciding where it leads, and letting nodes in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{CheckIsLeaderError, ClientWriteError, RaftError};
use openraft::{BasicNode, ChangeMembers, Raft, RaftMetrics};
use steward_model::NodeId;
use steward_protocol::cluster::command::Registration;
use steward_protocol::cluster::group::Node;
use steward_protocol::cluster::{Applied, ClusterState, Command, Refused};
use tokio::sync::watch;

use super::ask::{Registered, Said};
use super::call::Target;
use super::engine::{self, DECISION_WAIT};
use super::types::TypeConfig;
use crate::config::PeerAddress;
use crate::peer::Links;

/// How long the leader may take to change who belongs to the system group.
const MEMBERSHIP_WITHIN: Duration = Duration::from_secs(5);

/// Pause before a change of the members is tried again that met another one.
const MEMBERSHIP_PAUSE: Duration = Duration::from_millis(20);

/// How a command ended on the leader: what came of it, and its entry.
pub(super) type Decided = Result<(Applied, u64), Undone>;

/// Why a command was not decided here.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undone {
    /// It was decided, and changed nothing.
    #[error("{0}")]
    Refused(Refused),
    /// This node does not lead.
    #[error("this node does not lead the system group")]
    NotLeader(Option<NodeId>),
    /// It was not decided in time, and may be yet.
    #[error("the system group has not decided in time")]
    Undecided,
    /// Raft has stopped before it heard of it.
    #[error("the system group of this node has stopped")]
    Closed,
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) raft: Raft<TypeConfig>,
    pub(super) states: watch::Receiver<Arc<ClusterState>>,
    pub(super) own: Target,
    /// None in a group of one that was started without peers.
    pub(super) links: Option<Links>,
}

impl Group {
    /// Returns the newest metrics of Raft.
    pub(super) fn metrics(&self) -> RaftMetrics<u64, BasicNode> {
        self.raft.metrics().borrow().clone()
    }

    /// Returns true if this node leads.
    pub(super) fn leads(&self) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        metrics.current_leader == Some(self.own.node)
    }

    /// Returns who leads, if this node knows.
    pub(super) fn leader(&self) -> Option<NodeId> {
        self.raft.metrics().borrow().current_leader.and_then(engine::node_id)
    }

    /// Returns where all nodes of the system group listen to peers.
    pub(super) fn members(&self) -> BTreeMap<NodeId, PeerAddress> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let nodes = metrics.membership_config.nodes();
        nodes.filter_map(|(id, node)| Some((engine::node_id(*id)?, PeerAddress::said(&node.addr)))).collect()
    }

    /// Has a command decided, if this node leads.
    pub(super) async fn decide(&self, command: Command) -> Decided {
        let deciding = async {
            let decision = self.raft.client_write_ff(command).await.map_err(|fatal| {
                tracing::error!(%fatal, "system group stopped");
                Undone::Closed
            })?;
            // Raft may stop when others have the command already, and decide it.
            decision.await.map_err(|_| Undone::Undecided)
        };
        match tokio::time::timeout(DECISION_WAIT, deciding).await.unwrap_or(Err(Undone::Undecided))? {
            Ok(response) => {
                let outcome = response.data.expect("an entry with a command has an outcome: see the state machine");
                outcome.map(|applied| (applied, response.log_id.index)).map_err(Undone::Refused)
            }
            Err(ClientWriteError::ForwardToLeader(forward)) => {
                Err(Undone::NotLeader(forward.leader_id.and_then(engine::node_id)))
            }
            Err(ClientWriteError::ChangeMembershipError(error)) => {
                unreachable!("a command is no change of membership: {error}")
            }
        }
    }

    /// Asks the voters whether this node still leads; returns the entry up to which a state must reach that shows everything
    /// decided before.
    pub(super) async fn newest(&self) -> Result<u64, Undone> {
        let confirmed = tokio::time::timeout(DECISION_WAIT, self.raft.get_read_log_id()).await;
        match confirmed.map_err(|_| Undone::Undecided)? {
            Ok((read, _)) => Ok(read.map_or(0, |id| id.index)),
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(forward))) => {
                Err(Undone::NotLeader(forward.leader_id.and_then(engine::node_id)))
            }
            Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_))) => Err(Undone::Undecided),
            Err(RaftError::Fatal(_)) => Err(Undone::Closed),
        }
    }

    /// Returns once the state of this node shows the entry `index`.
    pub(super) async fn reached(&self, index: u64) -> bool {
        let wait = self.raft.wait(Some(DECISION_WAIT));
        wait.applied_index_at_least(Some(index), "what was decided elsewhere is applied here").await.is_ok()
    }

    /// Changes who belongs to the system group, if this node leads.
    pub(super) async fn change(&self, change: ChangeMembers<u64, BasicNode>) -> Result<(), Undone> {
        let changing = async {
            loop {
                match self.raft.change_membership(change.clone(), true).await {
                    Ok(_) => return Ok(()),
                    Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
                        return Err(Undone::NotLeader(forward.leader_id.and_then(engine::node_id)));
                    }
                    // Another change is under way, or this one was overtaken.
                    Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(error))) => {
                        tracing::debug!(%error, "change of the members waits");
                        tokio::time::sleep(MEMBERSHIP_PAUSE).await;
                    }
                    Err(RaftError::Fatal(_)) => return Err(Undone::Closed),
                }
            }
        };
        tokio::time::timeout(MEMBERSHIP_WITHIN, changing).await.unwrap_or(Err(Undone::Undecided))
    }

    /// Registers a process start and makes its node a member of the system group, if this node leads.
    pub(super) async fn register(&self, registration: Registration, address: String, first: bool) -> Said {
        match self.try_register(registration, address, first).await {
            Ok(said) => said,
            Err(undone) => self.unsettled(undone),
        }
    }

    async fn try_register(&self, registration: Registration, address: String, first: bool) -> Result<Said, Undone> {
        let newest = self.newest().await?;
        if !self.reached(newest).await {
            return Err(Undone::Undecided);
        }
        let known = {
            let state = self.states.borrow();
            if !self.may_let_in(&state, &registration) {
                return Err(Undone::Undecided);
            }
            let same = |node: &&Node| node.host == registration.host && node.store == registration.store;
            state.group().nodes().find(same).map(|node| node.id)
        };
        // What this store has promised in the system group lay in its folder: it must not vote as if it had not.
        if let Some(node) = known.filter(|_| first) {
            return Ok(Said::KnownStore { node });
        }
        let (applied, index) = self.decide(Command::RegisterNode(registration)).await?;
        let Applied::Registered { node, boot } = applied else { return Ok(Said::Applied { applied, index }) };
        let members = self.members();
        if members.get(&node).is_none_or(|known| known.as_str() != address) {
            let entry = BTreeMap::from([(engine::raft_id(node), BasicNode::new(&address))]);
            // A node that moved is the same node: its number vouches for that.
            self.change(if members.contains_key(&node) {
                ChangeMembers::SetNodes(entry)
            } else {
                ChangeMembers::AddNodes(entry)
            })
            .await?;
        }
        let members = self.members().into_iter().map(|(node, address)| (node, address.to_string())).collect();
        let Target { group, incarnation, .. } = self.own;
        Ok(Said::Registered(Box::new(Registered { group, incarnation, node, boot, members, index })))
    }

    /// Says whether a process may be registered yet: before all others the node that began the group, which is node 1 by its folder.
    fn may_let_in(&self, state: &ClusterState, registration: &Registration) -> bool {
        let ourselves = self.links.as_ref().map(Links::ourselves);
        let is_own = ourselves.is_some_and(|own| own.host == registration.host && own.store == registration.store);
        let is_known = engine::node_id(self.own.node).is_some_and(|own| state.node(own).is_some());
        !state.is_blank() && (is_own || is_known)
    }

    pub(super) fn unsettled(&self, undone: Undone) -> Said {
        match undone {
            Undone::Refused(refused) => Said::Refused(refused),
            Undone::NotLeader(leader) => {
                let address = leader.and_then(|leader| self.members().get(&leader).map(ToString::to_string));
                Said::NotLeader { leader, address }
            }
            Undone::Undecided => Said::Undecided,
            Undone::Closed => Said::NotLeader { leader: None, address: None },
        }
    }
}
