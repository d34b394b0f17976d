//! The host's own services, one file each: what Xenon has at these paths, and what steward adds.

mod factories;
mod health;
mod management;
mod metrics;
mod modules;
mod node_group;
mod node_selector;
mod partitions;
mod query_tasks;
mod root;

use std::sync::Arc;

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Http;
use super::decode;
use super::encode::{self, Answer};
use super::error::Error;
use super::host_request::HostRequest;
use super::route::Infrastructure;

/// Methods of services that only tell.
const READ_ONLY: &str = "GET, HEAD, OPTIONS";

/// Answers a request for one of the host's own services.
///
/// # Errors
/// [`Error`] says why the request is not answered as asked.
pub(super) async fn answer(http: &Arc<Http>, place: Infrastructure<'_>, asked: HostRequest) -> Result<Answer, Error> {
    match place {
        Infrastructure::Root => root::answer(http, &asked),
        Infrastructure::Management => management::answer(http, asked).await,
        Infrastructure::Synchronization => management::synchronization(http, &asked),
        Infrastructure::NodeGroups => folder(http, &asked, &["/core/node-groups/default"]),
        Infrastructure::NodeGroup => node_group::answer(http, asked).await,
        Infrastructure::NodeSelectors => folder(http, &asked, &["/core/node-selectors/default"]),
        Infrastructure::NodeSelector => node_selector::answer(http, asked).await,
        Infrastructure::Nodes => node_group::nodes(http, &asked),
        Infrastructure::Node(id) => node_group::node(http, &asked, id),
        Infrastructure::Partitions => partitions::answer(http, &asked).await,
        Infrastructure::Modules => modules::answer(http, asked).await,
        Infrastructure::Module(digest) => modules::one(http, asked, digest).await,
        Infrastructure::Factories => factories::answer(http, asked).await,
        Infrastructure::Factory(path) => factories::one(http, asked, path).await,
        Infrastructure::QueryTasks => query_tasks::answer(http, asked).await,
        Infrastructure::QueryPage => query_tasks::page(http, &asked).await,
        Infrastructure::Live => health::live(&asked),
        Infrastructure::Ready => health::ready(http, &asked),
        Infrastructure::Startup => health::startup(http, &asked),
        Infrastructure::Metrics => metrics::answer(http, &asked),
        Infrastructure::Nothing => {
            let path = asked.path().to_owned();
            Err(Error::NoSuchPath { nearest: folder_of(&path), path })
        }
    }
}

fn folder_of(path: &str) -> Option<String> {
    let second = path.match_indices('/').nth(2).map_or(path.len(), |(at, _)| at);
    path.starts_with("/core/").then(|| path[..second].to_owned())
}

fn folder(http: &Http, asked: &HostRequest, links: &[&str]) -> Result<Answer, Error> {
    if !asked.reads() {
        return asked.other(READ_ONLY);
    }
    let links = links.iter().map(|link| (*link).to_owned()).collect();
    Ok(encode::json(StatusCode::OK, &list(http, links, None)))
}

/// Returns a list in the shape in which Xenon lists children, with the documents if they are wanted.
fn list(http: &Http, links: Vec<String>, documents: Option<Map<String, Value>>) -> Value {
    let mut list = Map::new();
    let count = links.len();
    list.insert("documentLinks".to_owned(), links.into());
    if let Some(documents) = documents {
        list.insert("documents".to_owned(), documents.into());
    }
    list.insert("documentCount".to_owned(), count.into());
    for zero in ["documentVersion", "documentUpdateTimeMicros", "documentExpirationTimeMicros"] {
        list.insert(zero.to_owned(), 0.into());
    }
    list.insert("documentOwner".to_owned(), http.owner_name().into());
    list.into()
}

/// Returns true if the client wants the documents of a list too.
fn expands(asked: &HostRequest) -> Result<bool, Error> {
    let query = asked.query();
    Ok(decode::parameter(query, "expand")?.is_some() || decode::parameter(query, "$expand")?.is_some())
}

/// Reads the JSON body of a request to the host.
///
/// # Errors
/// [`Error`] if the body is missing, no JSON, or of another shape.
async fn body<T: DeserializeOwned>(http: &Http, asked: HostRequest) -> Result<T, Error> {
    let body = asked.json(http).await?;
    if body.is_empty() {
        return Err(Error::Body("is missing: send a JSON object".to_owned()));
    }
    let refused = |error| Error::Body(format!("has the wrong shape: {error}"));
    serde_json::from_slice(&body).map_err(refused)
}

/// Returns the last part of the kind of a request: clients of Xenon send the whole class name.
fn short_kind(kind: &str) -> &str {
    kind.rsplit(':').next().unwrap_or(kind)
}

/// Adds the fields that documents of the host have in common.
fn with_built_in(http: &Http, mut document: Value, link: &str, kind: &str) -> Value {
    let built_in = json!({
        "documentVersion": 0,
        "documentKind": kind,
        "documentSelfLink": link,
        "documentUpdateTimeMicros": http.operations().clock().wall_time().0,
        "documentExpirationTimeMicros": 0,
        "documentOwner": http.owner_name(),
    });
    if let (Value::Object(document), Value::Object(built_in)) = (&mut document, built_in) {
        for (name, value) in built_in {
            document.entry(name).or_insert(value);
        }
    }
    document
}
