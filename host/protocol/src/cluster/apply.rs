//! Applying commands: nothing else changes the cluster state.

use std::sync::Arc;

use steward_model::{Member, Timestamp};

use super::command::{Applied, Command, Refused, Registration};
use super::group::{Group, Role};
use super::invariants;
use super::registry::Registry;
use super::state::ClusterState;
use super::table::Table;
use crate::liveness::Evidence;

impl ClusterState {
    /// Applies one command: a function of the state and the command alone, the same on every node.
    ///
    /// # Errors
    /// [`Refused`] if the command was decided on what is no longer so, or asks for what cannot be; nothing has changed.
    pub fn apply(&mut self, command: &Command) -> Result<Applied, Refused> {
        // The parts are shared, so a copy costs four counters. Whatever a refused command did is dropped with it.
        let mut next = self.clone();
        let applied = next.carry_out(command)?;
        debug_assert_eq!(invariants::check_step(self, &next), Ok(()), "after {command:?}");
        *self = next;
        Ok(applied)
    }

    fn carry_out(&mut self, command: &Command) -> Result<Applied, Refused> {
        if let Command::InstallGenesis(state) = command {
            return self.install(state);
        }
        if self.is_blank() {
            return Err(Refused::NoGenesis);
        }
        match command {
            Command::InstallGenesis(_) => Err(Refused::GenesisExists),
            Command::RegisterNode(registration) => self.register(registration),
            Command::NodeAvailable { node, boot, at } => done(self.group_mut().make_available(*node, *boot, *at)),
            Command::SetQuorum { value, scope, at } => {
                self.group_mut().set_quorum(*value, *scope, *at)?;
                self.change_table(|table, group| table.lower_write_quorums(group));
                Ok(Applied::Done)
            }
            Command::BeginLeave { node, boot, at } => {
                self.group_mut().begin_leave(*node, *boot, *at)?;
                let leaving = self.group.current(*node, *boot)?.member();
                self.change_table(|table, group| table.hand_over(group, leaving));
                Ok(Applied::Done)
            }
            Command::FenceNode { node, boot, evidence, at } => {
                done(self.fence(Member { node: *node, boot: *boot }, *evidence, *at))
            }
            Command::Unfence { node, boot, at } => done(self.group_mut().unfence(*node, *boot, *at)),
            Command::RemoveNode { node, boot, at } => {
                self.group_mut().remove(*node, *boot, *at)?;
                self.change_table(|table, group| {
                    table.forget_member(group, *node)?;
                    table.lower_write_quorums(group);
                    Ok(Applied::Done)
                })
            }
            Command::MovePrimaries(moves) => {
                let name = |table: &mut Table, group: &Group| {
                    moves.iter().map(|wanted| table.move_primary(group, wanted)).collect()
                };
                Ok(Applied::Altered(self.change_table(name)))
            }
            Command::AlterInSync(alterations) => {
                let alter = |table: &mut Table, group: &Group| {
                    alterations.iter().map(|alteration| table.alter_in_sync(group, alteration)).collect()
                };
                Ok(Applied::Altered(self.change_table(alter)))
            }
            Command::RegisterModule(module) => {
                self.registry_mut().install(module);
                Ok(Applied::Done)
            }
            Command::RemoveModule { digest } => done(self.registry_mut().remove(*digest)),
            Command::MountFactory(deployment) => revised(self.registry_mut().mount(deployment)),
            Command::MoveFactory(deployment) => revised(self.registry_mut().remount(deployment)),
            Command::UnmountFactory { path, revision, authorship } => {
                revised(self.registry_mut().unmount(path, *revision, authorship))
            }
            Command::SetConfig { key, value } => {
                let config = Arc::make_mut(&mut self.config);
                match value {
                    Some(value) => config.insert(key.clone(), value.clone()),
                    None => config.remove(key),
                };
                Ok(Applied::Done)
            }
        }
    }

    fn install(&mut self, state: &ClusterState) -> Result<Applied, Refused> {
        if !self.is_blank() {
            return Err(Refused::GenesisExists);
        }
        invariants::check(state).map_err(Refused::GenesisInvalid)?;
        *self = state.clone();
        Ok(Applied::Done)
    }

    /// Takes a silent node out of service, and its duties from it.
    fn fence(&mut self, silent: Member, evidence: Evidence, at: Timestamp) -> Result<(), Refused> {
        if !evidence.suffices() {
            return Err(Refused::Evidence { node: silent.node, evidence });
        }
        self.group_mut().fence(silent.node, silent.boot, at)?;
        self.change_table(|table, group| table.hand_over(group, silent));
        Ok(())
    }

    fn register(&mut self, registration: &Registration) -> Result<Applied, Refused> {
        // The group first: everything below asks it for the boot that has just begun.
        let (member, replaced) = self.group_mut().register(registration)?;
        let watches = registration.role == Role::Observer;
        // An observer holds nothing that counts. Let in while it, or the store that it replaces, is listed, it would
        // take holders of committed updates out of the set without anybody having been fed in their place (I4).
        if watches {
            for node in replaced.iter().chain([&member.node]) {
                if let Some(partition) = self.table.first_held_by(*node) {
                    return Err(Refused::HoldsReplicas { node: *node, partition });
                }
            }
        }
        let (partitions, incarnation) = (self.partitions_per_lane, self.incarnation.counter);
        self.change_table(|table, group| {
            // The first peer holds everything there is, which is nothing. Every later one is fed before it counts, so
            // its registration adds it to no row.
            if table.rows.is_empty() && !watches {
                table.found(partitions, incarnation, member);
            } else {
                table.restart_member(group, member, &replaced);
            }
            // Last, because it goes by the node of the primary, which may just have been named.
            table.lower_write_quorums(group);
        });
        Ok(Applied::Registered { node: member.node, boot: member.boot })
    }

    fn group_mut(&mut self) -> &mut Group {
        Arc::make_mut(&mut self.group)
    }

    fn registry_mut(&mut self) -> &mut Registry {
        Arc::make_mut(&mut self.registry)
    }

    /// Lets `change` work on the table, and counts it if it changed any row.
    fn change_table<T>(&mut self, change: impl FnOnce(&mut Table, &Group) -> T) -> T {
        let mut table = self.table.as_ref().clone();
        let outcome = change(&mut table, &self.group);
        if table.rows != self.table.rows {
            table.version += 1;
            self.table = Arc::new(table);
        }
        outcome
    }
}

fn done(outcome: Result<(), Refused>) -> Result<Applied, Refused> {
    outcome.map(|()| Applied::Done)
}

fn revised(outcome: Result<u64, Refused>) -> Result<Applied, Refused> {
    outcome.map(|revision| Applied::Revised { revision })
}
