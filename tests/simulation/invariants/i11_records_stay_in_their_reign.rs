//! A record that a handler decided is appended only by the primary that ran the handler, in the same epoch, and on the
//! state that the handler saw.

use steward_model::update::{Entry, Record};

use crate::facts::Fact;
use crate::model::Model;
use crate::requests::decided;
use crate::world::World;

pub(crate) fn check(world: &World, _: &[Fact]) -> Result<(), String> {
    let strays = world.partitions.iter().filter_map(|partition| world.oracle.about(*partition)?.stray.clone());
    strays.map(Err).next().unwrap_or(Ok(()))
}

/// Returns what is wrong with a record that comes after those which made `model`.
pub(crate) fn stray(model: &Model, record: &Record) -> Option<String> {
    let Entry::Update(update) = &record.entry else { return None };
    let (epoch, seen) = decided(&update.document)?;
    if epoch != record.position.epoch.as_u64() {
        return Some(format!("{} was decided in {epoch} and ordered at {}", update.document.link, record.position));
    }
    let found = model.document(&update.document.link).map(|document| document.offset.0);
    let forgotten = model.forgotten.get(&update.document.link).map(|offset| offset.0);
    (seen != found && (found.is_some() || seen != forgotten)).then(|| {
        format!("{} at {} was decided on {seen:?}, but the state was {found:?}", update.document.link, record.position)
    })
}
