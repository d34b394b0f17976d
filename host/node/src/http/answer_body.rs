//! Bodies of answers: in memory as a whole, or made while they are sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use steward_sandbox::CallError;

use super::streamed::Streamed;

/// How much of a body is coded at once.
const PIECE_BYTES: usize = 64 << 10;

/// After how much of it others on the same worker have their turn: milliseconds of coding.
const TURN_BYTES: usize = 512 << 10;

/// The body of an answer.
pub(super) enum AnswerBody {
    /// What the host answers, and services.
    Whole(Whole),
    /// What an HTTP component answers.
    Streamed(Box<Streamed>),
}

impl AnswerBody {
    /// Lets others on the same worker have their turns while the body is coded.
    pub(super) fn in_turns(self) -> AnswerBody {
        match self {
            AnswerBody::Whole(whole) => AnswerBody::Whole(Whole { piece_bytes: PIECE_BYTES, ..whole }),
            AnswerBody::Streamed(_) => self,
        }
    }

    /// Returns true if it is made while it is sent: nobody else has a say in how it is coded.
    pub(super) fn is_streamed(&self) -> bool {
        matches!(self, AnswerBody::Streamed(_))
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> AnswerBody {
        AnswerBody::Whole(Whole { left: bytes, piece_bytes: usize::MAX, turn_bytes: 0 })
    }
}

impl Default for AnswerBody {
    fn default() -> AnswerBody {
        Bytes::new().into()
    }
}

/// A body in memory, or what is left of it.
pub(super) struct Whole {
    left: Bytes,
    piece_bytes: usize,
    /// What was handed over since others had their turn.
    turn_bytes: usize,
}

impl Whole {
    fn poll_piece(&mut self, context: &Context<'_>) -> Poll<Option<Bytes>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        if self.turn_bytes >= TURN_BYTES {
            self.turn_bytes = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = self.left.split_to(self.piece_bytes.min(self.left.len()));
        self.turn_bytes += piece.len();
        Poll::Ready(Some(piece))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        match self.get_mut() {
            AnswerBody::Whole(body) => body.poll_piece(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece)))),
            AnswerBody::Streamed(body) => Pin::new(&mut **body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Whole(body) => body.left.is_empty(),
            AnswerBody::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Whole(body) => SizeHint::with_exact(body.left.len() as u64),
            AnswerBody::Streamed(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn next(body: &mut AnswerBody) -> Poll<Option<usize>> {
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(body).poll_frame(&mut context).map(|frame| {
            let frame = frame?.expect("a body in memory does not fail");
            Some(frame.into_data().expect("it has no trailers").len())
        })
    }

    #[test]
    fn a_body_that_is_coded_lets_others_have_their_turns() {
        let mut body = AnswerBody::from(Bytes::from(vec![7; TURN_BYTES + 1])).in_turns();
        for _ in 0..TURN_BYTES / PIECE_BYTES {
            assert_eq!(next(&mut body), Poll::Ready(Some(PIECE_BYTES)));
        }
        assert_eq!(next(&mut body), Poll::Pending);
        assert_eq!((body.size_hint().exact(), next(&mut body)), (Some(1), Poll::Ready(Some(1))));
        assert_eq!((body.is_end_stream(), next(&mut body)), (true, Poll::Ready(None)));
    }

    #[test]
    fn a_body_that_goes_out_as_it_is_goes_out_at_once() {
        let mut body = AnswerBody::from(Bytes::from(vec![7; 2 * TURN_BYTES]));
        assert_eq!(next(&mut body), Poll::Ready(Some(2 * TURN_BYTES)));
        assert_eq!(next(&mut body), Poll::Ready(None));
    }
}
