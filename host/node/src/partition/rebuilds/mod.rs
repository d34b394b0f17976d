//! Copies that are made anew, over the links between nodes.
//!
//! Problem: a node that joins late, or was away for long, lacks more than the logs of the others have, in hundreds of partitions at
//! once; what it needs instead may be all documents there are. Promise: the primary says so to a copy that lacks it, and that node
//! fetches the documents a piece at a time, a few partitions at once; neither side ever keeps more in memory than the largest document and
//! some megabytes. Whatever breaks off is begun anew when the primary says it again.
//!
//! ```text
//!  primary                                     the node that lacks
//!  Request::Rebuild ─ offer ──────────────────►  place among few
//!                   ◄───────────────── begin ─┐
//!  snapshot ──────── head ───────────────────►│  Partition::begin_rebuild
//!                   ◄────────────────── more ─┤  …
//!  portion ───────── piece ──────────────────►│  Rebuild::take, at last Rebuild::finish
//! ```
//!
//! What is left of copies that were replaced or given up is swept away afterwards, and at the start of a node.

mod desk;
mod fetch;
mod parts;
mod serve;
mod sweeper;
mod words;

pub(crate) use desk::Rebuilds;
pub(crate) use parts::Parts;
