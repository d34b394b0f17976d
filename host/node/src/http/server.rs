//! The server: connections, and what is done to every request and response alike.
//!
//! HTTP/1.1 and HTTP/2 (with prior knowledge) are served on one port. [`super::connection`] decides which connections
//! there may be. Compression and the rules for other web origins are those of tower-http; a request that needs neither
//! does not pass through them.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::header::{ACCEPT_ENCODING, CONNECTION, ORIGIN};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::Either;
use hyper::body::{Body, Incoming};
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::{Builder, Connection, HttpServerConnExec};
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt};
use tower_http::CompressionLevel;
use tower_http::compression::{Compression, CompressionBody};
use tower_http::cors::CorsLayer;

use super::answer_body::AnswerBody;
use super::coding::{self, Coding, Wish};
use super::connection::{Answering, Order, Talk, Verdict, Watched};
use super::encode::Answer;
use super::error::Error;
use super::held::Held;
use super::{Http, exchange, headers, problem};
use crate::shutdown::Shutdown;
use crate::telemetry::metrics as telemetry;

/// How long to wait after the system refused to hand over a connection, for want of file descriptors mostly.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// How long a connection that was asked to leave may stay without a request under way.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);

/// How long a connection that gets no place may take to ask and to take the refusal.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

/// Streams of one HTTP/2 connection that may be open at once.
const STREAMS_MAX: u32 = 256;

/// Responses of fewer bytes are never compressed.
const COMPRESSED_BYTES_MIN: u64 = 1024;

/// Answers of fewer bytes are not counted: as many as there are connections hold less than one large one.
const COUNTED_BYTES_MIN: usize = 64 * 1024;

/// A POST there changes nothing.
const QUERY_TASKS: &str = "/core/query-tasks";

type ResponseBody = Either<AnswerBody, CompressionBody<AnswerBody>>;

/// Runs what the connections start for themselves; a panic in there is the trouble of one client.
#[derive(Clone)]
struct Tasks(Shutdown);

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        // The connection is told of the end of its tasks in a way of its own.
        drop(self.0.run(task));
    }
}

impl Http {
    /// Answers the clients of `listener` until the host drains, and then those that are connected until they have their
    /// answers, or the host stops.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let shutdown = self.parts.shutdown.clone();
        let mut builder = Builder::new(Tasks(shutdown.clone()));
        // Whoever stays silent is noticed by `attend`; a timer of each request would cost as much as reading its head.
        builder.http1().header_read_timeout(None);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
        let builder = Arc::new(builder);
        loop {
            let doorstep = tokio::select! {
                () = shutdown.draining() => break,
                doorstep = self.connections.doorstep() => doorstep,
            };
            let stream = tokio::select! {
                () = shutdown.draining() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        not_accepted(&error).await;
                        continue;
                    }
                },
            };
            // It makes answers quicker, and a client that has gone again needs none.
            let _ = stream.set_nodelay(true);
            let (http, builder) = (Arc::clone(&self), Arc::clone(&builder));
            drop(shutdown.run(async move {
                match http.connections.place().await {
                    Some(place) => {
                        drop(doorstep);
                        let talk = Arc::clone(&place.talk);
                        http.converse(stream, &builder, talk).await;
                        drop(place);
                    }
                    None => http.refuse(stream, &builder).await,
                }
            }));
        }
        drop(listener);
        self.connections.tell_all(Order::Leave);
        tokio::select! {
            () = self.connections.ended() => {}
            () = shutdown.stopping() => self.connections.tell_all(Order::Drop),
        }
    }

    /// Serves one connection to its end.
    async fn converse(self: Arc<Self>, stream: TcpStream, builder: &Builder<Tasks>, talk: Arc<Talk>) {
        let (idle_span, asking) = (self.parts.bounds.idle_span, Arc::clone(&talk));
        // A connection that has no address any more is gone.
        let Ok(local) = stream.local_addr() else { return };
        let service = service_fn(move |request| {
            let (http, asked) = (Arc::clone(&self), asking.asked());
            async move {
                let (response, held) = http.respond(request, local.ip()).await;
                Ok::<_, Infallible>(response.map(|body| Answering::new(body, &asked, held)))
            }
        });
        let stream = TokioIo::new(Watched::new(stream, Arc::clone(&talk)));
        let connection = std::pin::pin!(builder.serve_connection(stream, service));
        attend(connection, &talk, idle_span).await;
    }

    /// Tells a client that there is no place for it.
    async fn refuse(self: Arc<Self>, stream: TcpStream, builder: &Builder<Tasks>) {
        telemetry::connection_refused();
        let talk = self.connections.stranger();
        let asking = Arc::clone(&talk);
        let service = service_fn(move |request: Request<Incoming>| {
            let (asked, error) = (asking.asked(), Error::Crowded { max: self.connections.max() });
            let mut refusal = problem::respond(&self, &error, request.uri().path(), "");
            refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            ready(Ok::<_, Infallible>(refusal.map(|body| Answering::new(body, &asked, None))))
        });
        let stream = TokioIo::new(Watched::new(stream, talk));
        // Whoever has not even asked by then is not told.
        let _ = tokio::time::timeout(REFUSED_WITHIN, builder.serve_connection(stream, service)).await;
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        local: IpAddr,
    ) -> (Response<ResponseBody>, Option<Held>) {
        let wish = Wish::of(request.headers());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let answer = match &self.cors {
            Some(cors) if request.headers().contains_key(ORIGIN) => {
                answer_foreign(&self, cors, request, &uri, local).await
            }
            Some(_) | None => exchange::answer(&self, request, &uri, local).await,
        };
        let (answer, held) = self.counted(answer, &method, uri.path());
        (in_coding(&wish, &method, answer).await, held)
    }

    /// Counts what a large answer holds until its client has taken it. One that there is no room for is refused, unless it tells of an
    /// update that has happened.
    fn counted(&self, answer: Answer, method: &Method, path: &str) -> (Answer, Option<Held>) {
        let bytes = usize::try_from(answer.body().size_hint().lower()).unwrap_or(usize::MAX);
        if bytes < COUNTED_BYTES_MIN {
            return (answer, None);
        }
        let mut held = self.answers.nothing();
        if !(matches!(*method, Method::GET | Method::HEAD) || path == QUERY_TASKS) {
            held.anyway(bytes);
            return (answer, Some(held));
        }
        match held.more(bytes) {
            Ok(()) => (answer, Some(held)),
            Err(error) => {
                telemetry::answer_refused();
                let id = answer.headers().get(&headers::REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
                (problem::respond(self, &error, path, id), None)
            }
        }
    }
}

