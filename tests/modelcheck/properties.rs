//! What must be true of every world. What a replica core can check by itself it checks after every event.

use steward_model::{Lane, Position};

use crate::scope::Scope;
use crate::world::{Node, World};

/// Returns nothing if every statement holds.
///
/// # Errors
/// The statement that does not.
pub(crate) fn check(scope: &Scope, world: &World) -> Result<(), String> {
    match &world.broken {
        Some(broken) => Err(broken.clone()),
        None => {
            holders_are_met(scope, world)?;
            members_can_be_fed(scope, world)
        }
    }
}

/// I4: any `r` members of the in-sync set include a holder of every committed record.
fn holders_are_met(scope: &Scope, world: &World) -> Result<(), String> {
    let members: Vec<&Node> = world.members(scope.lane).collect();
    for (position, _) in &world.committed {
        let lacking = members.iter().filter(|node| !node.holds(*position)).count();
        if lacking >= world.row.recovery_quorum as usize {
            return Err(format!("I4: {lacking} members lack {position}, a recovery by {} may miss it", world.row));
        }
    }
    Ok(())
}

/// I22: each member of the in-sync set has the records that every other one lacks.
fn members_can_be_fed(scope: &Scope, world: &World) -> Result<(), String> {
    if scope.lane == Lane::Volatile {
        return Ok(());
    }
    let members: Vec<&Node> = world.members(scope.lane).collect();
    for other in &members {
        let agreed = agreed(world, other);
        if let Some(source) = members.iter().find(|source| source.start.0 as usize > agreed) {
            let (source, start, fed) = (source.own, source.start, other.own);
            return Err(format!("I22: the log of {source} begins at {start}, {fed} has {agreed} committed records"));
        }
    }
    Ok(())
}

/// Returns how many of the committed records a node has, from the first one on.
fn agreed(world: &World, node: &Node) -> usize {
    let holds = |(position, _): &&(Position, _)| node.holds(*position);
    world.committed.iter().take_while(holds).count()
}
