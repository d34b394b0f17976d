//! The node group: which nodes are registered, what state they are in, and the quorum.
//!
//! Rules of the quorum: it is the majority of the peers that count and follows their number, until an operator pins it
//! by a start parameter or by a request. A peer counts once it has been available: one that is on its way here holds nothing
//! yet, and updates would wait for it as long as that takes. Until as many peers count as the group was begun with, the majority
//! is that of those: their operator asked for so many. A pinned quorum stays as it is. If a node starts with a quorum of its own, the
//! quorum of the group becomes the greater of the two; a start never lowers it. A node that is leaving or replaced
//! keeps showing the value that it knew last.
//!
//! Source: host/docs/protocol.md, "Quorum".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steward_model::node::{HostId, StoreId};
pub use steward_model::node::{NodeStatus, Role};
use steward_model::{Boot, Member, NodeId, Timestamp};

use super::refused::Refused;

/// A registered node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its number, never reused.
    pub id: NodeId,
    /// The name its operator gave it.
    pub host: HostId,
    /// The id in its data folder: a wiped disk is another store.
    pub store: StoreId,
    /// Its current process start.
    pub boot: Boot,
    /// The URI under which others reach it.
    pub address: String,
    /// What it is in the group for.
    pub role: Role,
    /// Where it stands, in the operator's words; empty: not said.
    pub location: String,
    /// How far it is.
    pub status: NodeStatus,
    /// It has been available, or took the place of one that had: it counts for the majority, wherever it is now.
    pub counts: bool,
    /// The quorum it last knew of.
    pub quorum: u32,
    /// Counts the changes of this row.
    pub version: u64,
    /// When the row changed last.
    pub updated: Timestamp,
}

impl Node {
    /// Returns the current process start of the node as a member of rows.
    pub fn member(&self) -> Member {
        Member { node: self.id, boot: self.boot }
    }

    fn touch(&mut self, at: Timestamp) {
        self.version += 1;
        self.updated = at;
    }
}

/// What a node says of itself when its process has started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The name its operator gave it.
    pub host: HostId,
    /// The id in its data folder: a wiped disk is another store.
    pub store: StoreId,
    /// The URI under which others reach it.
    pub address: String,
    /// What it is in the group for.
    pub role: Role,
    /// Where it stands, in the operator's words; empty: not said.
    pub location: String,
    /// The quorum its operator asks for; none: whatever the group has.
    pub quorum: Option<u32>,
    /// When the process started.
    pub at: Timestamp,
}

/// For whom a quorum is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// For every node that is present, and those to come.
    Group,
    /// For one node, until the group's value changes.
    Node(NodeId),
}

/// The smallest number of members whose agreement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// The number, at least 1.
    pub value: u32,
    /// True: an operator chose it. False: it follows the majority of the peers that count.
    pub pinned: bool,
}

/// All registered nodes and the quorum of the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) last_id: NodeId,
    pub(super) quorum: Quorum,
    /// With how many peers the group was begun; 0 once so many count, or an operator has removed one.
    pub(super) founders: u32,
}

impl Default for Group {
    fn default() -> Group {
        let quorum = Quorum { value: 1, pinned: false };
        Group { nodes: BTreeMap::new(), last_id: NodeId(0), quorum, founders: 0 }
    }
}

impl Group {
    /// Returns the node with this number.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// Returns all nodes by number, replaced ones included.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Returns the quorum of the group.
    pub fn quorum(&self) -> Quorum {
        self.quorum
    }

    /// Returns the group with which a cluster of so many peers begins.
    pub(super) fn founding(founders: u32) -> Group {
        let mut group = Group { founders, ..Group::default() };
        group.quorum.value = group.majority();
        group
    }

    /// Returns the majority of the peers that count, at least 1: what the quorum is unless it is pinned.
    pub fn majority(&self) -> u32 {
        self.counted().max(self.founders) / 2 + 1
    }

