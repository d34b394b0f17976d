//! Two primaries' committed prefixes of a partition never differ at any offset.

use super::notes;
use crate::facts::Fact;
use crate::witness::Note;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for (partition, note) in notes(facts) {
        let Note::Committed { records, .. } = note else { continue };
        let known = world.oracle.about(partition);
        for record in records {
            let first = known.and_then(|known| known.committed_at(record.position.offset));
            if first != Some(record) {
                return Err(format!("{partition} commits {record:?}, but committed {first:?} there before"));
            }
        }
    }
    Ok(())
}
