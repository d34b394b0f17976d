//! Two reigns' committed prefixes of a partition never differ at any offset.

use crate::node::Fact;
use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for fact in &world.facts {
        let Fact::Committed { partition, records, .. } = fact else { continue };
        let committed = world.oracle.about(*partition).map(|known| &known.committed);
        for record in records {
            let first = committed.and_then(|committed| committed.get(&record.position.offset));
            if first != Some(record) {
                return Err(format!("{partition} commits {record:?}, but committed {first:?} there before"));
            }
        }
    }
    Ok(())
}
