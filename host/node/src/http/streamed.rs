//! The body of an HTTP component's answer while it is sent: it drives the component, and ends its call when the client hangs up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use steward_sandbox::{Answer, CallError};

use super::face::UnderWay;
use crate::service::Service;

pub(super) struct Streamed {
    guest: Answer,
    /// How many bytes are still to come, if the component has said how many there are.
    left: Option<u64>,
    service: Arc<Service>,
    under_way: UnderWay,
}

impl Streamed {
    /// Returns the body of what a component answers; `left` is how many bytes it has, if that is known.
    pub(super) fn new(guest: Answer, left: Option<u64>, service: Arc<Service>, under_way: UnderWay) -> Streamed {
        Streamed { guest, left, service, under_way }
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        let this = self.get_mut();
        let polled = ready!(Pin::new(&mut this.guest).poll_frame(context));
        match &polled {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                this.left = this.left.map(|left| left.saturating_sub(bytes));
            }
            Some(Err(error)) => {
                let (service, code) = (&this.service.path, error.code());
                tracing::warn!(%service, code, %error, "answer of an HTTP component broke off");
            }
            None => {}
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.guest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.guest.size_hint()
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        let is_sent = self.guest.is_whole() || self.left == Some(0);
        // A runtime that ends drops its connections where no task can be started.
        if !is_sent || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let Some(rest) = self.guest.take_rest() else { return };
        let (service, shutdown) = (Arc::clone(&self.service), self.under_way.shutdown().clone());
        shutdown.clone().spawn("rest of an exchange", async move {
            tokio::select! {
                ended = rest => if let Err(error) = ended {
                    tracing::warn!(service = %service.path, %error, "HTTP component failed after its answer");
                },
                () = shutdown.stopping() => {}
            }
        });
    }
}
