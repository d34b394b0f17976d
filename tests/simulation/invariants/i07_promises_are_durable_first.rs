//! A promise is durable before anything that depends on it, which here is the marker of the reign. And nothing is
//! reported as durable that a power cut could take back.

use super::notes;
use crate::facts::Fact;
use crate::witness::Note;
use crate::world::World;

pub(crate) fn check(_: &World, facts: &[Fact]) -> Result<(), String> {
    for (partition, note) in notes(facts) {
        match note {
            Note::MarkerAppended { position, promised_on_disk } if *promised_on_disk < position.epoch => {
                return Err(format!("{partition} begins with {position}, its disk promises {promised_on_disk}"));
            }
            Note::Persisted { end, is_synced: false } => {
                return Err(format!("{partition} is told that {end} is on the disk, a power cut could take it back"));
            }
            _ => {}
        }
    }
    Ok(())
}
