//! Which fields of a document are indexed, according to the service that it belongs to.

use std::sync::Arc;

use steward_model::Link;
use steward_storage::index::{IndexFields, IndexPlan};

use super::{Found, ServiceTable};

/// Answers from the mounted services, and from those that should be; other documents are indexed by default.
pub(crate) struct ServiceIndex {
    services: Arc<ServiceTable>,
}

impl ServiceIndex {
    /// Returns the plan of these services.
    pub(crate) fn new(services: Arc<ServiceTable>) -> ServiceIndex {
        ServiceIndex { services }
    }
}

impl IndexPlan for ServiceIndex {
    fn fields(&self, link: &Link) -> IndexFields {
        let listed = match self.services.find(link) {
            Some(Found::Child(service)) => service.descriptor().index.clone(),
            Some(Found::Factory(_) | Found::Stateless(_)) => None,
            None => self.services.absent(link).and_then(|absent| absent.index),
        };
        match listed {
            Some(fields) => IndexFields::Listed(fields.into()),
            None => IndexFields::Scalars,
        }
    }
}
