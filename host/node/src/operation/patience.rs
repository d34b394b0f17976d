//! How long those who carry effects are patient with a failure.

use serde::{Deserialize, Serialize};

/// How long an effect is tried again that was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Patience {
    /// Not at all: its target has answered.
    None,
    /// As long as it takes to mount a factory everywhere.
    Short,
    /// As long as targets remember keys.
    Long,
}
