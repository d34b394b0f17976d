//! A commit needs the disks of W members, and the marker of the reign first.

use steward_model::Lane;

use super::notes;
use crate::facts::Fact;
use crate::witness::Note;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for (partition, note) in notes(facts) {
        let Note::Committed { through, records } = note else { continue };
        let Some(known) = world.oracle.about(partition) else { continue };
        let end = known.durable.map(|end| end.offset);
        if partition.lane == Lane::Persisted && end < Some(*through) {
            return Err(format!("{partition} commits through {through}, but its disk ends at {end:?}"));
        }
        let marker = known.lineage.last().copied();
        let reign = records.last().map(|record| record.position.epoch);
        if marker.is_none_or(|(epoch, first)| first > *through || Some(epoch) != reign) {
            return Err(format!("{partition} commits through {through} before its marker {marker:?}"));
        }
        if let (Some(peer), Some(last)) = (world.peers.get(&partition), records.last()) {
            let copied = peer.log.get(through.0 as usize).map(|record| record.position);
            if copied != Some(last.position) {
                return Err(format!("{partition} commits {}, of which the other member has {copied:?}", last.position));
            }
        }
    }
    Ok(())
}
