//! The decisions of steward: what nodes agree on, who orders updates, which copies count.
//!
//! Nothing here touches the world: there is no clock, socket, file, task or random number. Time comes in as an
//! argument, and answers go out as values. Every collection is iterated in an order that all nodes share. So the same
//! inputs give the same outputs, on every node and in every run. The system group needs that to keep all nodes in the
//! same state, and the simulation needs it to repeat a run from its seed.

pub mod cluster;
pub mod placement;
pub mod queue;
pub mod replica;
pub mod schedule;
