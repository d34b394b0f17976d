//! The body of a request while it arrives.
//!
//! A request may be refused before its body was read. If the connection were closed then, a client that sends
//! everything before it reads would never see the answer (RFC 9112, section 9.6). So the rest of the body is read and
//! dropped, and the connection serves the next request. HTTP/2 has a signal of its own for this (RFC 9113, section
//! 8.1).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http::header::EXPECT;
use http::request::Parts;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;

use super::Http;

/// Longest time for which a body is taken in that nobody reads.
const DISCARD_WITHIN: Duration = Duration::from_secs(30);

/// Longest time between two pieces of a body that nobody reads.
const PIECE_WITHIN: Duration = Duration::from_secs(5);

/// A body of which nothing is left in the connection when this is dropped, unless its client is too slow.
#[derive(Default)]
pub(super) struct Arriving {
    body: Option<Incoming>,
    /// Whoever discards what is not read; nobody for a body that is not there or must not be asked for.
    discarding: Option<Arc<Http>>,
    /// The client sends nothing before it is asked, and it is asked by reading.
    withheld: Option<Withheld>,
}

/// A body whose client asks whether to send it.
#[derive(Clone)]
pub(super) struct Withheld(Arc<AtomicBool>);

impl Withheld {
    /// Returns true if the client has not been asked for it.
    pub(super) fn remains(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Arriving {
    /// Returns the body of a request with these `parts`.
    pub(super) fn new(http: &Arc<Http>, parts: &Parts, body: Incoming) -> Arriving {
        let remains = !body.is_end_stream() && parts.version < Version::HTTP_2;
        let discarding = remains.then(|| Arc::clone(http));
        let withheld = remains && parts.headers.contains_key(EXPECT);
        let withheld = withheld.then(|| Withheld(Arc::new(AtomicBool::new(true))));
        Arriving { body: Some(body), discarding, withheld }
    }

    /// Returns what tells, also when this is gone, whether the body still waits to be asked for; nothing if it does not wait.
    pub(super) fn withheld(&self) -> Option<Withheld> {
        self.withheld.clone()
    }

    /// Returns true if the client has not been asked for the body, and sends none before that.
    pub(super) fn is_withheld(&self) -> bool {
        self.withheld.as_ref().is_some_and(Withheld::remains)
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if let Some(withheld) = &this.withheld {
            withheld.0.store(false, Ordering::Relaxed);
        }
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            this.discarding = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let (Some(body), Some(http)) = (self.body.take(), self.discarding.take()) else { return };
        // A runtime that ends drops its connections where no task can be started, and nobody waits for answers.
        if !body.is_end_stream() && !self.is_withheld() && Handle::try_current().is_ok() {
            let shutdown = http.parts.shutdown.clone();
            http.parts.shutdown.spawn("unread body", async move {
                tokio::select! {
                    _ = tokio::time::timeout(DISCARD_WITHIN, discard(body)) => {}
                    () = shutdown.stopping() => {}
                }
            });
        }
    }
}

/// Reads to the end, to the first fault, or until the client makes a pause.
async fn discard(mut body: Incoming) {
    while let Ok(Some(Ok(_))) = tokio::time::timeout(PIECE_WITHIN, body.frame()).await {}
}
