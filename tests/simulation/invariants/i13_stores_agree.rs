//! Documents, sequence index, digest and applied offset of a store agree, after any crash.

use crate::node::Fact;
use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for fact in &world.facts {
        let partition = match fact {
            Fact::Opened { partition, .. } | Fact::Applied { partition } => partition,
            Fact::MarkerAppended { .. }
            | Fact::Committed { .. }
            | Fact::Activated { .. }
            | Fact::SteppedDown { .. } => continue,
        };
        let now = &world.stores[partition].now;
        let offset = now.applied.map(|applied| applied.offset);
        let expected = world.oracle.about(*partition).map(|known| known.state_at(offset)).unwrap_or_default();
        if *now != expected {
            return Err(format!("{partition} holds {now:?}, the log makes {expected:?} of it"));
        }
    }
    Ok(())
}
