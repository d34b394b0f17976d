//! What is answered on the port of the API while a node waits for its group: that it waits, and what for.
//!
//! Nothing of a node that is not registered may be read or changed, but those who look must see why. Each connection gets one answer.

use std::convert::Infallible;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use steward_model::problem::{Kind, Problem};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::answer_body::AnswerBody;
use super::problem::{response_of, status_of};
use crate::shutdown::Shutdown;

/// Connections that may be answered at once.
const CONNECTIONS_MAX: usize = 64;

/// How long a connection may take to ask and to take the answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// How long to wait after the system refused to hand over a connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// After how many seconds to ask again.
const RETRY_SECONDS: u32 = 1;

/// What a node waits for. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting {
    words: Arc<Mutex<String>>,
}

impl Waiting {
    /// Says what the node waits for now.
    pub(crate) fn says(&self, words: String) {
        *self.words.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    fn words(&self) -> String {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers whoever connects, until the future is dropped.
    pub(crate) async fn serve(self, listener: &TcpListener, shutdown: &Shutdown) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let waiting = self.clone();
                    let answering = async move {
                        // Whoever takes longer asks again.
                        let _ = tokio::time::timeout(ANSWERED_WITHIN, waiting.answer(stream)).await;
                        drop(place);
                    };
                    drop(shutdown.run(answering));
                }
                Err(error) => {
                    tracing::debug!(%error, "connection not accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    async fn answer(self, stream: TcpStream) {
        let service =
            service_fn(|request: Request<Incoming>| ready(Ok::<_, Infallible>(self.response(request.uri().path()))));
        let connection = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
    }

    fn response(&self, path: &str) -> Response<AnswerBody> {
        if path == "/health/live" {
            return Response::new(AnswerBody::from(Bytes::from(json!({"status": "live"}).to_string())));
        }
        let words = self.words();
        let detail = format!("this node waits for its group: {words}");
        let problem = Problem::later(Kind::Unavailable, "starting", RETRY_SECONDS, detail);
        let mut document = problem.document();
        if path == "/health/ready" {
            document.insert("checks".to_owned(), json!([{"name": "group", "ok": false, "detail": words}]));
        }
        document.insert("instance".to_owned(), path.into());
        response_of(document, status_of(&problem), problem.retry)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn a_node_that_waits_says_what_for_and_lives() {
        let waiting = Waiting::default();
        waiting.says("no answer from a:1".to_owned());
        assert_eq!(waiting.response("/health/live").status().as_u16(), 200);
        let refusal = waiting.response("/core/examples");
        assert_eq!((refusal.status().as_u16(), &refusal.headers()[RETRY_AFTER]), (503, &HeaderValue::from(1)));
    }
}
