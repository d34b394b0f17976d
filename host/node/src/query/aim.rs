//! Which factories a query is about.
//!
//! Indexes are kept by factory. A query that names none, but a kind of documents, as query tasks do, is about the factories whose
//! documents are of that kind; for most it is one. What the condition says of the kind is answered with that.
//!
//! The kind is known if every revision of a factory gave its documents the same. If it is not known of one factory, or one is not served
//! now, nothing is left out.

use std::sync::Arc;

use steward_model::{Lane, Link, PartitionId};
use steward_query::condition::Condition;
use steward_query::request::Request;
use steward_query::shape::{self, Shape};

use crate::service::{Service, ServiceTable};

/// What to run, and over what.
#[derive(Clone)]
pub(super) struct Aim {
    pub(super) request: Request,
    /// The services whose documents may be found through an index.
    pub(super) concerned: Vec<Arc<Service>>,
    pub(super) lanes: Vec<Lane>,
}

impl Aim {
    /// Returns what a query is about while these services are mounted.
    pub(super) fn of(mut request: Request, services: &ServiceTable) -> Aim {
        if let Some(factory) = &request.factory {
            let concerned: Vec<_> = services.at(factory).into_iter().collect();
            if let Some(condition) = concerned.first().and_then(|service| of_kind(&request.condition, service)) {
                request.condition = condition;
            }
            return Aim::over(request, concerned);
        }
        let mut left: Vec<(Arc<Service>, Condition)> = Vec::new();
        let stateful: Vec<_> = services.all().into_iter().filter(|service| !service.is_stateless()).collect();
        if !services.is_whole() {
            return Aim::over(request, stateful);
        }
        for service in &stateful {
            match of_kind(&request.condition, service) {
                Some(condition) if condition.is_never() => {}
                Some(condition) => left.push((Arc::clone(service), condition)),
                None => return Aim::over(request, stateful),
            }
        }
        if left.is_empty() && !stateful.is_empty() {
            request.condition = Condition::never();
        }
        // Of several, each would have a condition of its own, and its own place in an order.
        if let [(service, condition)] = &left[..]
            && *condition != request.condition
        {
            let factory: Option<Link> = Some(service.path.clone());
            request = Request { factory, condition: condition.clone(), ..request };
        }
        let concerned = left.into_iter().map(|(service, _)| service).collect();
        Aim::over(request, concerned)
    }

    /// Returns the partitions in which such documents lie, of the whole group.
    pub(super) fn partitions(&self) -> impl Iterator<Item = PartitionId> {
        self.lanes.iter().copied().flat_map(PartitionId::all)
    }

    /// Checks that the documents can have the fields that the query names.
    ///
    /// # Errors
    /// [`shape::Error`] names the first field that they cannot have.
    pub(super) fn check(&self) -> Result<(), shape::Error> {
        // Nothing is known about documents without a service, and about versions that an earlier module wrote.
        let former = self.request.all_versions && self.concerned.iter().any(|service| service.has_former_states);
        if self.concerned.is_empty() || former {
            return Ok(());
        }
        let shapes: Vec<Shape<'_>> = self
            .concerned
            .iter()
            .map(|service| {
                let schema = &service.descriptor.state_schema;
                Shape::of(schema, service.descriptor.has_strays())
            })
            .collect();
        shape::check(&self.request, &shapes)
    }

    fn over(request: Request, concerned: Vec<Arc<Service>>) -> Aim {
        let lies_in = |lane: &Lane| concerned.iter().any(|service| service.lane() == *lane);
        let both = [Lane::Persisted, Lane::Volatile];
        let lanes = match &request.factory {
            Some(_) if !concerned.is_empty() => both.into_iter().filter(lies_in).collect(),
            // Documents may be there of which nobody knows the service.
            Some(_) | None => both.to_vec(),
        };
        Aim { request, concerned, lanes }
    }
}

fn of_kind(condition: &Condition, service: &Service) -> Option<Condition> {
    service.kind_of_all.as_deref().map(|kind| condition.of_kind(kind))
}
