//! Frames of the commit log: bytes from a disk are no frame, or one that is written back as the same bytes.
//!
//! The checksum is made right before the second look, or a fuzzer would hardly ever come past it; the first look takes the
//! bytes as they are.

use steward_storage::log::Frame;
use steward_storage::log::frame::HEADER_BYTES;

pub(crate) fn check(bytes: &[u8]) {
    read_all(bytes);
    let mut mended = bytes.to_vec();
    if mended.len() >= HEADER_BYTES {
        let length = u32::from_le_bytes(mended[4..8].try_into().expect("four bytes"));
        // The length as found reaches behind the end nearly always.
        let length = length.min((mended.len() - HEADER_BYTES) as u32);
        mended[4..8].copy_from_slice(&length.to_le_bytes());
        let checksum = crc32c::crc32c(&mended[4..HEADER_BYTES + length as usize]);
        mended[..4].copy_from_slice(&checksum.to_le_bytes());
        read_all(&mended);
    }
}

/// Reads frames until there is none, as recovery does.
fn read_all(bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        let before = rest;
        let Some(frame) = Frame::decode(&mut rest) else {
            assert_eq!(before, rest, "what is no frame stays where it is");
            return;
        };
        let taken = &before[..before.len() - rest.len()];
        let mut written = Vec::new();
        frame.encode(&mut written);
        assert_eq!(written, taken, "{frame:?} was read from other bytes than it is written as");
        assert_eq!(frame.encoded_bytes(), taken.len());
    }
}
