//! Documents whose newest state was written by a former version of their service's module.
//!
//! A query shows them, and compares them, as a read shows them: in the shape of the mounted module. Versions that a
//! document keeps from the past stay as they were written.

use std::sync::Arc;

use steward_model::Document;
use steward_sandbox::{Imports, Silent};
use tokio::runtime::Handle;

use crate::service::Service;

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

    /// Returns the document in the shape of the mounted module; as it is stored if the module refuses it, for one such
    /// document must not hide all others. Blocks while the guest runs.
    pub(super) fn migrated(&self, document: Document) -> Document {
        let owner = self.services.iter().find(|service| document.link.parent().as_ref() == Some(&service.path));
        let Some(service) = owner.filter(|_| !document.is_tombstone()) else { return document };
        let (stored, now) = (document.state_version, service.descriptor().state_version);
        if stored == now {
            return document;
        }
        let imports: Arc<dyn Imports> = Arc::new(Silent);
        match self.runtime.block_on(service.module.migrate(&document.body, stored, &imports)) {
            Ok(body) => Document { body, state_version: now, ..document },
            Err(error) => {
                tracing::warn!(link = %document.link, stored, %error, "query shows a state that is not migrated");
                document
            }
        }
    }
}
