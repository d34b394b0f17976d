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
//! **Why it is small.** Raft here decides a few commands an hour: who is in the group, who is named primary of which
//! partition, which members count. The updates of documents never pass through it; each partition has a log of its own
//! (see [`crate::replica`]), and needs this state only when its members or its primary change. So the state is snapshotted
//! whole, and a group without a majority of voters still reads and writes.
//!
//! **Why a late command is harmless.** A proposer reads a state, decides, and its command is applied some time later, to
//! another state perhaps. So each command carries what it was decided on, and is refused if that is no longer so:
//!
//! | command about | carries | which |
//! |---|---|---|
//! | a node | its boot | rises with each process start, so a process that is over can change nothing |
//! | a row's primary | its epoch | rises with each naming (I3) |
//! | a row's members | epoch and version | the version rises with each change of members or quorums |
//! | a factory | its revision | goes on counting when the factory is unmounted and mounted again |
//!
//! **Why naming is not electing.** A row says who *shall* order updates. The named member must still collect promises of
//! `r` members of `S`, so a row that names a bad candidate stops a partition and loses nothing. What the rows do have to keep
//! is `W + r > #S` (I4), and that no holder leaves `S` without either `r` staying as it is (amnesia) or the primary having
//! fed the others (the barrier of `AlterInSync`).
//!
//! Read `command` for what can be asked, `apply` for the way in, then `table` (rows), `group` (nodes and quorum) and
//! `registry` (guest modules). [`invariants`] says what is true of every state and every step.
//!
//! Source: host/docs/protocol.md, "Numbers", "The partition row", "The system group". Naming a new primary happens where
//! the old one is known to be gone (a restart, a replaced store, a node that leaves) or believed to be (a silent node that is
//! fenced). Left out: accepted loss of data, targets, selectors besides the default one, forced recovery.

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
