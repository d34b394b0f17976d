//! Headers of our own that every answer carries.

use http::HeaderName;

/// The host id of the node that answers.
pub(super) static OWNER: HeaderName = HeaderName::from_static("x-steward-owner");
/// The epoch of the document, or the incarnation of the system group where there is none.
pub(super) static EPOCH: HeaderName = HeaderName::from_static("x-steward-epoch");
/// The name of the request.
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
