//! Which member should order a partition.
//!
//! Promise: the answer depends only on the partition and the members to choose from. So every node that applies a
//! command names the same member; and when a member leaves, only the partitions that it ordered get another primary.
//!
//! Left out, because a cluster of one node does not need it: weights by load, locations, and plans that move replicas.

pub mod elect;
pub mod hash;
