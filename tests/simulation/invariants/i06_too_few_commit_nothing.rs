//! An in-sync set that is smaller than the write quorum commits nothing and takes no updates.

use super::notes;
use crate::facts::Fact;
use crate::witness::Note;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for (partition, note) in notes(facts) {
        let what = match note {
            // Of what another member commits this one hears, whatever it knows of the row.
            Note::Committed { through, reign: Some(_), .. } => format!("commits through {through}"),
            Note::Proposed(position) => format!("takes an update at {position}"),
            _ => continue,
        };
        let Some(row) = world.node.partitions.get(partition).status().replica.row else { continue };
        // A row that came in the same step may have come after.
        let is_old = world.rows_before.get(&partition) == Some(&row.version);
        if is_old && row.in_sync.len() < row.write_quorum as usize {
            return Err(format!("{partition} {what} with {} members, {} commit", row.in_sync.len(), row.write_quorum));
        }
    }
    Ok(())
}