    fn counted(&self) -> u32 {
        let counts = |node: &&Node| node.counts && node.role == Role::Peer && node.status != NodeStatus::Replaced;
        u32::try_from(self.nodes.values().filter(counts).count()).unwrap_or(u32::MAX - 1)
    }

    /// Returns true if a node had this number and was removed: numbers are never given again.
    pub fn was_removed(&self, id: NodeId) -> bool {
        NodeId(0) < id && id <= self.last_id && !self.nodes.contains_key(&id)
    }

    /// Returns true if `member` is the current process start of a node that serves.
    pub fn is_available(&self, member: Member) -> bool {
        self.node(member.node).is_some_and(|node| node.boot == member.boot && node.status == NodeStatus::Available)
    }

    /// Returns the node whose current process start `boot` is.
    pub(super) fn current(&self, id: NodeId, boot: Boot) -> Result<&Node, Refused> {
        let node = self.node(id).ok_or(Refused::UnknownNode { node: id })?;
        if node.boot != boot {
            return Err(Refused::StaleBoot { node: id, boot, current: node.boot });
        }
        Ok(node)
    }

    /// Enters a process start and returns it, with the nodes that it replaced.
    pub(super) fn register(&mut self, registration: &Registration) -> Result<(Member, Vec<NodeId>), Refused> {
        if registration.quorum == Some(0) {
            return Err(Refused::QuorumZero);
        }
        let known = self.nodes.values().find(|n| n.host == registration.host && n.store == registration.store);
        // The number is for this store under this name. Another store never promised what the old one did: known under
        // the same number it would vote with data missing. The boot rises, so that whatever the process before has on
        // its way is refused.
        let (id, boot, version) = match known {
            Some(node) => (node.id, Boot(node.boot.0 + 1), node.version + 1),
            None => (NodeId(self.last_id.0 + 1), Boot(1), 0),
        };
        self.last_id = self.last_id.max(id);
        // Two stores that serve under one name would both be asked for it; the newer start has it. The older comes back
        // under its own number, should its disk return.
        let mut replaced = Vec::new();
        // What counted goes on to count in the place of it: a lost disk must not make the quorum fall.
        let mut counts = known.is_some_and(|node| node.counts);
        for other in self.nodes.values_mut().filter(|n| n.host == registration.host && n.id != id) {
            if other.status != NodeStatus::Replaced {
                counts |= other.counts;
                other.status = NodeStatus::Replaced;
                other.touch(registration.at);
                replaced.push(other.id);
            }
        }
        let node = Node {
            id,
            host: registration.host.clone(),
            store: registration.store,
            boot,
            address: registration.address.clone(),
            role: registration.role,
            location: registration.location.clone(),
            status: NodeStatus::Synchronizing,
            counts,
            quorum: self.quorum.value,
            version,
            updated: registration.at,
        };
        let member = node.member();
        self.nodes.insert(id, node);
        // Raised, never lowered: a node that starts with an old parameter must not weaken what the others were
        // promised.
        if let Some(wanted) = registration.quorum {
            self.quorum = Quorum { value: self.quorum.value.max(wanted), pinned: true };
        }
        self.spread_quorum(registration.at);
        Ok((member, replaced))
    }

    pub(super) fn make_available(&mut self, id: NodeId, boot: Boot, at: Timestamp) -> Result<(), Refused> {
        match self.current(id, boot)?.status {
            NodeStatus::Available => Ok(()),
            NodeStatus::Synchronizing => {
                self.set_status(id, NodeStatus::Available, at)?;
                self.count(id, at);
                Ok(())
            }
            status @ (NodeStatus::Leaving | NodeStatus::Replaced | NodeStatus::Unavailable) => {
                Err(Refused::WrongStatus { node: id, status })
            }
        }
    }

