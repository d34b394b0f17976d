//! Recovery from a torn tail drops nothing that was durable, and finds nothing that was never written.

use crate::facts::Fact;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for fact in facts {
        let Fact::Opened(partition, found) = fact else { continue };
        let durable = world.oracle.about(*partition).and_then(|known| known.durable);
        if found.core.last.map(|last| last.offset) < durable.map(|durable| durable.offset) {
            return Err(format!("{partition} recovers {:?}, durable was {durable:?}", found.core.last));
        }
        let has_gap = found.tail.array_windows().any(|[(before, _), (next, _)]| {
            next.position.offset != before.position.offset.next() || next.previous != before.position.epoch
        });
        if has_gap {
            return Err(format!("{partition} recovers a log with gaps: {:?}", found.tail));
        }
    }
    Ok(())
}
