//! Ways that are told step by step: rules that random walks would break too rarely.

use anyhow::{Context, Result, bail, ensure};
use steward_model::Lane;
use steward_model::mutation::Mutation;

use crate::actions::Action;
use crate::properties::check;
use crate::scope::{QUIET, Scope};
use crate::world::World;

/// One way through a world.
struct Way {
    scope: Scope,
    world: World,
    /// How many of the messages were looked at.
    looked_at: usize,
}

impl Way {
    fn new(scope: Scope) -> Way {
        crate::broken::keep_panics_quiet();
        Way { scope, world: World::new(&scope), looked_at: 0 }
    }

    fn act(&mut self, action: Action) {
        if let Some(after) = self.world.after(&self.scope, action) {
            self.world = after;
        }
    }

    /// Delivers everything that was sent since the last time and what follows from it, among these nodes.
    fn flow(&mut self, among: &[usize]) {
        while self.looked_at < self.world.sent.len() {
            let sent = &self.world.sent[self.looked_at];
            let both = [sent.from, sent.to].map(|member| member.node.0 as usize);
            self.looked_at += 1;
            if both.iter().all(|node| among.contains(node)) {
                self.act(Action::Deliver(self.looked_at - 1));
            }
        }
    }

    /// Delivers the last message from one node to another whose text has these words.
    fn deliver(&mut self, from: usize, to: usize, words: &str) -> Result<()> {
        let sent = &self.world.sent;
        let is_it = |at: &usize| {
            let ends = (sent[*at].from.node.0 as usize, sent[*at].to.node.0 as usize);
            ends == (from, to) && sent[*at].message.to_string().contains(words)
        };
        let found = (0..sent.len()).rev().find(is_it).with_context(|| format!("{words} from {from} to {to}"))?;
        self.act(Action::Deliver(found));
        Ok(())
    }

    /// Returns what is false, if anything is.
    fn broken(&self) -> Option<String> {
        check(&self.scope, &self.world).err()
    }
}

fn breaks(scope: Scope, mutation: Mutation, way: fn(&mut Way) -> Result<()>) -> Result<()> {
    let mut kept = Way::new(scope);
    way(&mut kept)?;
    ensure!(kept.broken().is_none(), "with every rule kept: {:?}", kept.broken());
    let mut broken = Way::new(Scope { mutation: Some(mutation), ..scope });
    way(&mut broken)?;
    match broken.broken() {
        Some(statement) if statement.contains("I10") => Ok(()),
        other => bail!("{mutation:?} breaks {other:?}"),
    }
}

/// An old owner reads when another one reigns, and hears an answer to the question before.
fn a_late_answer(way: &mut Way) -> Result<()> {
    way.act(Action::Name(0));
    way.flow(&[0, 1, 2]);
    way.act(Action::Read(0));
    way.deliver(0, 1, "question 1")?;
    way.deliver(0, 2, "question 1")?;
    way.deliver(1, 0, "answer 1")?;
    way.act(Action::Name(1));
    way.looked_at = way.world.sent.len() - 2;
    way.flow(&[1, 2]);
    way.act(Action::Read(0));
    way.deliver(2, 0, "answer 1")
}

/// A member that has promised a later reign forgets it with its memory, and confirms the old one.
fn a_forgotten_promise(way: &mut Way) -> Result<()> {
    way.act(Action::Name(0));
    way.flow(&[0, 1, 2]);
    way.act(Action::Name(1));
    way.flow(&[1, 2]);
    way.act(Action::Crash(2));
    way.act(Action::Read(0));
    // Nobody asks another boot than the one that is listed.
    let _ = way.deliver(0, 2, "question 1");
    let _ = way.deliver(2, 0, "answer 1");
    Ok(())
}

const READS: Scope = Scope { epochs: 2, reads: 2, ..QUIET };

#[test]
fn a_read_confirmed_by_an_earlier_question_is_noticed() -> Result<()> {
    breaks(READS, Mutation::ConfirmedByEarlierQuestion, a_late_answer)
}

#[test]
fn a_confirmation_of_another_boot_that_counts_is_noticed() -> Result<()> {
    let scope = Scope { lane: Lane::Volatile, crashes: 1, ..READS };
    breaks(scope, Mutation::BootUnchecked, a_forgotten_promise)
}