    /// Lets a node that is available count for the majority from now on.
    fn count(&mut self, id: NodeId, at: Timestamp) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.counts = true;
        }
        if self.counted() >= self.founders {
            self.founders = 0;
        }
        self.spread_quorum(at);
    }

    /// Takes a silent node out of service.
    pub(super) fn fence(&mut self, id: NodeId, boot: Boot, at: Timestamp) -> Result<(), Refused> {
        match self.current(id, boot)?.status {
            NodeStatus::Unavailable => Ok(()),
            NodeStatus::Synchronizing | NodeStatus::Available | NodeStatus::Leaving => {
                self.set_status(id, NodeStatus::Unavailable, at)
            }
            status @ NodeStatus::Replaced => Err(Refused::WrongStatus { node: id, status }),
        }
    }

    /// Lets a fenced node bring itself up to date, as after a start.
    pub(super) fn unfence(&mut self, id: NodeId, boot: Boot, at: Timestamp) -> Result<(), Refused> {
        match self.current(id, boot)?.status {
            NodeStatus::Synchronizing | NodeStatus::Available => Ok(()),
            NodeStatus::Unavailable => {
                self.set_status(id, NodeStatus::Synchronizing, at)?;
                // What the group has agreed on meanwhile has not reached it.
                self.spread_quorum(at);
                Ok(())
            }
            status @ (NodeStatus::Leaving | NodeStatus::Replaced) => Err(Refused::WrongStatus { node: id, status }),
        }
    }

    pub(super) fn begin_leave(&mut self, id: NodeId, boot: Boot, at: Timestamp) -> Result<(), Refused> {
        match self.current(id, boot)?.status {
            NodeStatus::Leaving => Ok(()),
            NodeStatus::Synchronizing | NodeStatus::Available => self.set_status(id, NodeStatus::Leaving, at),
            status @ (NodeStatus::Replaced | NodeStatus::Unavailable) => Err(Refused::WrongStatus { node: id, status }),
        }
    }

    fn set_status(&mut self, id: NodeId, status: NodeStatus, at: Timestamp) -> Result<(), Refused> {
        let node = self.nodes.get_mut(&id).ok_or(Refused::UnknownNode { node: id })?;
        node.status = status;
        node.touch(at);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: NodeId, boot: Boot, at: Timestamp) -> Result<(), Refused> {
        // Whoever has not heard what came of a command proposes it again.
        if self.was_removed(id) {
            return Ok(());
        }
        let status = self.current(id, boot)?.status;
        if status.is_present() {
            return Err(Refused::WrongStatus { node: id, status });
        }
        self.nodes.remove(&id);
        self.founders = 0;
        self.spread_quorum(at);
        Ok(())
    }

    /// Sets the quorum; none means: follow the majority, or for one node: take the group's value.
    pub(super) fn set_quorum(&mut self, value: Option<u32>, scope: Scope, at: Timestamp) -> Result<(), Refused> {
        if value == Some(0) {
            return Err(Refused::QuorumZero);
        }
        match scope {
            Scope::Group => {
                self.quorum = match value {
                    Some(value) => Quorum { value, pinned: true },
                    None => Quorum { pinned: false, ..self.quorum },
                };
                self.spread_quorum(at);
            }
            Scope::Node(id) => {
                let value = value.unwrap_or(self.quorum.value);
                let node = self.nodes.get_mut(&id).ok_or(Refused::UnknownNode { node: id })?;
                if node.quorum != value {
                    node.quorum = value;
                    node.touch(at);
                }
            }
        }
        Ok(())
    }

    /// Brings an unpinned quorum up to date and tells it to every node that is present.
    fn spread_quorum(&mut self, at: Timestamp) {
        if !self.quorum.pinned {
            self.quorum.value = self.majority();
        }
        for node in self.nodes.values_mut().filter(|node| node.status.is_present()) {
            if node.quorum != self.quorum.value {
                node.quorum = self.quorum.value;
                node.touch(at);
            }
        }
    }
}
