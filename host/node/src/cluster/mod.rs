//! The system group of this node: agreement on the cluster state, behind [`ControlLog`].
//!
//! Problem: commands must be decided once, in one order, and survive power loss; and the library that decides them today
//! is not the one we want to be married to.
//!
//! Promise: whoever holds a [`ControlLog`] sees commands, outcomes and states of `steward_protocol::cluster`, and
//! nothing of Raft. A command that was answered is on disk. A state that can be read has been decided.
//!
//! ```text
//!   propose(command)                                             state() · watch()
//!        │                                                              ▲
//!        ▼                                                              │ one shared copy per batch
//!   raft.rs ── openraft ──► store.rs ──► journal.rs ──► commit log      │
//!                  │        entries in memory,          fsync, then     │
//!                  │        a frame for each            "flushed"       │
//!                  └──────► state_machine.rs ──► ClusterState::apply ───┘
//!                                  └──► snapshot.rs: the whole state, every 2,000 entries
//!
//!   <data folder>/system/current                      which incarnation, which node: written once
//!                        <incarnation>/log/           segments of the commit log
//!                        <incarnation>/snapshot       the newest system snapshot, replaced whole
//! ```
//!
//! Source: host/docs/protocol.md, "The system group". The group has one voter, this node, which
//! elects itself; left out until there are more: the connections between them, and joining an existing group.

mod bootstrap;
mod control_log;
mod identity;
pub(crate) mod inspect;
mod journal;
mod network;
mod raft;
mod snapshot;
mod state_machine;
mod store;
#[cfg(test)]
mod tests;
mod types;

pub(crate) use bootstrap::{Bootstrap, Error, System, start};
pub(crate) use control_log::{ControlLog, ProposeError};
