//! When faults have stopped, everything finishes: every partition is active, every client is answered, no effect waits,
//! and the stores hold everything. `rest.rs` brings a world to that point or fails; this file says what must be true
//! there.

use crate::facts::Fact;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    if !facts.iter().any(|fact| matches!(fact, Fact::AtRest)) {
        return Ok(());
    }
    for partition in &world.partitions {
        let Some(known) = world.oracle.about(*partition) else { continue };
        let applied = world.node.partitions.get(*partition).applied();
        if applied != known.committed_end().map(|end| end.offset) {
            return Err(format!("{partition} rests with {applied:?}, committed is {:?}", known.committed_end()));
        }
        if let Some(waiting) = known.model.outbox.keys().next() {
            return Err(format!("{partition} rests, and effect {waiting} waits"));
        }
        let reserved = world.node.log().reserved_bytes();
        if reserved > 0 {
            return Err(format!("{reserved} bytes of the log are reserved, and nothing is under way"));
        }
    }
    Ok(())
}
