//! While more waits in memory for the state stores than the node may have, no update is admitted. What a start finds in the log is more at
//! times, and brings nothing new.

use super::notes;
use crate::facts::Fact;
use crate::witness::Note;
use crate::world::World;

/// More than the largest update of a world has.
const UPDATE_BYTES_MAX: u64 = 8 << 10;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    if !notes(facts).any(|(_, note)| matches!(note, Note::Proposed(_))) {
        return Ok(());
    }
    let shared = world.node.partitions.shared();
    let (before, now) = (world.unapplied_before, shared.applying.backlog().bytes);
    let applies = notes(facts).any(|(_, note)| matches!(note, Note::Applied { .. }));
    // What was over its bound before the step and is so after it was so when the update came. If something was applied meanwhile there was
    // room for one update between, which may pass the bound by its own size.
    let most = shared.options.unapplied_bytes_max + if applies { UPDATE_BYTES_MAX } else { 0 };
    match before.min(now) > most {
        true => {
            Err(format!("an update was taken, and {before} bytes waited for the stores, now {now}, at most {most} may"))
        }
        false => Ok(()),
    }
}
