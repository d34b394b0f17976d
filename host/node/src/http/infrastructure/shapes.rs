//! Shapes that several of the host's own services use for requests and answers.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use steward_model::strict;

use crate::http::Http;
use crate::http::decode;
use crate::http::error::Error;
use crate::http::host_request::HostRequest;

/// Returns a list in the shape in which Xenon lists children, with the documents if they are wanted.
pub(super) fn list(http: &Http, links: Vec<String>, documents: Option<Map<String, Value>>) -> Value {
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
///
/// # Errors
/// [`Error::Parameter`] if it says neither yes nor no.
pub(super) fn expands(asked: &HostRequest) -> Result<bool, Error> {
    let query = asked.query();
    Ok(decode::is_set(query, "expand")? | decode::is_set(query, "$expand")?)
}

/// Reads the JSON body of a request to the host.
///
/// # Errors
/// [`Error`] if the body is missing, no JSON, or of another shape.
pub(super) async fn body<T: DeserializeOwned>(http: &Http, mut asked: HostRequest) -> Result<T, Error> {
    let body = asked.json(http).await?;
    if body.is_empty() {
        return Err(Error::Body("is missing: send a JSON object".to_owned()));
    }
    Ok(strict::from_slice(&body)?)
}

/// Most bytes of the words that are kept with a change.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Returns why the words of a change are not kept, if they are too many: each revision has them, on every node.
pub(super) fn too_many_words(message: &str) -> Option<String> {
    let bytes = message.len();
    (bytes > MESSAGE_BYTES_MAX)
        .then(|| format!("has {bytes} bytes, at most {MESSAGE_BYTES_MAX} are kept with a change"))
}

/// Returns the query parameter `message`; empty if there is none.
///
/// # Errors
/// [`Error::Parameter`] if it is too long or cannot be read.
pub(super) fn message(query: &str) -> Result<String, Error> {
    let message = decode::parameter(query, "message")?.unwrap_or_default().into_owned();
    match too_many_words(&message) {
        Some(reason) => Err(Error::Parameter { name: "message", reason }),
        None => Ok(message),
    }
}

/// Returns true if a request is of this kind: clients of Xenon send the whole class name.
pub(super) fn is_kind(said: Option<&str>, short: &str) -> bool {
    said.is_some_and(|kind| kind.rsplit(':').next() == Some(short))
}

/// Returns the refusal of a request of no kind, or of another one than is `offered`.
pub(super) fn other_kind(said: Option<&str>, offered: &str) -> Error {
    let said = said.map_or_else(|| "is missing".to_owned(), |kind| format!("is {kind:?}"));
    Error::Field { pointer: "/kind".to_owned(), reason: format!("{said}: offered is {offered}") }
}

/// Adds the fields that documents of the host have in common.
pub(super) fn with_built_in(http: &Http, mut document: Value, link: &str, kind: &str) -> Value {
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
