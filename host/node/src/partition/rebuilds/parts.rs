//! What rebuilding needs of a node, and what it counts.

use std::sync::Arc;

use steward_model::{Member, Moment};
use steward_replication::Partitions;
use steward_replication::applier::IndexSource;
use steward_storage::state::StateStore;

use crate::clock::Clock;
use crate::peer::Links;
use crate::shutdown::Shutdown;

/// What the parts of a node are that rebuilding needs.
pub(crate) struct Parts {
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) links: Links,
    pub(crate) own: Member,
    pub(crate) clock: Arc<Clock>,
    pub(crate) index: IndexSource,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) shutdown: Shutdown,
}

/// What was made anew since nothing was under way.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) began: Option<Moment>,
    pub(super) partitions: usize,
    pub(super) documents: usize,
    pub(super) bytes: usize,
}
