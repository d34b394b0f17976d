//! The partition's pending effects, in memory: a mirror of the outbox rows of the state store plus what is committed and
//! not applied yet. It says which effect may go out next; carrying it out is the work of the courier that claims the document.
//!
//! Order: effects of one document go out as they were issued, one at a time. An effect with a delay waits for its moment
//! beside that queue and holds nobody up.
//!
//! Who can take no effects now, because nothing is deployed there, is not asked again and again: effects for it are held until
//! other services are mounted. A held effect keeps those behind it in their order, and lets delayed ones pass.
//!
//! A claim ends with the reign in which it was made: nothing is claimed before the reign knows everything that is pending,
//! and a claim of an earlier reign finds nothing more to send.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use steward_model::mutation::{self, Mutation};
use steward_model::operation::EffectKey;
use steward_model::update::PendingEffect;
use steward_model::{Epoch, Link, Position, Timestamp};
use steward_protocol::schedule::Timers;

use crate::pending::{Amount, PendingEffects};

use super::senders::Senders;

/// The place of an effect among those of its document.
type Order = (Position, u32);

fn order(key: &EffectKey) -> Order {
    (key.at, key.number)
}

/// The right to send the effects of a document, in one reign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The document whose effects may be sent.
    pub link: Link,
    /// The reign in which it was made.
    epoch: Epoch,
}

#[derive(Debug, Default)]
struct Pending {
    prompt: BTreeMap<Order, PendingEffect>,
    delayed: BTreeMap<(Timestamp, Order), PendingEffect>,
    /// Answered; the note that says so is on its way into the log.
    sent: BTreeSet<Order>,
    /// Not to be sent before other services are mounted.
    held: BTreeSet<Order>,
    is_claimed: bool,
    amount: Amount,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.prompt.is_empty() && self.delayed.is_empty()
    }

    fn effect(&self, order: Order) -> Option<&PendingEffect> {
        let delayed = || self.delayed.iter().find(|((_, other), _)| *other == order).map(|(_, effect)| effect);
        self.prompt.get(&order).or_else(delayed)
    }

    /// Returns the next effect without a delay; none if it is held, for it keeps its place.
    fn next_prompt(&self) -> Option<&PendingEffect> {
        let next = self.prompt.iter().find(|(order, _)| !self.sent.contains(order));
        next.filter(|(order, _)| !self.held.contains(order)).map(|(_, effect)| effect)
    }

    fn next_delayed(&self) -> Option<(Timestamp, &PendingEffect)> {
        let waits = |order: &Order| !self.sent.contains(order) && !self.held.contains(order);
        let mut delayed = self.delayed.iter().filter(|((_, order), _)| waits(order));
        delayed.next().map(|((due, _), effect)| (*due, effect))
    }
}

/// What a reign knows.
#[derive(Debug)]
enum Knowledge {
    /// There is no reign: others send.
    Nothing,
    /// The reign has begun and the state store has not told yet. Until it has, what is settled is noted, so that the rows
    /// of an older view do not bring it back.
    Loading { epoch: Epoch, settled: HashSet<EffectKey> },
    /// Everything pending is here.
    All { epoch: Epoch },
}

/// The pending effects of one partition, as far as this reign knows them.
#[derive(Debug)]
pub struct Outbox {
    documents: HashMap<Link, Pending>,
    ready: BTreeSet<Link>,
    timers: Timers<Link>,
    /// Documents of which an effect is held.
    holding: BTreeSet<Link>,
    /// How often other services were mounted when this was told last.
    mounts: u64,
    count: usize,
    knowledge: Knowledge,
    /// The count of the node, of which this is a part.
    all: Arc<PendingEffects>,
}

impl Outbox {
    /// Returns the outbox of a copy that does not reign; what it has to send counts in `all`.
    pub(super) fn new(all: Arc<PendingEffects>) -> Outbox {
        Outbox {
            documents: HashMap::new(),
            ready: BTreeSet::new(),
            timers: Timers::default(),
            holding: BTreeSet::new(),
            mounts: 0,
            count: 0,
            knowledge: Knowledge::Nothing,
            all,
        }
    }

