//! The identity of a cluster.

use serde::{Deserialize, Serialize};

/// Names a cluster for ever: random, chosen by the node that bootstrapped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct GroupId(pub u128);
