//! `/openapi.json`: what can be asked of this host, as a document of OpenAPI for programs that write clients, tests and pages.
//!
//! Problem: what a host serves depends on what is deployed on it, so nobody can write the document beforehand. A document that
//! says more than the host does is worse than none.
//!
//! Promise: the document is made of the descriptors of the services that are mounted now, and of the host's own paths. It has the
//! methods that a service takes, bodies by their schemas, and the statuses that requests meet. Two nodes that serve the same
//! answer with the same bytes. What the host checks anew in every request is the same that is described: the table of paths is
//! held against the router, parameters are those that the host reads, and an example is one that fits the schema.
//!
//! ```text
//! descriptors ─► bodies (schemas: guest_schemas) ─► services ─┐
//!                                                              ├─► paths ─► components: what they refer to
//! router, parameters ─► host_paths ────────────────────────────┘
//! ```
//!
//! Departures: HEAD and OPTIONS are answered wherever GET is, and not listed. What a handler of a guest answers is not in its
//! descriptor, so such an answer is the state or anything else. QUERY is described in version 3.2 only, which knows it. Links from what was
//! created to what can be asked of it name the last part of a path, for which OpenAPI has no word.
//!
//! Left out: event streams and subscriptions, which the host does not have; paths with several segments below a service without
//! documents, which no template of OpenAPI can name.

mod bodies;
mod components;
mod guest_schemas;
mod host_paths;
mod names;
mod operation;
mod references;
mod services;
mod version;

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Http;
use super::decode;
use super::encode::{self, Answer};
use super::error::Error;
use super::host_request::HostRequest;
use crate::failure;
use crate::service::Service;
use bodies::Described;
use components::Components;
use version::Version;

/// The query parameter that narrows the document to one service.
const FACTORY: &str = "factory";

/// What is said of every request and answer once.
const ABOUT: &str = "Small REST services made of WebAssembly components, and the host that keeps their state. HEAD and OPTIONS are \
                     answered wherever GET is. Every answer has the headers x-request-id, x-steward-owner and x-steward-epoch. \
                     Every refusal is application/problem+json.";

/// Writes the document.
///
/// # Errors
/// [`Error::Parameter`] for a version that is not written, or a factory that is not served, with the one that may have been meant;
/// [`Error::Overloaded`].
pub(super) async fn answer(http: &Arc<Http>, asked: &HostRequest) -> Result<Answer, Error> {
    let version = Version::wanted(decode::parameter(asked.query(), version::PARAMETER)?.as_deref())?;
    let mut services = http.operations().services().all();
    services.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let wanted = decode::parameter(asked.query(), FACTORY)?;
    if let Some(wanted) = &wanted {
        let is_wanted = |service: &Arc<Service>| service.path.as_str() == wanted;
        match services.iter().position(is_wanted) {
            Some(place) => services = vec![services.swap_remove(place)],
            None => return Err(unknown(wanted, &services)),
        }
    }
    let whole = wanted.is_none();
    let _under_way = http.under_way()?;
    // With many services that is work for milliseconds.
    let write = move || failure::contain(|| document(&services, whole, version).to_string());
    let text = tokio::task::spawn_blocking(write).await.map_err(|_| Error::Panicked)?;
    Ok(encode::bytes(StatusCode::OK, Bytes::from(text)))
}

fn unknown(wanted: &str, services: &[Arc<Service>]) -> Error {
    let far = |service: &Arc<Service>| strsim::damerau_levenshtein(service.path.as_str(), wanted);
    let nearest = services.iter().min_by_key(|service| far(service));
    let meant = nearest.map_or_else(|| "nothing is deployed".to_owned(), |near| format!("did you mean {}?", near.path));
    Error::Parameter { name: FACTORY, reason: format!("is {wanted:?}, which is not served here: {meant}") }
}

fn document(services: &[Arc<Service>], whole: bool, version: Version) -> Value {
    let mut components = Components::default();
    let (mut paths, mut tags) = (Map::new(), Vec::new());
    for service in services {
        let described = Described::new(service, &mut components);
        services::describe(&described, version, &mut components, &mut paths);
        tags.push(told(json!({ "name": service.path }), &service.descriptor().docs));
    }
    if whole {
        host_paths::describe(version, &mut paths);
        tags.extend(host_paths::TAGS.map(|(name, description)| json!({ "name": name, "description": description })));
    }
    let paths = Value::Object(paths);
    let components = components.of(&paths);
    json!({
        "openapi": version.number(),
        "info": info(services, whole),
        "servers": [{ "url": "/" }],
        "security": [],
        "tags": tags,
        "paths": paths,
        "components": components,
    })
}

/// Tells what the document is about: a service by its own words, or the host.
fn info(services: &[Arc<Service>], whole: bool) -> Value {
    match services {
        [service] if !whole => {
            let descriptor = service.descriptor();
            told(json!({ "title": descriptor.name, "version": descriptor.version }), &descriptor.docs)
        }
        _ => json!({
            "title": "steward",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        }),
    }
}

/// Adds a description if there is one: an empty text is none.
fn told(mut what: Value, description: &str) -> Value {
    if !description.is_empty() {
        what["description"] = description.into();
    }
    what
}
