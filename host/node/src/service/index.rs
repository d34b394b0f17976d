//! Which fields of a document are indexed, according to the service it belongs to.

use std::sync::Arc;

use steward_model::Link;
use steward_storage::index::{IndexFields, IndexPlan};

use super::{Found, ServiceTable};

/// Answers from the mounted services; documents of services that are not mounted are indexed by default.
pub struct ServiceIndex {
    services: Arc<ServiceTable>,
}

impl ServiceIndex {
    /// Returns the plan of these services.
    pub fn new(services: Arc<ServiceTable>) -> ServiceIndex {
        ServiceIndex { services }
    }
}

impl IndexPlan for ServiceIndex {
    fn fields(&self, link: &Link) -> IndexFields {
        match self.services.find(link) {
            Some(Found::Child(service)) => match &service.descriptor().index {
                Some(fields) => IndexFields::Listed(fields.clone().into()),
                None => IndexFields::Scalars,
            },
            Some(Found::Factory(_) | Found::Stateless(_)) | None => IndexFields::Scalars,
        }
    }
}
