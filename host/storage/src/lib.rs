//! The disk.
//!
//! Two things are kept, for two reasons. The [commit log](log) holds the updates that were acknowledged; each is
//! fsynced before anybody hears of it. The [state store](state) holds the result of these updates. It is written after
//! the commit and without fsync, is always exactly the state at one offset of each partition, and can be rebuilt out of
//! the log.
//!
//! The node works with [`documents`]; only [`keys`] knows byte layouts. This crate does not know what an owner, a
//! quorum or a guest is.

pub mod background;
pub mod digest;
pub mod documents;
pub mod format;
pub mod index;
pub mod keys;
pub mod lasting;
pub mod log;
pub mod space;
pub mod state;
