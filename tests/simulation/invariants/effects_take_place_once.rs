//! A committed effect is carried out once at a target that remembers requests, and under a name that no other effect
//! has.

use steward_model::Lane;
use steward_model::Link;
use steward_model::update::RequestKey;

use crate::facts::Fact;
use crate::tasks::place;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    if let Some(reused) = &world.oracle.reused_name {
        return Err(reused.clone());
    }
    if let Some(stray) = self::stray(world) {
        return Err(stray);
    }
    if !facts.iter().any(|fact| matches!(fact, Fact::AtRest)) {
        return Ok(());
    }
    for partition in world.partitions.iter().filter(|partition| partition.lane == Lane::Persisted) {
        let Some(known) = world.oracle.about(*partition) else { continue };
        for (key, pending) in &known.model.issued {
            let Ok(to) = Link::parse(&pending.effect.to) else { continue };
            let target = place(&to);
            if target.lane == Lane::Volatile {
                continue;
            }
            let request = (to, RequestKey::of(&key.to_string()));
            let times = world.oracle.about(target).and_then(|known| known.effective.get(&request)).map_or(0, Vec::len);
            // That it is not carried out twice is said of every request.
            if times == 0 {
                return Err(format!("effect {key} to {} was never carried out", request.0));
            }
        }
    }
    Ok(())
}

/// Returns an effect that went out for a reign that was over.
fn stray(world: &World) -> Option<String> {
    world.around.stray.borrow().clone()
}
