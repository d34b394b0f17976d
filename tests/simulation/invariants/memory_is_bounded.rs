//! While more waits in memory for a quorum or for the state stores than the node may have, no update is admitted. What a start finds in
//! the log is more at times, and brings nothing new.

use super::notes;
use crate::facts::Fact;
use crate::witness::Note;
use crate::world::World;

/// What waits in the memory of a node, in bytes of records.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Waiting {
    uncommitted: u64,
    unapplied: u64,
}

impl Waiting {
    pub(crate) fn in_memory_of(world: &World) -> Waiting {
        let shared = world.node.partitions.shared();
        Waiting { uncommitted: shared.uncommitted.get(), unapplied: shared.applying.backlog().bytes }
    }
}

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    if !notes(facts).any(|(_, note)| matches!(note, Note::Proposed(_))) {
        return Ok(());
    }
    let options = &world.node.partitions.shared().options;
    let (before, now) = (world.waiting_before, Waiting::in_memory_of(world));
    let commits = notes(facts).any(|(_, note)| matches!(note, Note::Committed { .. }));
    let applies = notes(facts).any(|(_, note)| matches!(note, Note::Applied { .. }));
    // What was over its bound before the step and is so after it was so when the update came, unless there was less between.
    for (what, before, now, most, is_steady) in [
        ("a quorum", before.uncommitted, now.uncommitted, options.uncommitted_bytes_max, !commits),
        ("the stores", before.unapplied, now.unapplied, options.unapplied_bytes_max, !applies),
    ] {
        if is_steady && before.min(now) > most {
            return Err(format!(
                "an update was taken, and {before} bytes waited for {what}, now {now}, at most {most} may"
            ));
        }
    }
    Ok(())
}
