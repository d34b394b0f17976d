//! Model check: every way that a few messages, writes, crashes and changes of the row can go, over the cores of production.
//!
//! Simulation takes one way through a large world and looks again with another seed; this takes *all* ways through a small
//! one. A rule that only fails when three things happen in one order is found here, or it is not there within the scope.
//!
//! ```text
//!  World ─ actions ─► World' ─ actions ─► …      breadth first, until nothing new is reached (stateright)
//!    └ properties: I1 I2 I3 I4 I10 I22, and every assertion of the cores
//! ```
//!
//! Each rule is broken once (`must_fail`), and must be found broken by the statement that names it.
//!
//! | to run | say |
//! |---|---|
//! | the scopes of the suite | `cargo modelcheck` |
//! | larger ones, for hours | `STEWARD_MODELCHECK_STATES=500000000 cargo modelcheck --release scopes -- --nocapture` |
//! | more and longer walks | `STEWARD_MODELCHECK_WALKS=1000000 cargo modelcheck --release walks -- --nocapture` |
//!
//! Source: host/docs/protocol.md, "Invariants"; stateright, <https://www.stateright.rs>.

mod actions;
mod broken;
mod directed;
mod properties;
mod scope;
mod scopes;
mod walk;
mod world;

use stateright::{Checker, Model, Property};

use actions::Action;
use scope::Scope;
use world::World;

impl Model for Scope {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, state: &World, actions: &mut Vec<Action>) {
        state.actions(self, actions);
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        last.after(self, action)
    }

    fn properties(&self) -> Vec<Property<Scope>> {
        vec![Property::always("every statement holds", |scope: &Scope, world| properties::check(scope, world).is_ok())]
    }
}

/// Looks at every world of a scope, or at so many. Returns how many those were, and whether all.
///
/// # Errors
/// The way to a world in which a statement is false.
fn explore(scope: Scope, states_max: usize) -> anyhow::Result<(usize, bool)> {
    let checker = scope.checker().threads(2).target_state_count(states_max).spawn_bfs().join();
    if let Some(path) = checker.discovery("every statement holds") {
        let way: Vec<(World, Option<Action>)> = path.into_vec();
        let lines = way.iter().filter_map(|(world, action)| Some(walk::describe(world, (*action)?)));
        let lines: Vec<String> = lines.collect();
        let last = way.last().map(|(world, _)| properties::check(&scope, world));
        anyhow::bail!("{}: {last:?} after\n  {}", scope.name, lines.join("\n  "));
    }
    Ok((checker.unique_state_count(), checker.is_done() && checker.state_count() < states_max))
}
