//! Documents whose newest state was written by a former version of their service's module.
//!
//! A query shows them, and compares them, as a read shows them: in the shape of the mounted module. Versions that a
//! document keeps from the past stay as they were written.

use std::sync::Arc;

use steward_model::{Document, Link};
use steward_storage::documents::Error;
use tokio::runtime::Handle;

use crate::service::{self, Service, Unreadable};

/// Why the documents cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The state store failed.
    #[error("{0}")]
    Storage(#[from] Error),
    /// The mounted module cannot read the state of a document.
    #[error("{link} cannot be read: {unreadable}")]
    Unreadable { link: Link, unreadable: Unreadable },
}

/// Migrates documents on their way into a query.
pub(super) struct Migration {
    /// The services whose documents may need it.
    services: Vec<Arc<Service>>,
    runtime: Handle,
}

impl Migration {
    /// Returns what migrates documents of these services.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(super) fn of(services: &[Arc<Service>]) -> Migration {
        let may_need = |service: &&Arc<Service>| service.has_former_states;
        Migration { services: services.iter().filter(may_need).cloned().collect(), runtime: Handle::current() }
    }

    /// Returns the document in the shape of the mounted module. Blocks while the guest runs.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`] if the module does not bring the document there: then a read of it fails as well, and a query that
    /// showed the stored shape would compare what nobody else sees.
    pub(super) fn migrated(&self, document: Document) -> Result<Document, SourceError> {
        let owner = self.services.iter().find(|service| document.link.parent().as_ref() == Some(&service.path));
        let Some(service) = owner.filter(|_| !document.is_tombstone()) else { return Ok(document) };
        if document.state_version == service.descriptor().state_version {
            return Ok(document);
        }
        let document = Arc::new(document);
        match self.runtime.block_on(service::migrated(service.reader(), &document)) {
            Ok(migrated) => Ok(Arc::unwrap_or_clone(migrated)),
            Err(unreadable) => Err(SourceError::Unreadable { link: document.link.clone(), unreadable }),
        }
    }
}
