//! The decisions of steward: what nodes agree on, who orders updates, which copies count.
//!
//! Nothing here touches the world: no clock, socket, file, task or randomness. Time comes in as an argument, answers go
//! out as values, and every collection iterates in an order that all nodes share. Hence the same inputs give the same
//! outputs on every node and in every run, which the system group relies on and simulation lives by.

pub mod cluster;
pub mod liveness;
pub mod placement;
pub mod queue;
pub mod replica;
pub mod schedule;
