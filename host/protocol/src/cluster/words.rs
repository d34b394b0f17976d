//! Commands and their outcomes in plain words, for log lines, traces, and people who look at a system log.
//!
//! A command is written as an imperative, an outcome in the past tense, each in one line. The words of a refusal stand
//! beside its variant.

use std::fmt::{Display, Formatter, Result};

use steward_model::Member;
use steward_model::node::Role;

use super::command::{Applied, Command, Move};
use super::group::{Registration, Scope};
use super::registry::Deployment;
use super::row::{Alteration, Members};

impl Command {
    /// Returns the name of the command, as in host/docs/protocol.md, "Commands".
    pub fn name(&self) -> &'static str {
        match self {
            Command::InstallGenesis(_) => "InstallGenesis",
            Command::RegisterNode(_) => "RegisterNode",
            Command::NodeAvailable { .. } => "NodeAvailable",
            Command::SetQuorum { .. } => "SetQuorum",
            Command::BeginLeave { .. } => "BeginLeave",
            Command::RemoveNode { .. } => "RemoveNode",
            Command::MovePrimaries(_) => "MovePrimaries",
            Command::AlterInSync(_) => "AlterInSync",
            Command::RegisterModule(_) => "RegisterModule",
            Command::RemoveModule { .. } => "RemoveModule",
            Command::MountFactory(_) => "MountFactory",
            Command::MoveFactory(_) => "MoveFactory",
            Command::UnmountFactory { .. } => "UnmountFactory",
            Command::SetConfig { .. } => "SetConfig",
            Command::FenceNode { .. } => "FenceNode",
            Command::Unfence { .. } => "Unfence",
        }
    }
}

impl Display for Move {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Move { partition, epoch, to } = self;
        write!(f, "node {to} as primary of partition {partition} after epoch {epoch}")
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Command::InstallGenesis(state) => write!(f, "install the state of group {:032x}", state.group_id().0),
            Command::RegisterNode(registration) => write!(f, "register {registration}"),
            Command::NodeAvailable { node, boot, .. } => {
                write!(f, "make node {} available", Member { node: *node, boot: *boot })
            }
            Command::SetQuorum { value: Some(value), scope, .. } => write!(f, "set the quorum of {scope} to {value}"),
            Command::SetQuorum { value: None, scope: Scope::Group, .. } => {
                f.write_str("let the quorum follow the majority")
            }
            Command::SetQuorum { value: None, scope: Scope::Node(node), .. } => {
                write!(f, "let node {node} take the quorum of the group")
            }
            Command::BeginLeave { node, boot, .. } => {
                write!(f, "let node {} leave", Member { node: *node, boot: *boot })
            }
            Command::RemoveNode { node, boot, .. } => write!(f, "remove node {}", Member { node: *node, boot: *boot }),
            Command::MovePrimaries(moves) => {
                let moves: Vec<String> = moves.iter().map(Move::to_string).collect();
                write!(f, "name {}", moves.join("; "))
            }
            Command::AlterInSync(alterations) => {
                let alterations: Vec<String> = alterations.iter().map(Alteration::to_string).collect();
                write!(f, "alter {}", alterations.join("; "))
            }
            Command::RegisterModule(module) => {
                write!(f, "install module {} {} as {}", module.name, module.version, module.digest.short())
            }
            Command::RemoveModule { digest } => write!(f, "remove module {}", digest.short()),
            Command::MountFactory(deployment) => write!(f, "mount {deployment}"),
            Command::MoveFactory(deployment) => write!(f, "move {deployment}"),
            Command::UnmountFactory { path, revision, .. } => write!(f, "unmount {path} after revision {revision}"),
            Command::SetConfig { key, value: Some(value) } => write!(f, "set {key} to {value}"),
            Command::SetConfig { key, value: None } => write!(f, "set {key} to its default"),
            Command::FenceNode { node, boot, evidence, .. } => {
                write!(f, "fence node {}, {evidence}", Member { node: *node, boot: *boot })
            }
            Command::Unfence { node, boot, .. } => write!(f, "unfence node {}", Member { node: *node, boot: *boot }),
        }
    }
}

impl Display for Registration {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let role = match self.role {
            Role::Peer => "peer",
            Role::Observer => "observer",
        };
        write!(f, "{role} {} with store {:032x} at {}", self.host, self.store.0, self.address)?;
        match self.quorum {
            Some(quorum) => write!(f, ", quorum {quorum}"),
            None => Ok(()),
        }
    }
}

impl Display for Scope {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Scope::Group => f.write_str("the group"),
            Scope::Node(node) => write!(f, "node {node}"),
        }
    }
}

impl Display for Alteration {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Alteration { partition, epoch, version, in_sync, write_quorum } = self;
        write!(f, "partition {partition} of epoch {epoch}, version {version}")?;
        write!(f, " to in sync {}, W {write_quorum}", Members(in_sync))
    }
}

impl Display for Deployment {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Deployment { path, revision, mounted, .. } = self;
        write!(f, "{path} to module {} after revision {revision}, {}", mounted.module.short(), mounted.service)
    }
}

impl Display for Applied {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Applied::Done => f.write_str("done"),
            Applied::Registered { node, boot } => {
                write!(f, "registered node {}", Member { node: *node, boot: *boot })
            }
            Applied::Altered(rows) => {
                let outcome = |row: &std::result::Result<u64, _>| match row {
                    Ok(version) => format!("altered to version {version}"),
                    Err(refused) => format!("refused: {refused}"),
                };
                f.write_str(&rows.iter().map(outcome).collect::<Vec<_>>().join("; "))
            }
            Applied::Revised { revision } => write!(f, "revised to {revision}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use steward_model::partition::SelectorId;
    use steward_model::{Boot, Epoch, Lane, NodeId, PartitionId};

    use super::*;
    use crate::cluster::Refused;

    #[test]
    fn a_command_says_what_to_do_and_on_what_ground() {
        let partition = PartitionId { selector: SelectorId::default(), lane: Lane::Persisted, index: 7 };
        let member = |node| Member { node: NodeId(node), boot: Boot(2) };
        let alteration = Alteration {
            partition,
            epoch: Epoch::ZERO.next_ownership(),
            version: 4,
            in_sync: BTreeSet::from([member(1), member(3)]),
            write_quorum: 2,
        };
        let words = Command::AlterInSync(vec![alteration]).to_string();
        assert_eq!(words, "alter partition 0/persisted/7 of epoch 1, version 4 to in sync 1.2 3.2, W 2");
        let quorum = Command::SetQuorum { value: Some(2), scope: Scope::Group, at: Default::default() };
        assert_eq!(quorum.to_string(), "set the quorum of the group to 2");
    }

    #[test]
    fn an_outcome_says_what_was_done() {
        let applied = Applied::Altered(vec![Ok(5), Err(Refused::NoGenesis)]);
        assert!(applied.to_string().starts_with("altered to version 5; refused: the system group"));
        assert_eq!(Applied::Registered { node: NodeId(1), boot: Boot(2) }.to_string(), "registered node 1.2");
    }
}
