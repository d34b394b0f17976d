//! Recovery from a torn tail discards nothing that was durable, and invents nothing.

use crate::node::Fact;
use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for fact in &world.facts {
        let Fact::Opened { partition, found, durable, .. } = fact else { continue };
        let end = found.end();
        let durable_end = durable.end.map(|end| end.offset);
        if end.map(|end| end.offset) < durable_end || found.promised() < durable.promised {
            return Err(format!("{partition} recovers {end:?} and {}, durable was {durable:?}", found.promised()));
        }
        let has_gap = found.records.array_windows().any(|[before, next]| {
            next.position.offset != before.position.offset.next() || next.previous != before.position.epoch
        });
        if has_gap {
            return Err(format!("{partition} recovers a log with gaps: {:?}", found.records));
        }
    }
    Ok(())
}
