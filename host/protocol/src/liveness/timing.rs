//! How often nodes beat, and how long a silent one may be silent.

use std::time::Duration;

/// Pause between two beats. Source: host/docs/protocol.md, "Parameters".
pub const BEAT: Duration = Duration::from_millis(100);

/// Shortest patience with a silent node.
pub const PATIENCE_MIN: Duration = Duration::from_millis(600);

/// Longest patience with a silent node.
pub const PATIENCE_MAX: Duration = Duration::from_secs(3);

/// How often the driver should say that time has passed.
pub const TICK: Duration = Duration::from_millis(50);
