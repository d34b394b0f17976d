//! The value that travels the road: one operation, its document's service and partition, and what this node offers it.

use std::sync::Arc;

use steward_model::Link;

use super::Operations;
use super::rehearsal::Rehearsal;
use super::request::Operation;
use super::wait::Waiting;
use crate::partition::Partition;
use crate::service::Service;

/// An operation on its way to a document of this node. Every stage takes one; none knows which stage comes next.
#[derive(Clone, Copy)]
pub(super) struct Road<'a> {
    pub operations: &'a Arc<Operations>,
    pub operation: &'a Operation,
    pub service: &'a Arc<Service>,
    pub partition: &'a Arc<Partition>,
    /// Hears the guest if its run has no consequences.
    pub rehearsal: Option<&'a Arc<Rehearsal>>,
}

/// An operation for whose sake a guest may be asked, wherever its document lies, if it has one.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub operations: &'a Operations,
    pub operation: &'a Operation,
    pub service: &'a Arc<Service>,
    /// Hears the guest if its run has no consequences.
    pub rehearsal: Option<&'a Arc<Rehearsal>>,
}

impl<'a> Road<'a> {
    /// Returns the document that the operation concerns.
    pub(super) fn link(self) -> &'a Link {
        &self.operation.link
    }

    /// Returns what is needed to ask the guest.
    pub(super) fn asking(self) -> Asking<'a> {
        let Road { operations, operation, service, rehearsal, .. } = self;
        Asking { operations, operation, service, rehearsal }
    }

    /// Returns what is needed to wait for the partition.
    pub(super) fn waiting(self) -> Waiting<'a> {
        Waiting { operations: self.operations, operation: self.operation, partition: self.partition }
    }
}
