//! A request takes effect at most once per document, as long as its answer is remembered; a repeat is told the first
//! answer.

use steward_model::update::{Entry, Record};

use crate::facts::Fact;
use crate::model::Model;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    let doubled = world.partitions.iter().filter_map(|partition| world.oracle.about(*partition)?.doubled.clone());
    if let Some(doubled) = doubled.into_iter().next() {
        return Err(doubled);
    }
    for fact in facts {
        let Fact::Repeated { partition, request, reply } = fact else { continue };
        let known = world.oracle.about(*partition);
        let record = known.and_then(|known| known.committed_at(reply.at.offset));
        let is_it = |entry: &Entry| matches!(entry, Entry::Update(update) if update.remembered.as_ref() == Some(reply));
        if !record.is_some_and(|record| is_it(&record.entry)) {
            return Err(format!("{request:?} is told {reply:?}, committed there is {record:?}"));
        }
        let first = world.clients.first_answer(request);
        if first.is_some_and(|first| first > reply.at) {
            return Err(format!("{request:?} is told {}, and was told {first:?} before", reply.at));
        }
    }
    Ok(())
}

/// Returns what is wrong if the record carries out a request that those before it, which made `model`, have carried out.
pub(crate) fn doubled(model: &Model, record: &Record) -> Option<String> {
    let Entry::Update(update) = &record.entry else { return None };
    let reply = update.remembered.as_ref()?;
    let first = model.replies.get(&(update.document.link.clone(), reply.key))?;
    Some(format!("{} at {} carries out what {} did: {reply:?}", update.document.link, record.position, first.at))
}
