//! Headers of answers that are our own, or that the library of HTTP does not know.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName};

/// The host id of the node that answers.
pub(super) static OWNER: HeaderName = HeaderName::from_static("x-steward-owner");
/// The epoch of the document, or the incarnation of the system group where there is none.
pub(super) static EPOCH: HeaderName = HeaderName::from_static("x-steward-epoch");
/// Up to where the copy is committed that has answered a read that any copy may answer: `<epoch>-<offset>`.
pub(super) static POSITION: HeaderName = HeaderName::from_static("x-steward-position");
/// The name of the node whose copy that is.
pub(super) static COPY: HeaderName = HeaderName::from_static("x-steward-copy");
/// What a reader has seen elsewhere, as the query parameter `atLeast`.
pub(super) const AT_LEAST: &str = "x-steward-at-least";
/// How many nodes shall hold an update before it is answered: a number, or all. Xenon's word.
pub(super) const WANTED: &str = "x-xenon-rpl-quorum";
/// The name of the request.
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Says that an answer is the first one under the same key.
pub(super) static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Says which preference of the client was followed.
pub(super) static PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Headers that a guest can set. All services answer from one origin, so whatever else there is, today or tomorrow, may speak for the
/// others too, or for the host.
pub(super) const FOR_GUESTS: [&str; 6] =
    ["content-language", "deprecation", "link", "retry-after", "sunset", "warning"];

/// Returns how many bytes a body is said to have; none if it is not said, or cannot be read.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