    /// A reign begins. What was pending before is told by the state store.
    pub(super) fn begin(&mut self, epoch: Epoch) {
        self.clear();
        self.knowledge = Knowledge::Loading { epoch, settled: HashSet::new() };
    }

    /// The reign ends: all claims are void.
    pub(super) fn end(&mut self) {
        if !mutation::is(Mutation::ClaimSurvives) {
            self.clear();
        }
    }

    fn clear(&mut self) {
        for (link, pending) in &self.documents {
            self.all.remove(link, pending.amount);
        }
        *self = Outbox { mounts: self.mounts, ..Outbox::new(Arc::clone(&self.all)) };
    }

    /// Returns what a document has to send, as far as this reign knows.
    pub(super) fn amount_of(&self, document: &Link) -> Amount {
        self.documents.get(document).map(|pending| pending.amount).unwrap_or_default()
    }

    /// Returns how much will be sent no more once these are settled.
    pub(super) fn amount_settled(&self, keys: &[EffectKey]) -> Amount {
        let effects = keys.iter().filter_map(|key| self.documents.get(&key.link)?.effect(order(key)));
        effects.map(Amount::of).fold(Amount::default(), Amount::plus)
    }

    /// Returns true once everything that is pending is here.
    pub fn is_loaded(&self) -> bool {
        matches!(self.knowledge, Knowledge::All { .. })
    }

    /// Returns the reign that waits for what the state store holds, if one does.
    pub(super) fn loading(&self) -> Option<Epoch> {
        match self.knowledge {
            Knowledge::Loading { epoch, .. } => Some(epoch),
            Knowledge::Nothing | Knowledge::All { .. } => None,
        }
    }

    /// Takes what the state store held at some offset after the reign had begun. Rows of another reign's question are
    /// passed over. Returns how many were new.
    ///
    /// A delay that began before is waited for once more at the longest: a moment that was reckoned by a clock that somebody
    /// had set far ahead would otherwise not come for years.
    pub(super) fn load(&mut self, asked: Epoch, now: Timestamp, rows: Vec<PendingEffect>) -> usize {
        let settled = match &mut self.knowledge {
            Knowledge::Loading { epoch, settled } if *epoch == asked => std::mem::take(settled),
            Knowledge::Loading { .. } | Knowledge::Nothing | Knowledge::All { .. } => return 0,
        };
        let before = self.count;
        for mut row in
            rows.into_iter().filter(|row| !settled.contains(&row.key) && !mutation::is(Mutation::OutboxNotLoaded))
        {
            row.due = row.due.min(now.plus(Duration::from_millis(row.effect.delay_millis.max(0).unsigned_abs())));
            self.add(row);
        }
        self.knowledge = Knowledge::All { epoch: asked };
        self.count - before
    }

    /// Adds a committed effect.
    pub(super) fn add(&mut self, effect: PendingEffect) {
        let (link, amount) = (effect.key.link.clone(), Amount::of(&effect));
        let pending = self.documents.entry(link.clone()).or_default();
        let before = if effect.effect.delay_millis == 0 {
            self.ready.insert(link.clone());
            pending.prompt.insert(order(&effect.key), effect)
        } else {
            self.timers.add(effect.due, link.clone());
            pending.delayed.insert((effect.due, order(&effect.key)), effect)
        };
        if before.is_none() {
            self.count += 1;
            pending.amount = pending.amount.plus(amount);
            self.all.add(&link, amount);
        }
    }

    /// Removes a settled effect: the note that says so is committed.
    pub(super) fn settle(&mut self, key: &EffectKey) {
        if let Knowledge::Loading { settled, .. } = &mut self.knowledge {
            settled.insert(key.clone());
        }
        let Some(pending) = self.documents.get_mut(&key.link) else { return };
        let order = order(key);
        pending.sent.remove(&order);
        if pending.held.remove(&order) && !pending.is_claimed {
            // What it kept from being sent is free.
            self.ready.insert(key.link.clone());
        }
        let delayed = pending.delayed.keys().find(|(_, other)| *other == order).copied();
        let delayed = delayed.and_then(|place| pending.delayed.remove(&place));
        for effect in pending.prompt.remove(&order).into_iter().chain(delayed) {
            let amount = Amount::of(&effect);
            self.count -= 1;
            pending.amount = pending.amount.minus(amount);
            self.all.remove(&key.link, amount);
        }
        if pending.is_empty() && !pending.is_claimed {
            self.documents.remove(&key.link);
        }
    }

