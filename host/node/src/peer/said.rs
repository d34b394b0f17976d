//! What bytes of a peer say, in words and without a connection: the door of the fuzz target `peer_frames`.

use steward_model::codec;

use super::frame::Frame;
use super::handshake::Step;

/// Returns what bytes of a peer are as a step of a handshake, and as a frame behind it, in words that are for people.
pub fn describe(bytes: &[u8]) -> String {
    let step = codec::decode::<Step>(bytes).map(|step| step.words());
    let frame = codec::decode::<Frame>(bytes).map(|frame| format!("{frame:?} that costs {}", frame.cost()));
    let words = |read: Result<String, codec::Error>| read.unwrap_or_else(|error| error.to_string());
    format!("as a step: {}; as a frame: {}", words(step), words(frame))
}
