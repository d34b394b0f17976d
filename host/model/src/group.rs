//! The identity of a cluster, and what is still asked for here of its nodes.

use serde::{Deserialize, Serialize};

pub use crate::node::{Boot, Error, HOST_ID_BYTES_MAX, HostId, NodeId, StoreId};

/// Names a cluster for ever: random, chosen by the node that bootstrapped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct GroupId(pub u128);
