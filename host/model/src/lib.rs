//! The words of steward: types that every part of the host speaks.
//!
//! This crate parses, compares and encodes. It has no clock, no file, no socket, and decides nothing. Four crates stand
//! on it, `protocol`, `storage`, `query` and `sandbox`; they know these words and do not know one another.

pub mod builtin;
mod cause;
pub mod codec;
pub mod digits;
pub mod document;
pub mod epoch;
pub mod exact;
pub mod group;
pub mod json;
pub mod leaves;
pub mod likeness;
pub mod line;
pub mod link;
pub mod module;
pub mod mutation;
pub mod node;
pub mod offset;
pub mod operation;
pub mod outbound;
pub mod partition;
pub mod problem;
pub mod recording;
pub mod render;
pub mod service;
pub mod splitmix;
pub mod strict;
pub mod time;
pub mod update;

pub use builtin::Builtin;
pub use document::{Document, Version};
pub use epoch::Epoch;
pub use exact::Exact;
pub use link::Link;
pub use node::{Boot, Member, NodeId};
pub use offset::{Lsn, Offset, Position};
pub use operation::Action;
pub use partition::{Lane, PartitionId};
pub use problem::Problem;
pub use time::{Moment, Timestamp};
