//! What the driver of copies needs of a node: the threads that loop its steps, the clock, the free space, and the
//! deadlines of those who wait. Every decision is made in `steward-replication`.
//!
//! | thread | loops |
//! |---|---|
//! | `driver` | [`Partitions::step`]: what the log's writer has made durable becomes commits (the writer does it itself when nothing else waits to be written); letters of copies come and go; time passes for them |
//! | `reader` | [`Partitions::read_log`]: records that other members lack |
//! | `applier` | [`Partitions::apply`]: what is committed reaches the state stores, gathered for a while, at a pace of its own |
//! | `checkpoint` | [`Partitions::checkpoint`] and [`Partitions::trim`]; once a minute `Partitions::forget` |
//!
//! A thread that panics ends the process, because nobody else would go on with its work.

mod balance;
#[cfg(test)]
pub(crate) mod by_hand;
mod exchange;
mod follow;
mod hands;
mod leaving;
mod pace;
mod rebuilds;
mod space;
mod stepping;
#[cfg(test)]
mod tests;
mod threads;
mod waits;
mod wishes;

pub(crate) use balance::balance;
pub(crate) use exchange::Exchange;
pub(crate) use follow::{all_here, follow};
pub(crate) use hands::Hands;
pub(crate) use leaving::give_away;
pub(crate) use rebuilds::{Parts as RebuildParts, Rebuilds};
pub(crate) use space::watch_space;
pub(crate) use steward_replication::partition::{
    Claim, Confirmation, Lost, NotConfirmed, ProposeError, Senders, Standing, Status, Taken, Turn, TurnError, Wanted,
};
pub(crate) use steward_replication::{Options, Partition, Partitions, Recovery, Shared};
pub(crate) use threads::Threads;
pub(crate) use waits::{Behind, digests_agree, flushed, flushed_lane, load_outbox};
pub(crate) use wishes::carry_wishes;
