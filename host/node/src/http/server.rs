//! The server: connections, and what is done to every request and response alike.
//!
//! HTTP/1.1 and HTTP/2 (with prior knowledge) on one port. Compression and the rules for foreign web origins are
//! tower-http's; a request that asks for neither does not pass through them.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT_ENCODING, ETAG, LOCATION, ORIGIN, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{Either, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, ServiceExt};
use tower_http::CompressionLevel;
use tower_http::compression::predicate::SizeAbove;
use tower_http::compression::{Compression, CompressionBody};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::encode::{self, Answer};
use super::{Http, exchange};

/// Longest time between the opening of a connection, or the last response, and the end of the next request's headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(60);

/// How long to wait after the system refused to hand over a connection, for want of file descriptors mostly.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Most connections open at once; more wait in the backlog of the listening socket.
const CONNECTIONS_MAX: usize = 16 * 1024;

/// Streams of one HTTP/2 connection that may be open at once.
const STREAMS_MAX: u32 = 256;

/// Responses of fewer bytes are never compressed.
const COMPRESSED_BYTES_MIN: u64 = 1024;

/// How long a browser may remember what foreign origins may do.
const CORS_MAX_AGE: Duration = Duration::from_secs(600);

type ResponseBody = Either<Full<Bytes>, CompressionBody<Full<Bytes>>>;

impl Http {
    /// Answers the clients of `listener` until the host drains, and then those that are connected until they have their
    /// answers, or the host stops.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
        let builder = Arc::new(builder);
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let graceful = GracefulShutdown::new();
        let shutdown = self.parts.shutdown.clone();
        loop {
            let accepted = tokio::select! {
                () = shutdown.draining() => break,
                accepted = accept(&listener, &connections) => accepted,
            };
            let (stream, place) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "connection not accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            let (http, builder, watcher) = (Arc::clone(&self), Arc::clone(&builder), graceful.watcher());
            shutdown.spawn("connection", async move {
                let stopping = http.parts.shutdown.clone();
                let service = service_fn(move |request| {
                    let http = Arc::clone(&http);
                    async move { Ok::<_, Infallible>(http.respond(request).await) }
                });
                let connection = watcher.watch(builder.serve_connection(TokioIo::new(stream), service));
                tokio::select! {
                    ended = connection => {
                        if let Err(error) = ended {
                            tracing::debug!(%error, "connection ended");
                        }
                    }
                    () = stopping.stopping() => {}
                }
                drop(place);
            });
        }
        drop(listener);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = shutdown.stopping() => {}
        }
    }

    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Response<ResponseBody> {
        let accepted = request.headers().get(ACCEPT_ENCODING).cloned();
        let answer = match &self.cors {
            Some(cors) if request.headers().contains_key(ORIGIN) => answer_foreign(&self, cors, request).await,
            Some(_) | None => exchange::answer(&self, request).await,
        };
        match accepted {
            Some(accepted) if answer.body().size_hint().lower() >= COMPRESSED_BYTES_MIN => {
                compressed(accepted, answer).await
            }
            Some(_) | None => answer.map(Either::Left),
        }
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, Option<OwnedSemaphorePermit>)> {
    // The semaphore is never closed; without a permit the connection would merely not be counted.
    let place = Arc::clone(connections).acquire_owned().await.ok();
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

/// Answers a page of another web origin. Boxed, as all that is rare: the future of a plain request stays small.
fn answer_foreign<'a>(http: &'a Arc<Http>, cors: &CorsLayer, request: Request<Incoming>) -> BoxFuture<'a, Answer> {
    let inner = tower::service_fn(|request| async { Ok::<_, Infallible>(exchange::answer(http, request).await) });
    let answered = cors.layer(inner).oneshot(request);
    Box::pin(async {
        let Ok(answer) = answered.await;
        answer
    })
}

fn compressed(accepted: HeaderValue, answer: Answer) -> BoxFuture<'static, Response<ResponseBody>> {
    let mut asked = Request::new(());
    asked.headers_mut().insert(ACCEPT_ENCODING, accepted);
    let mut answer = Some(answer);
    let inner = tower::service_fn(move |_| ready(Ok::<_, Infallible>(answer.take().expect("one request is one call"))));
    let compression = Compression::new(inner).quality(CompressionLevel::Fastest);
    let compressing = compression.compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN)).oneshot(asked);
    Box::pin(async {
        let Ok(response) = compressing.await;
        response.map(Either::Right)
    })
}

/// Returns the rules for pages of other web origins; none: they may not call.
pub(super) fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let listed = || origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let allowed =
        if origins.iter().any(|origin| origin == "*") { AllowOrigin::any() } else { AllowOrigin::list(listed()) };
    let methods =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let exposed =
        [ETAG, LOCATION, RETRY_AFTER, encode::OWNER.clone(), encode::EPOCH.clone(), encode::REQUEST_ID.clone()];
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods(methods)
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(exposed)
            .max_age(CORS_MAX_AGE),
    )
}
