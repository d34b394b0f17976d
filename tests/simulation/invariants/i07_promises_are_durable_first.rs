//! A promise is durable before anything that depends on it: here, the marker of the reign.

use crate::node::Fact;
use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for fact in &world.facts {
        let Fact::MarkerAppended { partition, epoch, promised_on_disk } = fact else { continue };
        if promised_on_disk < epoch {
            return Err(format!("{partition} begins epoch {epoch}, its disk promises {promised_on_disk}"));
        }
    }
    Ok(())
}
