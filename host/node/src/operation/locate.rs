//! The stage that finds the document which the operation concerns, and the partition that holds it.
//!
//! Whether this node serves that partition is looked at next, since it may have to be waited for; see `forward`.

use std::sync::Arc;

use steward_model::{Action, Link};
use uuid::Uuid;

use super::body::{Body, built_in};
use super::{Error, Operation, Operations};
use crate::partition::Partition;
use crate::service::{Found, Service};

/// Of whom an operation is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Addressee {
    /// Of a factory: the child at the operation's link is to be created.
    Factory,
    /// Of the document at the operation's link, which may exist.
    Document,
}

/// Where an operation goes.
pub(super) enum Place {
    /// To a document.
    Document { service: Arc<Service>, partition: Arc<Partition>, addressee: Addressee },
    /// To a stateless service.
    Stateless { service: Arc<Service> },
}

impl Place {
    pub(super) fn service(&self) -> &Arc<Service> {
        match self {
            Place::Document { service, .. } | Place::Stateless { service } => service,
        }
    }

    pub(super) fn creates(&self) -> bool {
        matches!(self, Place::Document { addressee: Addressee::Factory, .. })
    }
}

/// Finds the place of an operation. A POST to a factory gets the link of the child that it creates.
///
/// # Errors
/// [`Error`] if the child's link cannot be, the factory does not support the action, or the body is no object.
pub(super) fn locate(operations: &Operations, operation: &mut Operation, found: Found) -> Result<Place, Error> {
    let (service, addressee) = match found {
        Found::Stateless(service) => return Ok(Place::Stateless { service }),
        Found::Child(service) => (service, Addressee::Document),
        Found::Factory(service) if operation.action == Action::Post => {
            let child = match operation.child.take() {
                Some(child) => child,
                None => child_link(operation, &service)?,
            };
            // Whoever begins the road anew, here or on another node, must come to the same document.
            operation.child = Some(child.clone());
            operation.link = child;
            (service, Addressee::Factory)
        }
        Found::Factory(_) => {
            return Err(Error::NotSupported {
                link: operation.link.clone(),
                action: operation.action,
                allowed: vec![Action::Get, Action::Post],
            });
        }
    };
    operation.body.as_ref().map_or(Ok(()), Body::check_object)?;
    let partition = Arc::clone(operations.partitions.of(&operation.link, service.lane()));
    Ok(Place::Document { service, partition, addressee })
}

/// Returns the link of the child that a POST to a factory creates: what the body says, else a new name. A request with an
/// idempotency key gets a name made of the key, so that a repeat finds the same child.
///
/// # Errors
/// [`Error::Link`] or [`Error::ForeignLink`] if the body names a child that cannot be.
fn child_link(operation: &Operation, service: &Service) -> Result<Link, Error> {
    let factory = &service.path;
    let named = built_in(operation.body.as_ref())?.self_link.filter(|link| !link.is_empty());
    let Some(named) = named else {
        let name = match &operation.idempotency_key {
            Some(key) => key.to_string(),
            None => Uuid::now_v7().simple().to_string(),
        };
        return Ok(factory.child(&name)?);
    };
    if !named.starts_with('/') {
        return Ok(factory.child(&named)?);
    }
    let link = Link::parse(&named)?;
    if link.parent().as_ref() == Some(factory) {
        return Ok(factory.child(link.name())?);
    }
    // "/name" is accepted as a name too, as Xenon does.
    match named[1..].contains('/') {
        true => Err(Error::ForeignLink { link: named, factory: factory.clone() }),
        false => Ok(factory.child(&named[1..])?),
    }
}
