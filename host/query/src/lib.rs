//! Queries over documents: listings of factories, and query tasks.
//!
//! Problem: clients ask in two languages, OData on a factory and Xenon's query specification on `/core/query-tasks`,
//! and the documents that answer lie on many nodes. Promise: both languages mean the same thing; an answer is complete
//! over what its sources hold; there is always a next page instead of an error about too many rows; a query never costs
//! more than its budget; what is not supported is refused by name and place.
//!
//! ```text
//! GET /core/examples?$filter=… ──────── odata (filter) ─┐
//! POST /core/query-tasks ──────────────── task (spec) ──┼─ Request ─┐
//! GET /core/query-page?$skiptoken=… ───── task (page) ──┘           │
//!                                                                   ▼
//!        source: the caller's documents, indexes, owners ────────► run
//!                                                                   │  plan       which documents to read
//!                                                                   │  evaluate   does one match the condition
//!                                                                   │  order      where its row stands
//!                                                                   ▼
//! JSON in Xenon's shape ◄── odata, task (results) ◄────────────── Answer
//! ```
//!
//! Nothing here knows HTTP, storage, partitions, peers, tasks or the clock: the caller gives a [`Source`], a [`Budget`] and the
//! time, and maps the typed errors. On one node [`run::run`] is the whole of it; in a cluster each owner runs [`run::collect`]
//! and the node that was asked runs [`run::gather`].
//!
//! Left out, and refused: grouping, following of links, continuous queries, snapshots in time.

mod answer;
mod collector;
pub mod condition;
pub mod evaluate;
pub mod filter;
pub mod odata;
pub mod order;
pub mod page;
pub mod path;
pub mod pattern;
pub mod plan;
pub mod request;
mod results;
pub mod run;
pub mod shape;
pub mod source;
pub mod spec;
pub mod task;
pub mod value;
mod ways;

#[cfg(test)]
mod memory;
#[cfg(test)]
mod properties;

pub use odata::Listing;
pub use request::{Budget, Request};
pub use source::Source;
pub use task::Task;
