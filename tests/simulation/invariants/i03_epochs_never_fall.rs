//! A promise is never forgotten, an epoch is active once, and a process start begins with no role.

use steward_protocol::replica::RoleName;

use crate::node::Fact;
use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for fact in &world.facts {
        match fact {
            Fact::Opened { partition, found, .. } => {
                let role = world.node.copies[partition].replica.role();
                if role != RoleName::Tailing {
                    return Err(format!("{partition} was opened as {role:?}"));
                }
                let promised = world.oracle.about(*partition).map(|known| known.promised).unwrap_or_default();
                if found.promised() < promised {
                    return Err(format!("{partition} finds promise {} after {promised} was given", found.promised()));
                }
            }
            Fact::Activated { partition, epoch, is_first: false, .. } => {
                return Err(format!("{partition} is active in epoch {epoch} for the second time"));
            }
            Fact::Activated { is_first: true, .. }
            | Fact::MarkerAppended { .. }
            | Fact::Committed { .. }
            | Fact::SteppedDown { .. }
            | Fact::Applied { .. } => {}
        }
    }
    Ok(())
}
