//! Applied is at most committed, and committed is at most the end of the log.

use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for (partition, copy) in &world.node.copies {
        let applied = world.stores[partition].now.applied.map(|applied| applied.offset);
        let committed = copy.replica.committed();
        let end = copy.replica.end().map(|end| end.offset);
        if applied > committed || committed > end {
            return Err(format!("{partition} has applied {applied:?}, committed {committed:?} and ends at {end:?}"));
        }
    }
    Ok(())
}
