//! One exchange: a request goes in, and the head of the answer comes out while the guest goes on.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use wasmtime::component::{Resource, TypedFunc};
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

use super::{Answer, Broken, Running, Silence, Stream};
use crate::error::CallError;

/// A request, and the place for its answer.
pub(crate) type HandleArguments = (Resource<HostIncomingRequest>, Resource<HostResponseOutparam>);

/// The function by which a request comes in.
pub(crate) type HandleFunction = TypedFunc<HandleArguments, ()>;

/// Where the guest puts its answer.
pub(crate) type Sender = oneshot::Sender<Result<Response<Stream>, ErrorCode>>;

/// What a guest is asked, and how it answers.
pub(crate) struct Request {
    pub(crate) request: http::Request<Stream>,
    pub(crate) sender: Sender,
    pub(crate) silence: Arc<Silence>,
}

/// Asks a component, which `call` calls, and returns once it has begun to answer.
///
/// # Errors
/// Those of the call, or [`CallError::NoAnswer`].
pub(crate) async fn serve<B>(
    request: http::Request<B>,
    silence: Silence,
    call: impl FnOnce(Request) -> Running,
) -> Result<Response<Answer>, CallError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
{
    let silence = Arc::new(silence);
    let listened = Arc::clone(&silence);
    let request = request.map(|body| Listened { body, silence: listened }.boxed_unsync());
    let (sender, mut answered) = oneshot::channel();
    let asked = Request { request, sender, silence: Arc::clone(&silence) };
    let mut call = call(asked);
    let (answer, call) = tokio::select! {
        biased;
        answer = &mut answered => match answer {
            Ok(answer) => (Ok(answer), Some(call)),
            // It cannot answer any more, and may have something to say yet.
            Err(closed) => {
                call.await?;
                (Err(closed), None)
            }
        },
        ended = &mut call => {
            ended?;
            (answered.await, None)
        }
    };
    let no_answer = |reason| CallError::NoAnswer { reason };
    let answer = answer.map_err(|_| no_answer("it returned without an answer".to_owned()))?;
    let answer = answer.map_err(|code| no_answer(format!("it answered with the error {code:?}")))?;
    Ok(answer.map(|body| Answer::new(body, call, silence)))
}

/// The body of a request, whose pieces are noted.
struct Listened<B> {
    body: B,
    silence: Arc<Silence>,
}

impl<B> Body for Listened<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if polled.is_pending() {
            this.silence.waits_for_client();
        }
        let frame = ready!(polled);
        this.silence.heard();
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|error| {
                tracing::debug!(%error, "body of a request broke off");
                Broken::ConnectionTerminated
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
