//! Which member should order a partition, and who votes in the system group.
//!
//! Promise: the answer depends on nothing but the partition and the members asked about, so every node that applies a
//! command names the same one, and a member that leaves moves no partition but its own.
//!
//! Left out, because a cluster of one node has no use for it: weights by load, locations, and plans that move replicas.

pub mod elect;
pub mod hash;
pub mod voters;