    /// Returns claims on documents that have an effect to send now and that nobody has claimed, at most `limit`; none as long
    /// as the reign does not know everything that is pending.
    pub fn claim(&mut self, now: Timestamp, limit: usize) -> Vec<Claim> {
        let Knowledge::All { epoch } = self.knowledge else { return Vec::new() };
        let mut due = Vec::new();
        self.timers.due(now, self.timers.len(), &mut due);
        self.ready.extend(due);
        let mut claimed = Vec::new();
        while claimed.len() < limit
            && let Some(link) = self.ready.pop_first()
        {
            if let Some(pending) = self.documents.get_mut(&link)
                && !pending.is_claimed
            {
                pending.is_claimed = true;
                claimed.push(Claim { link, epoch });
            }
        }
        claimed
    }

    /// Returns true as long as the reign of the claim lasts.
    pub fn is_valid(&self, claim: &Claim) -> bool {
        let survives = mutation::is(Mutation::ClaimSurvives);
        matches!(self.knowledge, Knowledge::All { epoch } if epoch == claim.epoch || survives)
    }

    /// Returns the next effect of a claimed document that may go out now and was not sent; none if the claim is void.
    pub fn next(&self, claim: &Claim, now: Timestamp) -> Option<PendingEffect> {
        if !self.is_valid(claim) {
            return None;
        }
        let pending = self.documents.get(&claim.link)?;
        let due = pending.next_delayed().filter(|(due, _)| *due <= now).map(|(_, effect)| effect);
        due.or_else(|| pending.next_prompt()).cloned()
    }

    /// Notes that an effect was answered. It stays pending until the note of that is committed, and is not sent again in
    /// this reign.
    pub fn sent(&mut self, claim: &Claim, key: &EffectKey) {
        if self.is_valid(claim)
            && let Some(pending) = self.documents.get_mut(&claim.link)
        {
            pending.sent.insert(order(key));
        }
    }

    /// Holds an effect for which there is no target among the services that were mounted last, by their count `mounts`. It is tried
    /// again at once if others are mounted by now.
    pub fn hold(&mut self, claim: &Claim, key: &EffectKey, mounts: u64) {
        if self.is_valid(claim)
            && mounts >= self.mounts
            && let Some(pending) = self.documents.get_mut(&claim.link)
        {
            pending.held.insert(order(key));
            self.holding.insert(claim.link.clone());
        }
    }

    /// Lets go of what is held: other services are mounted, for the `mounts`th time.
    pub fn let_go(&mut self, mounts: u64) {
        self.mounts = self.mounts.max(mounts);
        for link in std::mem::take(&mut self.holding) {
            if let Some(pending) = self.documents.get_mut(&link) {
                pending.held.clear();
                self.ready.insert(link);
            }
        }
    }

    /// Returns what documents have to send, each in the order in which it is sent; timers last.
    pub(super) fn of<'a>(&'a self, senders: &'a Senders) -> impl Iterator<Item = &'a PendingEffect> {
        let (one, all) = match senders {
            Senders::Document(link) => (self.documents.get(link), None),
            Senders::Factory(_) => (None, Some(self.documents.iter().filter(|(link, _)| senders.include(link)))),
        };
        let all = all.into_iter().flatten().map(|(_, pending)| pending);
        one.into_iter().chain(all).flat_map(|pending| pending.prompt.values().chain(pending.delayed.values()))
    }

    /// Returns true if the effect has not been settled.
    pub fn is_pending(&self, key: &EffectKey) -> bool {
        self.documents.get(&key.link).is_some_and(|pending| {
            let order = order(key);
            pending.prompt.contains_key(&order) || pending.delayed.keys().any(|(_, other)| *other == order)
        })
    }

