//! Spans and bounds of a replica. None of them takes part in what is true: they decide when something is asked again, how
//! much is under way at once, and when a member is taken for slow.

use std::time::Duration;

/// How patient a replica is, and how much it sends at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// After so much silence something is asked again.
    pub resend: Duration,
    /// A copy hears so late, at most, that something was committed.
    pub commit_delay: Duration,
    /// After so much silence a candidate looks for another member to take the log from.
    pub fetch_patience: Duration,
    /// After so much silence of members the system group is asked whether the reign goes on.
    pub confirm_patience: Duration,
    /// A member that has not acknowledged what is so old leaves the in-sync set.
    pub in_sync_lag: Duration,
    /// A proposal to the system group that is undecided so long is made again.
    pub propose_again: Duration,
    /// A hand-off that is undecided so long is given up.
    pub hand_off_patience: Duration,
    /// Most records of one message.
    pub message_records_max: usize,
    /// A message holds no further record once it has so many bytes.
    pub message_bytes_max: usize,
    /// Most messages with records that are under way to one copy.
    pub window_messages: usize,
    /// Nothing more is sent to a copy while so many bytes are under way.
    pub window_bytes: usize,
    /// Bytes of records that are kept in memory for copies; what is older is read from the log.
    pub tail_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            resend: Duration::from_millis(300),
            commit_delay: Duration::from_millis(20),
            fetch_patience: Duration::from_secs(1),
            confirm_patience: Duration::from_millis(100),
            in_sync_lag: Duration::from_secs(2),
            propose_again: Duration::from_secs(1),
            hand_off_patience: Duration::from_secs(1),
            message_records_max: 1024,
            message_bytes_max: 256 << 10,
            window_messages: 16,
            window_bytes: 1 << 20,
            tail_bytes_max: 256 << 10,
        }
    }
}
