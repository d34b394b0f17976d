//! Why the log takes no frames now.

/// Why frames cannot be appended. Nothing of them was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The log could not make its next segment: the disk is full, or the system gives no more open files. Reads go on;
    /// appends succeed again soon after that is mended.
    #[error(
        "disk is full: {needed} bytes are needed and {free} are left in the commit log, free some space or open files"
    )]
    Full {
        /// Bytes left in what the log took ahead.
        free: u64,
        /// Bytes of these frames.
        needed: u64,
    },
    /// So much waits for the disk already that another segment would be needed. The caller may try again at once.
    #[error("disk is too slow: {pending} bytes wait to be written to the commit log")]
    Busy {
        /// Bytes that wait for the writer.
        pending: u64,
    },
    /// The frames do not fit into a segment.
    #[error("frames of {bytes} bytes do not fit into the commit log, {most} bytes do")]
    TooLarge {
        /// Bytes of the frames, or of the largest one.
        bytes: u64,
        /// How many are possible.
        most: u64,
    },
    /// The log was closed.
    #[error("commit log is closed")]
    Closed,
    /// The disk failed; the process is about to stop.
    #[error("commit log has failed: what it holds is unknown until the host starts anew")]
    Failed,
}
