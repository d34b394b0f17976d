//! Upper limits on operations: how long they wait, and how large their documents may be.

use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// How long an operation waits at the longest when its client does not say.
    pub wait: Duration,
    /// Largest state of a document in bytes, unless its service wants less.
    pub document_bytes_max: usize,
    /// Most log lines of one service in a second.
    pub guest_lines_max: u32,
    /// True if each new version carries the request that made it.
    pub records_requests: bool,
}
