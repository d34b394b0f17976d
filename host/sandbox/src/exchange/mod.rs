//! Components of `wasi:http`: they answer requests of HTTP themselves, with bodies that stream both ways.
//!
//! Problem: such a component was made for any host of the world `wasi:http/proxy@0.2`. It knows nothing of documents, of JSON, or of
//! the time that a call may take, and its calls last as long as its client and it have something to say to each other.
//!
//! Promise: what holds for other guests holds for these, an instance of its own for each exchange. The deadline counts silence: it
//! begins anew with each piece of a body that goes to the client or comes from it. The guest runs only while the client takes what
//! there is, because it is the body of the answer that drives it; whoever drops the answer ends the call.
//!
//! ```text
//!  request ──▶ Listened ──▶ incoming-handler ──▶ head ──────────▶ answer
//!              (pieces are noted)  │  ▲ polled by      └─ Answer: body, and the call itself
//!                                  └──┴────────────────────┘
//! ```
//!
//! Requests that the guest sends go to [`Imports::send`](crate::Imports::send): this crate opens no connection.

mod answer;
mod hooks;
mod serve;
mod silence;

pub use answer::Answer;
pub(crate) use answer::Running;
pub(crate) use hooks::Hooks;
pub(crate) use serve::{HandleArguments, HandleFunction, Request, Sender, serve};
pub(crate) use silence::{End, Silence};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

/// Why a body or a request broke off, in the words of `wasi:http`.
pub use wasmtime_wasi_http::Error as Broken;

/// A body that streams between a guest and the node.
pub type Stream = UnsyncBoxBody<Bytes, Broken>;

/// The interface that these components export, up to its version.
pub(crate) const INCOMING: &str = "wasi:http/incoming-handler";
/// The interface that these components export, under the name by which they are asked for it; any other 0.2 answers too.
pub(crate) const INCOMING_0_2: &str = "wasi:http/incoming-handler@0.2.0";
/// Its function.
pub(crate) const HANDLE: &str = "handle";
/// The interface of the next version of WASI, up to its version: not served.
pub(crate) const HANDLER_0_3: &str = "wasi:http/handler";
/// The interface by which a component sends requests, up to its version.
pub(crate) const OUTGOING: &str = "wasi:http/outgoing-handler";
/// Versions of `wasi:http` that this host speaks.
pub(crate) const VERSIONS: &str = "0.2.";
