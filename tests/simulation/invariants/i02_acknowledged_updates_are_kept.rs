//! An acknowledged operation is in the committed prefix, in the log after every restart, and in every later reign.

use steward_model::update::{Entry, RequestId};

use crate::facts::Fact;
use crate::requests::Request;
use crate::witness::Note;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for fact in facts {
        match fact {
            Fact::Acknowledged { partition, position, request } => {
                let known = world.oracle.about(*partition);
                let record = known.and_then(|known| known.committed_at(position.offset));
                let is_it = |entry: &Entry| is_of(entry, request);
                if !record.is_some_and(|record| record.position == *position && is_it(&record.entry)) {
                    return Err(format!("{request:?} was acknowledged at {position}, committed there is {record:?}"));
                }
            }
            Fact::Awaited { partition, position } => {
                let record = world.oracle.about(*partition).and_then(|known| known.committed_at(position.offset));
                if record.is_none_or(|record| record.position != *position) {
                    return Err(format!("{partition}: {position} was said to be committed, committed is {record:?}"));
                }
            }
            Fact::Opened(partition, found) => {
                let acknowledged = world.oracle.about(*partition).and_then(|known| known.acknowledged);
                if found.core.last.map(|last| last.offset) < acknowledged.map(|position| position.offset) {
                    return Err(format!(
                        "{partition} ends at {:?} after a restart, {acknowledged:?} was acknowledged",
                        found.core.last
                    ));
                }
            }
            Fact::Noted(partition, Note::Activated(epoch)) => {
                let committed = world.node.partitions.get(*partition).committed_end();
                let acknowledged = world.oracle.about(*partition).and_then(|known| known.acknowledged);
                if committed < acknowledged.map(|position| position.offset) {
                    return Err(format!("{partition} is active in {epoch} with {committed:?}, not {acknowledged:?}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_of(entry: &Entry, request: &Request) -> bool {
    matches!(entry, Entry::Update(update)
        if update.document.link == request.link && update.request == RequestId::of(&request.name))
}
