//! On what ground a node is fenced.

use std::fmt::{Display, Formatter, Result};

use serde::{Deserialize, Serialize};

/// What the leader of the system group knows about a node that it wants fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// For how long the leader has had no sign of the node, in milliseconds.
    pub silence_millis: u64,
    /// How many of those that report suspect the node, the leader included.
    pub suspecting: u32,
    /// How many report: the leader, and those that it hears.
    pub reporting: u32,
}

impl Evidence {
    /// Returns true if more than half of those that report suspect the node.
    pub fn suffices(&self) -> bool {
        self.suspecting <= self.reporting && u64::from(self.suspecting) * 2 > u64::from(self.reporting)
    }
}

impl Display for Evidence {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Evidence { silence_millis, suspecting, reporting } = self;
        write!(f, "silent for {silence_millis} ms, suspected by {suspecting} of {reporting} that report")
    }
}
