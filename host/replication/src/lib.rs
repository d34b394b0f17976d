//! One node's copies of partitions: the same driver in production and in simulation.
//!
//! Problem: the core of a replica decides when an update is certain and who may order updates, and touches nothing; the
//! log and the state store only keep bytes. The code between them decides whether an acknowledged update survives: in
//! which order effects are carried out, what is told to whom and when, what a failed write leaves behind, what a
//! restart finds. This crate is that code, and the simulation runs it.
//!
//! Promise: time, disks and messages are given. Nothing here reads a clock, starts a thread, opens a socket, or waits
//! while it holds a lock. What takes long is a *step* that the caller calls: in production a thread in a loop, in a
//! simulation the world whenever it likes.
//!
//! ```text
//!  clients ── propose ──┐                                             ┌── steps ─────────────────────────────┐
//!  system group ─ row ──┤► mailbox ─► replica core ─► log ─► writer ──┤ Partitions::step    what is on disk   │
//!  log's writer ────────┘   (one per    │                             │ Partitions::apply   what is committed │
//!                            partition) └► recent, outbox ─► clients  │ Partitions::checkpoint   what lasts   │
//!                                                                     └──────────────────────────────────────┘
//! ```
//!
//! Read [`partition`] first, then [`applier`] and [`checkpoint`], then [`recovery`]: the life of an update, and what is
//! left of it after a crash.
//!
//! What copies want from other nodes and from the system group they leave in [`mail`]; the answers of those enter through the
//! same mailboxes.
//!
//! Left out: synchronization sessions, beats.

pub mod applier;
pub mod applying;
pub mod cache;
pub mod checkpoint;
pub mod completions;
pub mod courier;
pub mod forget;
pub mod mail;
pub mod observer;
pub mod partition;
pub mod partitions;
pub mod pending;
pub mod recovery;
pub mod served;
pub mod shared;
pub mod space;
pub mod uncommitted;
pub mod watch;

pub use observer::{Fact, Fatal, Left, Observer};
pub use partition::{Message, Newest, Partition, Proposal, ProposeError, Proposed, Status};
pub use partitions::Partitions;
pub use recovery::{Recovered, Recovery};
pub use shared::{Options, Shared};
