//! The system group of this node: agreement on the cluster state, behind [`ControlLog`].
//!
//! Problem: commands must be decided once, in one order, and survive power loss; and the library that decides them today
//! is not the one we want to be married to.
//!
//! Promise: whoever holds a [`ControlLog`] sees commands, outcomes and states of `steward_protocol::cluster`, and
//! nothing of Raft. A command that was answered is on disk. A state that can be read has been decided.
//!
//! ```text
//!   propose(command)                                             state() · watch() · newest()
//!        │                                                              ▲
//!        ▼                                                              │ one shared copy per batch
//!   raft.rs ── leads? ── openraft ─► store.rs ──► journal.rs ──► commit log
//!        │ no: ask.rs        │       entries in memory,          fsync, then
//!        ▼                   │       a frame for each            "flushed"
//!   the leader ◄─ links ─► call.rs   └─► state_machine.rs ──► ClusterState::apply
//!                                             └──► snapshot.rs: the whole state, every 2,000 entries
//!
//!   joining.rs   a node without a cluster: begin one, or be let into one
//!   beats.rs     who is there: the hands of steward_protocol::liveness
//!   keeper.rs    fence silent nodes, see to the voters (voting.rs), come back
//!
//!   <data folder>/system/current                      which incarnation, which node: written once
//!                        <incarnation>/log/           segments of the commit log
//!                        <incarnation>/snapshot       the newest system snapshot, replaced whole
//! ```
//!
//! Everything that other nodes wait for runs on the thread for peers (`crate::peer`); a node without peers has none, and its only
//! voter elects itself.
//!
//! Source: host/docs/protocol.md, "The system group". Left out: witnesses, locations in the choice of voters, forced recovery.

mod among;
mod ask;
mod beats;
mod bootstrap;
mod call;
mod control_log;
mod engine;
mod group;
mod identity;
pub mod inspect;
mod joining;
mod journal;
mod keeper;
mod leading;
mod network;
mod opening;
mod raft;
mod snapshot;
mod standing;
mod state_machine;
mod store;
mod system;
#[cfg(test)]
mod tests;
mod types;
mod voting;

pub(crate) use bootstrap::{Bootstrap, start};
pub(crate) use control_log::{ControlLog, ProposeError};
pub(crate) use opening::Error;
pub(crate) use standing::{Standing, View};
pub(crate) use system::{Peers, System};
