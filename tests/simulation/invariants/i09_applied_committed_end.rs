//! Truncation never goes below the applied offset; applied is at most committed, and committed is at most the end of the log.

use super::notes;
use crate::facts::Fact;
use crate::witness::Note;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for partition in &world.partitions {
        let status = world.node.partitions.get(*partition).status();
        let (committed, end) = (status.replica.committed, status.replica.end.map(|end| end.offset));
        if status.applied > committed || committed > end {
            return Err(format!(
                "{partition} has applied {:?}, committed {committed:?} and ends at {end:?}",
                status.applied
            ));
        }
    }
    for fact in facts {
        let Fact::NewestAfterCut { link, after, document: Some(document) } = fact else { continue };
        if Some(document.offset) > after.map(|after| after.offset) {
            return Err(format!("{link} is at {} although the log was cut after {after:?}", document.offset));
        }
    }
    for (partition, note) in notes(facts) {
        let Some(known) = world.oracle.about(partition) else { continue };
        match note {
            Note::Applied { through } if *through > known.committed_end() => {
                return Err(format!(
                    "{partition} applies through {through:?}, committed is {:?}",
                    known.committed_end()
                ));
            }
            Note::Truncated { after, .. } => {
                let applied = world.node.partitions.get(partition).applied();
                if after.map(|after| after.offset) < applied {
                    return Err(format!("{partition} is cut after {after:?}, applied is {applied:?}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
