//! A commit needs the disks of W members, and the marker of the reign first.

use steward_model::Lane;

use crate::facts::Fact;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for fact in facts {
        let Fact::CommittedWith { partition, through, marker, durable } = fact else { continue };
        let end = durable.map(|end| end.offset);
        if partition.lane == Lane::Persisted && end < Some(*through) {
            return Err(format!("{partition} commits through {through}, but its disk ends at {end:?}"));
        }
        if marker.is_none_or(|(_, first)| first > *through) {
            return Err(format!("{partition} commits through {through} before its marker {marker:?}"));
        }
        let last = world.oracle.about(*partition).and_then(|known| known.committed_at(*through));
        if let (Some(peer), Some(last)) = (world.peers.get(partition), last) {
            let copied = peer.log.get(through.0 as usize).map(|record| record.position);
            if copied != Some(last.position) {
                return Err(format!("{partition} commits {}, of which the other member has {copied:?}", last.position));
            }
        }
    }
    Ok(())
}
