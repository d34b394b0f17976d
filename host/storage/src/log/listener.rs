//! Who is told what became of frames, and of a disk that failed.

use steward_model::{Lsn, PartitionId, Position};

/// Is told what became of what was appended. Called by the writer thread, without locks: the next group waits meanwhile.
pub trait Listener: Send + Sync {
    /// Everything up to `through` is on the disk. `ends` are ends of records that follow one another without a gap, in the
    /// order in which they were appended: a partition stands there again, further down, if its log was truncated between.
    /// A record that was truncated after it was appended is reported as well; the listener compares positions.
    fn persisted(&self, through: Lsn, ends: &[(PartitionId, Position)]);

    /// As [`Listener::persisted`], when nothing else waits to be written: the writer's thread has time for what follows from it.
    fn persisted_last(&self, through: Lsn, ends: &[(PartitionId, Position)]) {
        self.persisted(through, ends);
    }

    /// The disk failed. Nothing is persisted any more.
    ///
    /// # Panics
    /// Does not return as it stands: it aborts the process. Only tests should decide otherwise.
    fn failed(&self, error: &Error) {
        tracing::error!(%error, "commit log failed, host stops at once");
        std::process::abort();
    }
}

/// The disk failed under the log. What is lasting is unknown: the process has to stop.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} the commit log: {source}")]
pub struct Error {
    /// The verb that failed, as in "cannot sync".
    pub what: &'static str,
    /// What the operating system says.
    pub source: std::io::Error,
}

/// Returns the error of a thread that panicked.
pub(crate) fn panicked(thread: &'static str, panic: &(dyn std::any::Any + Send)) -> Error {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let reason = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error { what: "go on with", source: std::io::Error::other(format!("thread {thread} panicked: {reason}")) }
}
