//! The HTTP face of a node: requests become operations, replies become responses.
//!
//! Problem: clients of Xenon know its paths, shapes and words; everybody else expects what the HTTP standards say. Both
//! hold at once, and a GET of a document must not cost much more than a bare server would.
//!
//! Promise: what a client sends never breaks the node: too large, too late, malformed or unknown is refused with a problem
//! document that says how to mend it. One file (`error.rs`) knows statuses of failures. What a client asks runs as an
//! operation of its own: a client that hangs up changes nothing.
//!
//! ```text
//! server ─► route ─┬─► infrastructure   /, /core/management, /core/factories, /health/ready, …
//!                  ├─► utility          …/stats, …/config, …/available, …/template, …/history
//!                  ├─► listing          GET of a factory
//!                  └─► decode ─► Operations::submit ─► encode
//! ```
//!
//! Departures: an `ETag` names the record that made a state, not its bytes, so it is the same with and without compression:
//! updates need it that way. Left out: subscriptions and server-sent events, TLS, authorization, OpenAPI.

mod arriving;
mod body;
mod connection;
mod cors;
mod decode;
mod encode;
mod error;
mod exchange;
mod face;
mod head;
mod headers;
mod held;
mod host_request;
mod infrastructure;
mod listing;
mod problem;
mod request_id;
mod route;
mod server;
mod utility;
mod waiting;

pub(crate) use face::{Http, Parts};
pub use head::describe as describe_head;
pub(crate) use waiting::Waiting;