/// Lets a connection talk until it ends, or has said or taken nothing for `span`.
async fn attend<I, S, B>(mut connection: Pin<&mut Connection<'_, I, S, Tasks>>, talk: &Talk, span: Duration)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>>,
    S::Future: 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Tasks: HttpServerConnExec<S::Future, B>,
{
    // Once the connection was asked to leave it may be silent for a shorter span.
    let mut leaving = false;
    let mut wait = span;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            order = talk.told() => match order {
                Order::Stay => {}
                Order::Leave => {
                    connection.as_mut().graceful_shutdown();
                    leaving = true;
                    wait = LEAVES_WITHIN;
                }
                Order::Drop => return,
            },
            () = tokio::time::sleep(wait) => match talk.judge(if leaving { LEAVES_WITHIN } else { span }, span) {
                Verdict::Wait(longer) => wait = longer,
                Verdict::Silent if !leaving => {
                    telemetry::connection_silent();
                    connection.as_mut().graceful_shutdown();
                    // Whoever says nothing may not say goodbye either.
                    leaving = true;
                    wait = LEAVES_WITHIN;
                }
                Verdict::Silent => return,
                Verdict::Stuck => {
                    telemetry::connection_silent();
                    tracing::debug!(seconds = span.as_secs(), "connection ended: its client takes nothing");
                    return;
                }
            },
        }
    }
}

/// Takes note that the system handed over no connection, and waits if that will be so for a while.
async fn not_accepted(error: &io::Error) {
    let short = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    if Errno::from_io_error(error).is_some_and(|errno| short.contains(&errno)) {
        // It passes when connections end; clients wait in the backlog of the listening socket until then.
        telemetry::accept_short();
        tracing::debug!(%error, "connections are not accepted for now");
        tokio::time::sleep(ACCEPT_AGAIN).await;
    } else {
        tracing::debug!(%error, "connection not accepted");
        tokio::task::yield_now().await;
    }
}

/// Answers a page of another web origin. Boxed to keep the future of a plain request small.
fn answer_foreign<'a>(
    http: &'a Arc<Http>,
    cors: &CorsLayer,
    request: Request<Incoming>,
    uri: &'a Uri,
    local: IpAddr,
) -> BoxFuture<'a, Answer> {
    let inner = tower::service_fn(move |request| async move {
        Ok::<_, Infallible>(exchange::answer(http, request, uri, local).await)
    });
    let answered = cors.layer(inner).oneshot(request);
    Box::pin(async {
        let Ok(answer) = answered.await;
        answer
    })
}

/// Returns the answer in the coding that the client takes, if it is worth that.
async fn in_coding(wish: &Wish, method: &Method, mut answer: Answer) -> Response<ResponseBody> {
    if answer.body().is_streamed() {
        return answer.map(Either::Left);
    }
    if answer.status() == StatusCode::NOT_MODIFIED {
        wish.tag_unchanged(answer.headers_mut());
        coding::vary(answer.headers_mut());
    }
    let is_head = *method == Method::HEAD;
    let bytes = if is_head {
        headers::content_length(answer.headers()).unwrap_or(0)
    } else {
        answer.body().size_hint().lower()
    };
    if bytes < COMPRESSED_BYTES_MIN {
        return answer.map(Either::Left);
    }
    coding::vary(answer.headers_mut());
    match wish.coding {
        None => answer.map(Either::Left),
        Some(coding) if is_head => {
            coding::describe_coded(answer.headers_mut(), coding);
            answer.map(Either::Left)
        }
        Some(coding) => {
            coding::tag_coded(answer.headers_mut(), coding);
            compressed(coding, answer).await
        }
    }
}

fn compressed(coding: Coding, answer: Answer) -> BoxFuture<'static, Response<ResponseBody>> {
    let mut asked = Request::new(());
    asked.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(coding.name()));
    let mut answer = Some(answer.map(AnswerBody::in_turns));
    let inner = tower::service_fn(move |_| ready(Ok::<_, Infallible>(answer.take().expect("one request is one call"))));
    let compression = Compression::new(inner).quality(CompressionLevel::Fastest);
    // Whether it is worth it has been decided.
    let compressing = compression.compress_when(always).oneshot(asked);
    Box::pin(async {
        let Ok(response) = compressing.await;
        response.map(Either::Right)
    })
}

fn always(_: StatusCode, _: Version, _: &HeaderMap, _: &Extensions) -> bool {
    true
}
