//! An epoch is active at most once, a promise is never forgotten, and a process starts without a role.

use steward_protocol::replica::RoleName;

use crate::facts::Fact;
use crate::witness::Note;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for fact in facts {
        match fact {
            Fact::Opened(partition, found) => {
                let role = world.node.partitions.get(*partition).status().replica.role;
                if role != RoleName::Tailing {
                    return Err(format!("{partition} was opened as {role:?}"));
                }
                let promised = world.oracle.about(*partition).map(|known| known.promised).unwrap_or_default();
                if found.core.promised < promised {
                    return Err(format!(
                        "{partition} finds promise {} after {promised} was given",
                        found.core.promised
                    ));
                }
            }
            Fact::Noted(partition, Note::Activated(epoch))
                if world.oracle.about(*partition).is_some_and(|known| known.activated.contains(epoch)) =>
            {
                return Err(format!("{partition} is active in epoch {epoch} for the second time"));
            }
            _ => {}
        }
    }
    Ok(())
}
