//! The HTTP face of a node: requests become operations, replies become responses.
//!
//! Problem: clients of Xenon know its paths, shapes and words; all other clients expect what the HTTP standards say.
//! Both must hold at once, and a GET of a document must not cost much more than a bare server would.
//!
//! Promise: no request breaks the node. What is too large, too late, malformed or unknown is refused with a problem
//! document that says how to mend it. Statuses of failures come from one table, that of kinds in
//! `steward_model::problem`. A request runs as an operation of its own, so a client that hangs up changes nothing.
//!
//! ```text
//! server ─► strangers ─► route ─┬─► infrastructure   /, /core/management, /core/factories, /health/ready, …, /openapi.json
//!                                ├─► utility          …/stats, …/config, …/available, …/template, …/history, …/effects
//!                                ├─► listing          GET of a factory
//!                                ├─► component        HTTP components, whose bodies stream
//!                                └─► decode ─► Operations::submit ─► encode
//! ```
//!
//! Departures: an `ETag` names the record that made a state and not the bytes of the answer, because updates need it
//! that way. A compressed answer has the same tag with a suffix.
//!
//! Left out: subscriptions and server-sent events, TLS, authorization.

mod answer_body;
mod arriving;
mod body;
mod coding;
mod collect;
mod component;
mod connection;
mod cors;
mod decode;
mod decompress;
mod encode;
mod error;
mod exchange;
mod expectation;
mod face;
mod freshness;
mod head;
mod headers;
mod held;
mod host_request;
mod infrastructure;
mod listing;
mod methods;
mod no_method;
mod openapi;
mod parameters;
mod preference;
mod problem;
mod request_id;
mod route;
mod server;
mod strangers;
mod streamed;
mod utility;
mod waiting;

pub(crate) use face::{Bounds, Http, Names, Parts};
pub use head::describe as describe_head;
pub use utility::fullest_body;
pub(crate) use waiting::Waiting;
