//! steward-storage: the disk.
//!
//! Two things are kept, for two reasons. The [commit log](log) holds what has been acknowledged, and is fsynced before
//! anybody hears of it. The [state store](state) holds what the log amounts to, written without fsync after the commit,
//! always exactly the state at one offset of each partition; it can be rebuilt. [`documents`] is the face that the node
//! works with; only [`keys`] knows byte layouts.
//!
//! This crate does not know what an owner, a quorum or a guest is.

pub mod digest;
pub mod documents;
pub mod format;
pub mod index;
pub mod keys;
pub mod lasting;
pub mod log;
pub mod space;
pub mod state;
