//! The body of an answer, which drives the guest that makes it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};

use super::{Silence, Stream};
use crate::error::CallError;

/// A call that goes on while its answer is sent.
pub(crate) type Running = BoxFuture<'static, Result<(), CallError>>;

/// A body that is asked for by whoever sends it on. Dropping it ends the call.
pub struct Answer {
    body: Stream,
    call: Option<Running>,
    /// How the call failed, once it has.
    failed: Option<CallError>,
    silence: Arc<Silence>,
    /// All of the body has been handed over.
    is_whole: bool,
}

impl Answer {
    /// Returns the body of the answer that a call makes; none: the call has ended already.
    pub(super) fn new(body: Stream, call: Option<Running>, silence: Arc<Silence>) -> Answer {
        Answer { body, call, failed: None, silence, is_whole: false }
    }

    /// Takes the call, if the guest goes on after its answer: it may, until its deadline. Whoever wants that polls the future to its
    /// end.
    pub fn take_rest(&mut self) -> Option<BoxFuture<'static, Result<(), CallError>>> {
        self.call.take()
    }

    /// Returns true once all of the body has been handed over.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("is_whole", &self.is_whole).finish_non_exhaustive()
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        let this = self.get_mut();
        loop {
            match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Until the next piece is asked for, it is the client that takes its time.
                    this.silence.hand_over();
                    return Poll::Ready(Some(Ok(frame)));
                }
                Poll::Ready(Some(Err(error))) => {
                    this.call = None;
                    let reason = format!("it gave its answer up: {error}");
                    return Poll::Ready(Some(Err(CallError::NoAnswer { reason })));
                }
                Poll::Ready(None) => {
                    // Without its guest the body just ends, as if it were whole.
                    if let Some(error) = this.failed.take() {
                        return Poll::Ready(Some(Err(error)));
                    }
                    this.is_whole = true;
                    return Poll::Ready(None);
                }
                Poll::Pending => {}
            }
            this.silence.taken();
            let Some(call) = &mut this.call else { return Poll::Pending };
            let ended = ready!(call.as_mut().poll(context));
            this.call = None;
            this.failed = ended.err();
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_whole
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
