//! Frames of peers: whatever comes is a step of a handshake, a frame, or refused, and read the same way each time.

use steward_node::describe_peer_bytes;

pub(crate) fn check(bytes: &[u8]) {
    let said = describe_peer_bytes(bytes);
    assert_eq!(said, describe_peer_bytes(bytes), "the same bytes are read in two ways");
}
