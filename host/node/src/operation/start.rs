//! `handle-start`: runs before every other handler of a document, once per reign and revision of the factory.

use steward_model::Epoch;
use steward_model::operation::Cause;
use steward_model::service::Handler;

use super::load::Before;
use super::request::{Condition, Operation, Purpose};
use super::road::Road;
use super::{Error, guest};

/// Returns true if `handle-start` has to run before another handler of the document.
pub(super) fn is_due(road: Road<'_>) -> bool {
    road.service.handles(Handler::HandleStart)
        && road.partition.admits().is_ok_and(|epoch| {
            let (reign, factory) = ((road.partition.id(), epoch), (&road.service.path, road.service.revision));
            road.operations.starts.needs_start(reign, factory, road.link())
        })
}

/// Returns the operation that starts the document of another one, in its name and within its time.
pub(super) fn operation_for(operation: &Operation) -> Operation {
    Operation {
        cause: Cause::Start,
        purpose: Purpose::Start,
        body: None,
        idempotency_key: None,
        condition: Condition::default(),
        wanted: None,
        ..operation.clone()
    }
}

/// Returns the state to start, or none if there is no live document.
///
/// # Errors
/// Those of the state store, or of a guest that cannot migrate the state.
pub(super) async fn before(road: Road<'_>) -> Result<Option<Before>, Error> {
    let Ok(epoch) = road.partition.admits() else { return Ok(None) };
    let newest = road.partition.newest(road.link())?;
    let now = road.operations.clock.wall_time();
    let Some(document) = newest.document.filter(|document| document.is_there(now)) else { return Ok(None) };
    let document = Some(guest::migrated(road.service, &document).await?);
    Ok(Some(Before { document, appended: newest.appended, epoch }))
}

/// Remembers that the document has been started in the reign `epoch`.
pub(super) fn done(road: Road<'_>, epoch: Epoch) {
    let (reign, factory) = ((road.partition.id(), epoch), (&road.service.path, road.service.revision));
    road.operations.starts.started(reign, factory, road.link());
}