    /// Ends a claim. What is still pending is claimed again when it is due.
    pub fn release(&mut self, claim: &Claim) {
        if !self.is_valid(claim) {
            return;
        }
        let link = &claim.link;
        let Some(pending) = self.documents.get_mut(link) else { return };
        pending.is_claimed = false;
        if pending.next_prompt().is_some() {
            self.ready.insert(link.clone());
        }
        if let Some((due, _)) = pending.next_delayed() {
            self.timers.add(due, link.clone());
        }
        if pending.is_empty() {
            self.documents.remove(link);
        }
    }

    /// Returns when the next delayed effect is due; the past if an effect can go out now.
    pub fn next_due(&self) -> Option<Timestamp> {
        match (&self.knowledge, self.ready.is_empty()) {
            (Knowledge::Nothing | Knowledge::Loading { .. }, _) => None,
            (Knowledge::All { .. }, false) => Some(Timestamp(0)),
            (Knowledge::All { .. }, true) => self.timers.next_due(),
        }
    }

    /// Returns how many effects are pending.
    pub fn pending(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steward_model::operation::Effect;
    use steward_model::{Action, Offset};

    const REIGN: Epoch = Epoch { incarnation: 0, loss: 0, ownership: 1 };

    fn effect(offset: u64, number: u32, delay: i64) -> PendingEffect {
        let link = Link::parse("/core/a/b").expect("a valid link");
        let at = Position { epoch: REIGN, offset: Offset(offset) };
        let key = EffectKey { link, at, number };
        let effect = Effect {
            to: "/x".into(),
            action: Action::Patch,
            headers: vec![],
            body: None,
            delay_millis: delay,
            reply_tag: String::new(),
        };
        PendingEffect { key, due: Timestamp(delay * 1000), issued: Timestamp(0), request: "r-1".to_owned(), effect }
    }

    fn loaded(rows: Vec<PendingEffect>) -> Outbox {
        let mut outbox = Outbox::new(Arc::default());
        outbox.begin(REIGN);
        outbox.load(REIGN, Timestamp(0), rows);
        outbox
    }

    #[test]
    fn effects_of_a_document_go_out_in_their_order_one_at_a_time() {
        let mut outbox = loaded(vec![effect(1, 1, 0), effect(1, 0, 0)]);
        let claim = outbox.claim(Timestamp(1), 8).pop().expect("there are effects");
        assert!(outbox.claim(Timestamp(1), 8).is_empty());
        let first = outbox.next(&claim, Timestamp(1)).expect("the first effect");
        assert_eq!(first.key.number, 0);
        outbox.sent(&claim, &first.key);
        let second = outbox.next(&claim, Timestamp(1)).expect("the second effect");
        assert_eq!(second.key.number, 1);
        outbox.sent(&claim, &second.key);
        assert_eq!(outbox.next(&claim, Timestamp(1)), None);
        outbox.release(&claim);
        assert_eq!((outbox.pending(), outbox.claim(Timestamp(1), 8)), (2, vec![]), "the notes are on their way");
        outbox.settle(&first.key);
        outbox.settle(&second.key);
        assert_eq!((outbox.pending(), outbox.next_due()), (0, None));
    }

    #[test]
    fn a_held_effect_keeps_its_place_until_others_are_mounted_or_it_is_given_up() {
        let mut outbox = loaded(vec![effect(1, 0, 0), effect(1, 1, 0), effect(1, 2, 5), effect(1, 3, 5)]);
        let numbers = |outbox: &mut Outbox, mounts| {
            let claim = outbox.claim(Timestamp(5_000), 8).pop()?;
            let mut numbers = Vec::new();
            while let Some(effect) = outbox.next(&claim, Timestamp(5_000)).filter(|_| numbers.len() < 9) {
                numbers.push(effect.key.number);
                outbox.hold(&claim, &effect.key, mounts);
            }
            outbox.release(&claim);
            Some(numbers)
        };
        assert_eq!(numbers(&mut outbox, 0), Some(vec![2, 3, 0]));
        assert_eq!((numbers(&mut outbox, 0), outbox.next_due()), (None, None), "nothing is looked at meanwhile");
        outbox.settle(&effect(1, 0, 0).key);
        assert_eq!(numbers(&mut outbox, 0), Some(vec![1]), "the next has its place");
        outbox.let_go(1);
        assert_eq!(
            numbers(&mut outbox, 0),
            Some(vec![2; 9]),
            "what was tried before the others were mounted is not held"
        );
        assert_eq!(numbers(&mut outbox, 1), Some(vec![2, 3, 1]));
    }

    #[test]
    fn a_delayed_effect_holds_nobody_up_and_goes_out_when_due() {
        let mut outbox = loaded(vec![effect(1, 0, 50), effect(1, 1, 0)]);
        let claim = outbox.claim(Timestamp(1), 8).pop().expect("there are effects");
        let prompt = outbox.next(&claim, Timestamp(1)).expect("the prompt effect");
        assert_eq!(prompt.key.number, 1);
        outbox.sent(&claim, &prompt.key);
        outbox.settle(&prompt.key);
        assert_eq!(outbox.next(&claim, Timestamp(1)), None);
        outbox.release(&claim);
        assert_eq!(outbox.next_due(), Some(Timestamp(50_000)));
        assert!(outbox.claim(Timestamp(49_999), 8).is_empty());
        let claim = outbox.claim(Timestamp(50_000), 8).pop().expect("it is due");
        assert_eq!(outbox.next(&claim, Timestamp(50_000)).map(|effect| effect.key.number), Some(0));
    }

    #[test]
    fn nothing_is_claimed_before_the_older_effects_are_known() {
        let mut outbox = Outbox::new(Arc::default());
        outbox.begin(REIGN);
        outbox.add(effect(9, 0, 0));
        assert!(outbox.claim(Timestamp(1), 8).is_empty() && outbox.next_due().is_none());
        assert_eq!(outbox.load(REIGN, Timestamp(0), vec![effect(1, 0, 0), effect(9, 0, 0)]), 1);
        let claim = outbox.claim(Timestamp(1), 8).pop().expect("all are known");
        assert_eq!(outbox.next(&claim, Timestamp(1)).map(|effect| effect.key.at.offset), Some(Offset(1)));
    }

    #[test]
    fn an_effect_settled_while_the_store_is_asked_does_not_come_back() {
        let mut outbox = Outbox::new(Arc::default());
        outbox.begin(REIGN);
        outbox.settle(&effect(1, 0, 0).key);
        assert_eq!(outbox.load(REIGN, Timestamp(0), vec![effect(1, 0, 0)]), 0);
        assert_eq!(outbox.pending(), 0);
    }

    #[test]
    fn a_delay_reckoned_by_a_clock_set_far_ahead_ends_after_its_own_length() {
        let century = effect(1, 0, 50);
        let century = PendingEffect { due: Timestamp(century.due.0 + 3_200_000_000_000_000), ..century };
        let outbox = loaded(vec![century]);
        assert_eq!(outbox.next_due(), Some(Timestamp(50_000)));
    }

    #[test]
    fn a_claim_ends_with_its_reign() {
        let mut outbox = loaded(vec![effect(1, 0, 0)]);
        let claim = outbox.claim(Timestamp(1), 8).pop().expect("there is an effect");
        outbox.end();
        assert!(!outbox.is_valid(&claim) && outbox.next(&claim, Timestamp(1)).is_none());
        outbox.begin(REIGN.next_ownership());
        outbox.load(REIGN.next_ownership(), Timestamp(0), vec![effect(1, 0, 0)]);
        assert!(outbox.next(&claim, Timestamp(1)).is_none());
        // What the old holder does to its claim does not touch the new one.
        let anew = outbox.claim(Timestamp(1), 8).pop().expect("it is pending still");
        outbox.release(&claim);
        assert!(outbox.claim(Timestamp(1), 8).is_empty());
        assert!(outbox.next(&anew, Timestamp(1)).is_some());
    }
}
