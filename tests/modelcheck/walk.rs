//! Random walks: one way through a scope, drawn by a seed. What a search of everything cannot reach they may.

use std::collections::BTreeSet;

use steward_model::splitmix::SplitMix;

use crate::actions::Action;
use crate::properties::check;
use crate::scope::Scope;
use crate::world::World;

/// What a walk has found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) broken: String,
    pub(crate) trace: Vec<String>,
}

/// Walks `steps` steps and returns what broke, if anything did.
pub(crate) fn walk(scope: &Scope, seed: u64, steps: usize) -> Option<Found> {
    let mut random = SplitMix::new(seed);
    let mut world = World::new(scope);
    let (mut trace, mut actions, mut arrived) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut deaf = None;
    for _ in 0..steps {
        actions.clear();
        world.actions(scope, &mut actions);
        if actions.is_empty() {
            return None;
        }
        // Now and then somebody hears nothing for a while: that is how reigns overlap.
        if random.draw().is_multiple_of(12) {
            deaf = (random.draw() as usize).checked_rem(2 * scope.nodes);
        }
        let hears = |action: &Action| match action {
            Action::Deliver(at) => Some(world.sent[*at].to.node.0 as usize) != deaf,
            Action::Tell(at) => Some(*at) != deaf,
            Action::Name(_)
            | Action::Write(_)
            | Action::Crash(_)
            | Action::Decide(_)
            | Action::Lower
            | Action::Want(_)
            | Action::Tick(_)
            | Action::Read(_)
            | Action::Confirm(_)
            | Action::Sync(_)
            | Action::Trim(_)
            | Action::Rebuild(_)
            | Action::RebuildBare(_) => true,
        };
        actions.retain(hears);
        if actions.is_empty() {
            continue;
        }
        // Most messages arrive once, and soon: a walk that draws among all that were ever sent goes round in circles.
        let is_new = |action: &&Action| matches!(action, Action::Deliver(at) if !arrived.contains(at));
        let is_old = |action: &&Action| matches!(action, Action::Deliver(at) if arrived.contains(at));
        let kind: Vec<Action> = match random.draw() % 16 {
            0..9 => actions.iter().filter(is_new).copied().collect(),
            9 | 10 => actions.iter().filter(is_old).copied().collect(),
            _ => actions.iter().filter(|action| !is_new(action) && !is_old(action)).copied().collect(),
        };
        let from = if kind.is_empty() { &actions } else { &kind };
        let action = from[random.draw() as usize % from.len()];
        if let Action::Deliver(at) = action {
            arrived.insert(at);
        }
        let Some(after) = world.after(scope, action) else { continue };
        trace.push(describe(&world, action));
        world = after;
        if let Err(broken) = check(scope, &world) {
            return Some(Found { broken, trace });
        }
    }
    None
}

/// Returns what an action does, as people read it.
pub(crate) fn describe(world: &World, action: Action) -> String {
    match action {
        Action::Deliver(at) => {
            let sent = &world.sent[at];
            format!("{} hears from {}: {}", sent.to, sent.from, sent.message)
        }
        other => format!("{other:?}"),
    }
}
