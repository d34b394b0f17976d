//! The invariants that a replica can check by itself.

use steward_protocol::replica::invariants;

use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for (partition, copy) in &world.node.copies {
        invariants::check(&copy.replica).map_err(|violation| format!("{partition}: {violation}"))?;
    }
    Ok(())
}
