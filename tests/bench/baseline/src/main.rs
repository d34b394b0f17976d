//! What a user would write instead of a service on this host: axum in front of SQLite, in its best reasonable form.
//!
//! Problem: a rate says little without the rate of what one would build by hand. Promise: the same documents at the same links,
//! with a version each and the last hundred versions kept, fsynced before every answer; one writer that commits what waits
//! together, since SQLite has one writer at a time and an fsync costs more than a hundred statements; readers in the
//! thread of the request; prepared statements, and the allocator that the host has.
//!
//! ```text
//! steward-bench-baseline FILE     serves until standard input ends, says its address on standard output
//! ```
//!
//! Left out: everything else that the host does (guests, preconditions, queries, digests, effects, replication).

mod store;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use writer::{Change, Refusal, Writer};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the handlers share.
struct Service {
    file: PathBuf,
    writer: Writer,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = PathBuf::from(std::env::args_os().nth(1).ok_or("say in which file the documents are kept")?);
    let writer = Writer::start(&file)?;
    std::thread::Builder::new().name("starter".to_owned()).spawn(|| {
        // Nothing comes; the end of it is the news.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(Service { file, writer }))
}

async fn serve(service: Service) -> Result<(), Box<dyn std::error::Error>> {
    let routes = Router::new()
        .route("/core/examples", post(create))
        .route("/core/examples/{name}", get(read).patch(change))
        .with_state(Arc::new(service));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    use axum::serve::ListenerExt as _;
    // As the host does: an answer is not held back for a larger packet.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, routes).await?)
}

fn answer(outcome: Result<Bytes, Refusal>, done: StatusCode) -> Response {
    match outcome {
        Ok(document) => {
            let mut response = (done, document).into_response();
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(Refusal::NotFound) => StatusCode::NOT_FOUND.into_response(),
        Err(Refusal::Malformed) => StatusCode::BAD_REQUEST.into_response(),
        Err(Refusal::Exists) => StatusCode::CONFLICT.into_response(),
        Err(Refusal::Disk(error)) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}

async fn create(State(service): State<Arc<Service>>, body: Bytes) -> Response {
    answer(service.writer.write(Change::Create { body }).await, StatusCode::CREATED)
}

async fn change(State(service): State<Arc<Service>>, Path(name): Path<String>, body: Bytes) -> Response {
    answer(service.writer.write(Change::Merge { name, body }).await, StatusCode::OK)
}

async fn read(State(service): State<Arc<Service>>, Path(name): Path<String>) -> Response {
    answer(store::read(&service.file, &name), StatusCode::OK)
}
