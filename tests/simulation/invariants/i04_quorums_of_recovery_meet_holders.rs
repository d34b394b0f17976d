//! Any r members of the in-sync set include a holder of every committed record.

use steward_model::{Lane, PartitionId, Position};

use super::notes;
use crate::facts::Fact;
use crate::witness::Note;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for fact in facts {
        if let Fact::Opened(partition, _) = fact {
            check_one(world, *partition)?;
        }
    }
    for (partition, note) in notes(facts) {
        if let Note::Committed { .. } = note {
            check_one(world, partition)?;
        }
    }
    Ok(())
}

fn check_one(world: &World, partition: PartitionId) -> Result<(), String> {
    let Some(known) = world.oracle.about(partition) else { return Ok(()) };
    let Some(last) = known.committed_end() else { return Ok(()) };
    if partition.lane == Lane::Volatile {
        return Ok(());
    }
    let Some(peer) = world.peers.get(&partition) else { return Ok(()) };
    let own = known
        .durable
        .is_some_and(|end| end.offset >= last.offset && known.own_epoch_at(last.offset) == Some(last.epoch));
    let has = |position: Position| peer.log.get(position.offset.0 as usize).is_some_and(|it| it.position == position);
    // What the peer committed in its reign the third member holds as well.
    let third = known.decreed.is_some_and(|decreed| last.offset <= decreed);
    let holders = usize::from(own) + usize::from(has(last)) + usize::from(third);
    match holders < 2 {
        true => Err(format!("{partition} has committed {last}, which {holders} of three members hold")),
        false => Ok(()),
    }
}
