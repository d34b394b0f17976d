//! With faults stopped, every partition becomes active and everything finishes: every client is answered, no effect waits, the
//! stores hold everything. That it comes to this is seen where worlds come to rest; here is what must be true then.

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
