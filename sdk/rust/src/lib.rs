//! The Rust SDK of steward: what the author of a service touches.
//!
//! **Problem.** A service is a state and a few handlers. Everything around it (an interface definition, JSON in and out,
//! schemas, error bodies, a descriptor) is work that is easy to get wrong and says nothing about the service.
//!
//! **Promise.** An author writes a struct and a plain `impl`. [`derive@Document`] gives the struct its JSON, its JSON
//! Schema, its defaults and its checks; [`macro@service`] turns the `impl` into a component. The methods stay ordinary
//! methods: a unit test may call them, or drive them through [`mock::Host`], which keeps documents, carries out effects
//! and moves a clock of its own.
//!
//! ```
//! use steward_sdk::prelude::*;
//!
//! /// A named counter.
//! #[derive(Document)]
//! pub struct Counter {
//!     #[document(default)]
//!     pub count: u64,
//!     #[document(default = 1, minimum = 1)]
//!     pub step: u64,
//! }
//!
//! #[derive(Document)]
//! pub struct Add {
//!     pub by: Option<u64>,
//! }
//!
//! #[service(factory = "/core/counters")]
//! impl Counter {
//!     fn handle_patch(&mut self, add: Add) -> Result {
//!         self.count = self.count.checked_add(add.by.unwrap_or(self.step)).or_conflict("counter would overflow")?;
//!         Ok(())
//!     }
//! }
//!
//! let mut host = mock::Host::serving::<Counter>();
//! let counter = host.post("/core/counters", json!({ "step": 5 })).link();
//! assert_eq!(host.patch(&counter, json!({})).body["count"], 5);
//! assert_eq!(host.post("/core/counters", json!({ "step": 0 })).pointer(), "/step");
//! ```
//!
//! # How a call passes through
//!
//! ```text
//!  host ──WIT──▶ bindings ──▶ Guest (texts) ──▶ run (types) ──▶ your method
//!  mock ────────────────────▶   │
//!                               └ a service may implement Guest by hand and skip everything to its right
//! ```
//!
//! # Rules that a handler can rely on
//!
//! - A handler of a client's request (create, post, put, patch, delete) with `&mut self` makes a new version, also if the
//!   state stays the same, unless it returns [`Reply::unchanged`]. A start, stop, maintenance or reply handler with
//!   `&mut self` makes one only if the state has changed. A handler with `&self` never makes one.
//! - A state that its own schema forbids is never committed: the request is refused with the field's pointer.
//! - An error means that nothing has happened, and no effect will be sent.
//! - Do not panic: a panic is a trap. Its text, with file and line, reaches the log and the client, and nothing has
//!   happened. But an error says better what is wrong, and does not cost an instance.

#[cfg(target_arch = "wasm32")]
pub mod bindings;
mod context;
mod describe;
mod document;
mod effect;
mod fault;
mod guest;
mod host;
#[cfg(not(target_arch = "wasm32"))]
pub mod mock;
mod reply;
mod request;
pub mod run;
mod schema;
mod strict;

#[doc(hidden)]
pub use {schemars, serde, serde_json};

pub use context::Context;
pub use describe::Description;
pub use document::{Document, Shape};
pub use effect::{Effect, Outcome};
pub use fault::{Fault, OrFault, Result, conflict, forbidden, invalid, not_found, refused};
pub use guest::{Guest, Handler};
pub use host::Level;
pub use reply::{IntoReply, Reply};
pub use request::{Action, Answer, Cause, Header, Request};
/// Derives [`Document`], with serde's traits and the JSON Schema, see the README for its attributes.
pub use steward_sdk_macros::Document;
/// Makes a service of a plain `impl`, see the README for its attributes.
pub use steward_sdk_macros::service;

// The macros name this crate as their users do, and they are used in here too.
extern crate self as steward_sdk;

/// What almost every service needs.
pub mod prelude {
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::mock;
    pub use crate::{
        Action, Answer, Cause, Context, Document, Effect, Fault, Level, OrFault, Reply, Result, conflict, ensure,
        forbidden, invalid, not_found, refused, service,
    };
    pub use serde_json::{Value, json};
    pub use std::time::Duration;
}

/// Returns the fault from the handler unless the condition holds.
///
/// ```
/// # use steward_sdk::prelude::*;
/// fn check(count: u64) -> Result {
///     ensure!(count <= 10, conflict("the counter is full"));
///     Ok(())
/// }
/// assert_eq!(check(11).unwrap_err().status, 409);
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $fault:expr $(,)?) => {
        if !$condition {
            return ::core::result::Result::Err($fault);
        }
    };
}

/// Exports a [`Guest`] as the component of this crate. The macro `service` does it by itself.
#[macro_export]
macro_rules! export {
    ($guest:ident) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the exported functions of a component are C functions")]
        const _: () = {
            type Exported = $crate::bindings::Exported<$guest>;
    $crate::bindings::generated::export!(Exported with_types_in $crate::bindings::generated);
        };
    };
}
