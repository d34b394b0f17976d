//! The door of a service: an operation writes only for the module that answers when its record goes into the log.
//!
//! Problem: an operation takes its service when it is admitted, and may wait for long after that. Meanwhile the factory
//! may move to another module.
//!
//! Promise: the operation looks again when it has its turn, before anything runs, and once more right before its record
//! is made. The second look is inside the door of the factory, which nobody enters while another module is put there.
//! If the operation began on an earlier module whose states the new module reads, it may end on that. Else it begins
//! its road anew; it has changed nothing.

use steward_model::Link;
use steward_model::problem::Happened;
use tokio::sync::RwLockReadGuard;

use super::decision::Decision;
use super::road::Road;
use super::{Error, Operations, Reply};
use crate::service::Service;

fn superseded(service: &Service) -> Error {
    Error::Superseded { path: service.path.clone(), revision: service.revision }
}

fn revision_at(operations: &Operations, path: &Link) -> Option<u64> {
    operations.services.at(path).map(|service| service.revision)
}

/// Returns nothing if the service is the one that answers now.
///
/// # Errors
/// [`Error::Superseded`]: the operation has to begin anew.
pub(super) fn check(operations: &Operations, service: &Service) -> Result<(), Error> {
    match revision_at(operations, &service.path) == Some(service.revision) {
        true => Ok(()),
        false => Err(superseded(service)),
    }
}

/// Returns once the operation may write for its service; until the guard is dropped, no other module takes over.
///
/// # Errors
/// [`Error::Superseded`] if what is decided must not be written any more, [`Error::Unavailable`] at the operation's deadline. Nothing has
/// happened then.
pub(super) async fn enter<'a>(road: Road<'a>, decision: &Decision) -> Result<RwLockReadGuard<'a, ()>, Error> {
    let (operations, service) = (road.operations, road.service);
    let entered = match service.door.try_read() {
        Ok(entered) => entered,
        Err(_) => {
            let entering = road.waiting().in_time(service.door.read()).await;
            let reason = || format!("it is being decided which module answers at {}", service.path);
            entering.ok_or_else(|| road.waiting().unavailable(reason(), Happened::No))?
        }
    };
    let may_write = operations.services.at(&service.path).is_some_and(|now| {
        let reads = now.lane() == service.lane() && now.descriptor().reads(service.descriptor().state_version);
        now.revision == service.revision || (reads && !decision.creates)
    });
    if may_write { Ok(entered) } else { Err(superseded(service)) }
}

/// Returns true if the operation failed because its service is not the one that answers any more.
pub(super) fn is_outdated(operations: &Operations, service: &Service, reply: &Result<Reply, Error>) -> bool {
    match reply {
        Err(Error::Superseded { .. }) => true,
        // A state that the new module has written is none of the old one's business.
        Err(Error::StateVersion { .. }) => check(operations, service).is_err(),
        Ok(_) | Err(_) => false,
    }
}
