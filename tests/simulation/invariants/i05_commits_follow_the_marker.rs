//! A commit needs the disk of W members, here of the only one, and the marker of the reign first.

use steward_protocol::replica::RoleName;

use crate::node::Fact;
use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for fact in &world.facts {
        let Fact::Committed { partition, through, end_on_disk, .. } = fact else { continue };
        if end_on_disk.map(|end| end.offset) < Some(*through) {
            return Err(format!("{partition} commits through {through}, but its disk ends at {end_on_disk:?}"));
        }
        let replica = &world.node.copies[partition].replica;
        let marker = replica.lineage().entries().last().copied();
        let is_decided = marker.is_some_and(|(epoch, first)| epoch == replica.epoch() && first <= *through);
        if replica.role() != RoleName::Primary || !is_decided {
            return Err(format!("{partition} commits through {through} before its marker {marker:?}"));
        }
    }
    Ok(())
}
