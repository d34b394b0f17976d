//! Which of the bytes that go out are answers, and which are mere manners of HTTP/2.
//!
//! A client of HTTP/2 may ask for an answer to a PING or to empty SETTINGS as often as it likes. These answers go out
//! although nobody has asked anything of the host, so they must not count as talk. With HTTP/1.1 all that goes out is an
//! answer.
//!
//! ```text
//! HTTP/1.1 200 OK …                        begins with the version
//! length 3 │ type 1 │ flags 1 │ stream 4   a frame of HTTP/2 (RFC 9113, section 4.1), the first one is SETTINGS
//! ```

use std::io::IoSlice;

/// Bytes before the content of a frame.
const HEAD_BYTES: usize = 9;

/// Frames that an answer is made of, and by which one ends: DATA, HEADERS, RST_STREAM, CONTINUATION.
const OF_ANSWERS: [u8; 4] = [0x0, 0x1, 0x3, 0x9];

/// Where in the bytes that go out a connection is.
#[derive(Debug, Default)]
pub(super) enum Frames {
    /// Nothing has gone out.
    #[default]
    Unsaid,
    /// It speaks HTTP/1.1.
    Plain,
    /// It speaks HTTP/2.
    Framed(Place),
}

/// A place within frames.
#[derive(Debug, Default)]
pub(super) struct Place {
    head: [u8; HEAD_BYTES],
    /// How many bytes of the head are known.
    known: usize,
    /// How many bytes of the content are still to come.
    left: usize,
}

impl Frames {
    /// Takes note of the first `count` bytes of `pieces`, which have gone out; returns true if some of them belong to an
    /// answer.
    pub(super) fn went_out(&mut self, pieces: &[IoSlice<'_>], count: usize) -> bool {
        let mut left = count;
        let mut answers = false;
        for piece in pieces {
            let piece = &piece[..piece.len().min(left)];
            left -= piece.len();
            answers |= !piece.is_empty() && self.has_answer(piece);
        }
        answers
    }

    fn has_answer(&mut self, piece: &[u8]) -> bool {
        if let Frames::Unsaid = self {
            *self = if piece[0] == b'H' { Frames::Plain } else { Frames::Framed(Place::default()) };
        }
        match self {
            Frames::Unsaid | Frames::Plain => true,
            Frames::Framed(place) => place.has_answer(piece),
        }
    }
}

impl Place {
    fn has_answer(&mut self, mut piece: &[u8]) -> bool {
        let mut answers = false;
        while !piece.is_empty() {
            if self.known < HEAD_BYTES {
                let (head, rest) = piece.split_at(piece.len().min(HEAD_BYTES - self.known));
                self.head[self.known..self.known + head.len()].copy_from_slice(head);
                self.known += head.len();
                piece = rest;
                if self.known < HEAD_BYTES {
                    return answers;
                }
                let [high, middle, low, ..] = self.head;
                self.left = u32::from_be_bytes([0, high, middle, low]) as usize;
            }
            answers |= OF_ANSWERS.contains(&self.head[3]);
            let content = piece.len().min(self.left);
            piece = &piece[content..];
            self.left -= content;
            if self.left == 0 {
                self.known = 0;
            }
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 1];
        // Content that would be the head of an answer if it were taken for one.
        frame.resize(HEAD_BYTES + usize::from(length), 0);
        frame
    }

    fn in_pieces(frames: &mut Frames, bytes: &[u8], length: usize) -> Vec<bool> {
        bytes.chunks(length).map(|piece| frames.went_out(&[IoSlice::new(piece)], piece.len())).collect()
    }

    #[test]
    fn answers_to_pings_and_settings_are_no_talk() {
        let manners = [frame(4, 30), frame(4, 0), frame(6, 8), frame(8, 4), frame(7, 8), frame(6, 8)].concat();
        for length in 1..manners.len() {
            let mut frames = Frames::default();
            assert!(!in_pieces(&mut frames, &manners, length).contains(&true), "{length}");
            let answer = [frame(6, 8), frame(1, 20), frame(0, 200)].concat();
            let seen = in_pieces(&mut frames, &answer, length);
            assert!(seen.last().is_some_and(|talk| *talk), "{length}");
        }
    }

    #[test]
    fn a_part_of_an_answer_is_talk() {
        let mut frames = Frames::default();
        assert!(!frames.went_out(&[IoSlice::new(&frame(4, 0))], HEAD_BYTES));
        let data = frame(0, 100);
        assert!(frames.went_out(&[IoSlice::new(&data[..5]), IoSlice::new(&data[5..])], 40), "its beginning");
        assert!(frames.went_out(&[IoSlice::new(&data[40..])], 20), "its middle");
    }

    #[test]
    fn all_that_goes_out_over_http_1_is_talk() {
        let mut frames = Frames::default();
        assert!(frames.went_out(&[IoSlice::new(b"HTTP/1.1 200 OK\r\n\r\n")], 5));
        assert!(frames.went_out(&[IoSlice::new(b"\0\0\0\x04")], 4));
    }
}
