//! What every node agrees on: the state machine of the system group.
//!
//! Problem: nodes, quorum, partition table, guest modules and factories must be the same on every node, and their changes
//! need one order. But any node may ask for a change at any time, and decides it on what it knew a moment ago.
//!
//! Promise: [`ClusterState::apply`] is a pure function. The same commands in the same order lead to the same state on
//! every node. A command that was decided on an older state is refused with a reason and changes nothing.
//!
//! ```text
//!  proposer ──Command──► system log (Raft) ──► ClusterState::apply ──► Applied | Refused ──► proposer
//!  draws ids, reads            agrees                │
//!  the clock                                         └──► a shared copy for every reader of this node
//! ```
//!
//! **Why it is small.** Raft decides a few commands an hour here: who is in the group, who is named primary of which
//! partition, which members count. The updates of documents never pass through it. Each partition has a log of its own
//! (see [`crate::replica`]), and needs the cluster state only when its members or its primary change. So a snapshot can be
//! the whole state, and a group that has lost the majority of its voters still reads and writes documents.
//!
//! **Why a late command is harmless.** A proposer reads a state and decides. Its command is applied some time later, perhaps
//! to another state. So each command carries the number on which it was decided, and is refused if that number has changed:
//!
//! | command about | carries | which |
//! |---|---|---|
//! | a node | its boot | rises with each process start, so a process that is over can change nothing |
//! | a row's primary | its epoch | rises with each naming (I3) |
//! | a row's members | epoch and version | the version rises with each change of members or quorums |
//! | a factory | its revision | goes on counting when the factory is unmounted and mounted again |
//!
//! **Why naming is not electing.** A row says who *shall* order updates. The named member must still collect the promises of
//! `r` members of `S`. So a row that names a bad candidate stops a partition and loses nothing. The rows themselves must keep
//! two rules: `W + r > #S` (I4); and a holder of committed updates leaves `S` only if it has lost them and `r` stays as it is
//! (amnesia), or after the primary has brought the others up to date, which it checks before it proposes `AlterInSync`.
//!
//! Read `command` for what can be asked, `apply` for the way in, then `table` (rows), `group` (nodes and quorum) and
//! `registry` (guest modules). [`invariants`] says what is true of every state and every step.
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
mod words;

pub use command::{Applied, Command, Refused};
pub use state::ClusterState;
pub use table::{Member, Row};
