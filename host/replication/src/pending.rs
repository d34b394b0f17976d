//! How much the documents of a node still have to send, and how much they may.
//!
//! **Problem.** A document that answers each effect with more of them fills memory and disk, in seconds and out of a request of some
//! hundred bytes. Its target is not the one who pays: all documents of the node do.
//!
//! **Promise.** What is pending is counted, in effects and in bytes, by factory and for the node. An update that would add more than a
//! document, its factory or the node may have is refused before it exists, so that the one who caused it hears of it. An update that
//! settles at least as many effects and bytes as it adds is taken whatever is pending: it is how the amount falls.
//!
//! Updates under way are not counted, so each may be passed by as much as they add.

use std::collections::HashMap;
use std::sync::Mutex;

use steward_model::Link;
use steward_model::update::{PendingEffect, Update};

use crate::observer::unpoisoned;

/// The part of what a node may have that one factory may have.
const FACTORY_PART: usize = 2;

/// The part of what a node may have that one document may have.
const DOCUMENT_PART: usize = 16;

/// An amount of effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// How many requests that are committed and not settled.
    pub effects: usize,
    /// Their bytes, as [`PendingEffect::bytes`] counts them.
    pub bytes: usize,
    /// How many of them wait for a moment of their own: what authors call timers.
    pub timers: usize,
}

impl Amount {
    /// Returns a bound on effects and their bytes, whatever part of them are timers.
    pub const fn bound(effects: usize, bytes: usize) -> Amount {
        Amount { effects, bytes, timers: usize::MAX }
    }

    /// Returns the amount of one effect.
    pub(crate) fn of(effect: &PendingEffect) -> Amount {
        Amount { effects: 1, bytes: effect.bytes(), timers: usize::from(effect.effect.delay_millis > 0) }
    }

    pub(crate) fn plus(self, more: Amount) -> Amount {
        Amount {
            effects: self.effects.saturating_add(more.effects),
            bytes: self.bytes.saturating_add(more.bytes),
            timers: self.timers.saturating_add(more.timers),
        }
    }

    pub(crate) fn minus(self, less: Amount) -> Amount {
        Amount {
            effects: self.effects.saturating_sub(less.effects),
            bytes: self.bytes.saturating_sub(less.bytes),
            timers: self.timers.saturating_sub(less.timers),
        }
    }

    fn part(self, part: usize) -> Amount {
        Amount { effects: self.effects.div_ceil(part), bytes: self.bytes.div_ceil(part), timers: self.timers }
    }

    fn exceeds(self, most: Amount) -> bool {
        self.effects > most.effects || self.bytes > most.bytes
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} effects of {} bytes", self.effects, self.bytes)
    }
}

/// Why an update may not add effects. It passes as effects are sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{whose} has {pending} to send already, at most {most} are allowed; try again when some were sent")]
pub struct TooMany {
    /// Who has too many: a document, a factory, or the node.
    pub whose: String,
    /// What waits to be sent.
    pub pending: Amount,
    /// What the document, the factory or the node may have waiting.
    pub most: Amount,
}

#[derive(Debug, Default)]
struct Count {
    all: Amount,
    by_factory: HashMap<Link, Amount>,
}

/// What waits to be sent by the documents that this node serves.
#[derive(Debug)]
pub struct PendingEffects {
    most: Amount,
    count: Mutex<Count>,
}

impl Default for PendingEffects {
    /// Returns a count without a bound.
    fn default() -> PendingEffects {
        PendingEffects::new(Amount::bound(usize::MAX, usize::MAX))
    }
}

impl PendingEffects {
    /// Returns a count of nothing, for a node that may have `most`.
    pub(crate) fn new(most: Amount) -> PendingEffects {
        PendingEffects { most, count: Mutex::default() }
    }

    /// Returns what waits on this node, by factory; of factories that had something once.
    pub fn by_factory(&self) -> Vec<(Link, Amount)> {
        let count = unpoisoned(self.count.lock());
        count.by_factory.iter().map(|(factory, amount)| (factory.clone(), *amount)).collect()
    }

    pub(crate) fn add(&self, document: &Link, amount: Amount) {
        let factory = factory_of(document);
        let mut count = unpoisoned(self.count.lock());
        count.all = count.all.plus(amount);
        let of_factory = count.by_factory.entry(factory).or_default();
        *of_factory = of_factory.plus(amount);
    }

    pub(crate) fn remove(&self, document: &Link, amount: Amount) {
        let factory = factory_of(document);
        let mut count = unpoisoned(self.count.lock());
        count.all = count.all.minus(amount);
        let of_factory = count.by_factory.entry(factory).or_default();
        *of_factory = of_factory.minus(amount);
    }

    /// Refuses an update that adds more effects than there may be; `own` is what its document has, `settled` what of that the update
    /// settles.
    ///
    /// # Errors
    /// [`TooMany`] says who has too many.
    pub(crate) fn check(&self, update: &Update, own: Amount, settled: Amount) -> Result<(), TooMany> {
        let adds = update.effects.iter().map(Amount::of).fold(Amount::default(), Amount::plus);
        if !adds.exceeds(settled) {
            return Ok(());
        }
        let link = &update.document.link;
        let factory = factory_of(link);
        let (all, of_factory) = {
            let count = unpoisoned(self.count.lock());
            (count.all, count.by_factory.get(&factory).copied().unwrap_or_default())
        };
        let limits = [
            (own, self.most.part(DOCUMENT_PART), link.to_string()),
            (of_factory, self.most.part(FACTORY_PART), factory.to_string()),
            (all, self.most, "this node".to_owned()),
        ];
        // Who has nothing may add whatever one update holds, or it could never be taken.
        let passed = |(pending, most, _): &(Amount, Amount, String)| {
            let left = pending.minus(settled);
            left.effects > 0 && left.plus(adds).exceeds(*most)
        };
        match limits.into_iter().find(passed) {
            Some((pending, most, whose)) => Err(TooMany { whose, pending, most }),
            None => Ok(()),
        }
    }
}

/// Returns the factory of a document, as its link tells.
fn factory_of(document: &Link) -> Link {
    document.parent().unwrap_or_else(|| document.clone())
}
