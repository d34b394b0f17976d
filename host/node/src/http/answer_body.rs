//! Bodies of answers: in memory as a whole, or made while they are sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use steward_sandbox::CallError;

use super::streamed::Streamed;

/// The body of an answer.
pub(super) enum AnswerBody {
    /// What the host answers, and services.
    Whole(Full<Bytes>),
    /// What an HTTP component answers.
    Streamed(Box<Streamed>),
}

impl AnswerBody {
    /// Returns true if it is made while it is sent: nobody else has a say in how it is coded.
    pub(super) fn is_streamed(&self) -> bool {
        matches!(self, AnswerBody::Streamed(_))
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> AnswerBody {
        AnswerBody::Whole(Full::new(bytes))
    }
}

impl Default for AnswerBody {
    fn default() -> AnswerBody {
        Bytes::new().into()
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        match self.get_mut() {
            AnswerBody::Whole(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            AnswerBody::Streamed(body) => Pin::new(&mut **body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Whole(body) => body.is_end_stream(),
            AnswerBody::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Whole(body) => body.size_hint(),
            AnswerBody::Streamed(body) => body.size_hint(),
        }
    }
}
