//! An acknowledged update is in the log after every restart, and in the committed prefix of every later reign.

use steward_model::Offset;

use crate::node::Fact;
use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for fact in &world.facts {
        match fact {
            Fact::Opened { partition, found, .. } => {
                let end = found.end().map(|end| end.offset);
                let acknowledged = world.oracle.about(*partition).and_then(|known| known.acknowledged);
                if end < acknowledged {
                    return Err(format!(
                        "{partition} ends at {end:?} after a restart, {acknowledged:?} was acknowledged"
                    ));
                }
                for record in &found.records {
                    let offset = record.position.offset;
                    let first = world.oracle.about(*partition).and_then(|known| known.committed.get(&offset));
                    if Some(offset) <= acknowledged && first != Some(record) {
                        return Err(format!("{partition} has {record:?} after a restart, acknowledged was {first:?}"));
                    }
                }
            }
            Fact::Activated { partition, committed, .. } => {
                let acknowledged = world.oracle.about(*partition).and_then(|known| known.acknowledged);
                if *committed < acknowledged {
                    return Err(format!("{partition} is active and has committed {committed:?}, not {acknowledged:?}"));
                }
            }
            Fact::MarkerAppended { .. } | Fact::Committed { .. } | Fact::SteppedDown { .. } | Fact::Applied { .. } => {}
        }
    }
    acknowledged_is_committed(world)
}

fn acknowledged_is_committed(world: &World) -> Result<(), String> {
    for partition in &world.partitions {
        let Some(known) = world.oracle.about(*partition) else { continue };
        let committed: Option<Offset> = known.committed.last_key_value().map(|(offset, _)| *offset);
        if committed < known.acknowledged {
            return Err(format!("{partition} has committed {committed:?}, {:?} was acknowledged", known.acknowledged));
        }
    }
    Ok(())
}
