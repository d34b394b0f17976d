//! What every node agrees on: the state machine of the system group.
//!
//! Problem: nodes, quorum, partition table, guest modules and factories must be the same everywhere, and must change
//! in one order although any node may ask for a change, at any time, on the ground of what it knew a moment ago.
//!
//! Promise: [`ClusterState::apply`] is a pure function. The same commands in the same order lead to the same state on
//! every node; a command that was decided on an older state is refused with a reason and changes nothing.
//!
//! ```text
//!  proposer ──Command──► system log (Raft) ──► ClusterState::apply ──► Applied | Refused ──► proposer
//!  draws ids, reads            agrees                │
//!  the clock                                         └──► a shared copy for every reader of this node
//! ```
//!
//! Source: host/docs/protocol.md, "Numbers", "The partition row", "The system group". Naming a new primary happens where
//! the old one is known to be gone (a restart, a replaced store, a node that leaves). Left out until a second node
//! exists: fencing of silent nodes, accepted loss of data, targets, selectors besides the default one, forced recovery.

mod apply;
pub mod command;
pub mod group;
pub mod invariants;
pub mod refused;
pub mod registry;
pub mod row;
mod service;
pub mod state;
pub mod table;
#[cfg(test)]
mod tests;
mod violation;

pub use command::{Applied, Command, Refused};
pub use state::ClusterState;
pub use table::{Member, Row};
