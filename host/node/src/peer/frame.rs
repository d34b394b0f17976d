//! What travels on a connection after the handshake.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use tokio_util::codec::LengthDelimitedCodec;

use super::lane::Topic;

/// Largest frame before it is known who is at the other end.
const HANDSHAKE_BYTES_MAX: usize = 4096;

/// One message, or what keeps messages moving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Frame {
    /// Nobody waits for an answer.
    Notice {
        topic: Topic,
        #[serde(with = "steward_model::codec::bytes_run")]
        body: Bytes,
    },
    /// Somebody waits.
    Request {
        id: u64,
        topic: Topic,
        #[serde(with = "steward_model::codec::bytes_run")]
        body: Bytes,
    },
    /// What was waited for.
    Answer {
        id: u64,
        #[serde(with = "steward_model::codec::bytes_run")]
        body: Bytes,
    },
    /// There is no answer.
    Refused { id: u64, reason: String },
    /// So many bytes were taken, and as many more may come.
    Credit { bytes: u32 },
    /// The sender is there and has nothing to say.
    Alive,
}

impl Format for Frame {
    const NAME: &'static str = "frame between nodes";
}

impl Frame {
    /// Returns how many bytes of credit it takes. Answers take none: whoever asked has room for one.
    pub(super) fn cost(&self) -> usize {
        match self {
            Frame::Notice { body, .. } | Frame::Request { body, .. } => body.len(),
            Frame::Answer { .. } | Frame::Refused { .. } | Frame::Credit { .. } | Frame::Alive => 0,
        }
    }
}

/// Returns the framing of the handshake.
pub(super) fn strangers() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(HANDSHAKE_BYTES_MAX).new_codec()
}
