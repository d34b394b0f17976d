//! The partition's pending effects, in memory: a mirror of the outbox rows of the state store plus what is committed and
//! not applied yet. It says which effect may go out next; carrying it out is the outbox driver's work.
//!
//! Order: effects of one document go out as they were issued, one at a time, each after the one before it was settled. An
//! effect with a delay waits for its moment beside that queue and holds nobody up.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use steward_model::operation::EffectKey;
use steward_model::update::PendingEffect;
use steward_model::{Link, Position, Timestamp};
use steward_protocol::schedule::Timers;

type Order = (Position, u32);

fn order(key: &EffectKey) -> Order {
    (key.at, key.number)
}

#[derive(Debug, Default)]
struct Pending {
    prompt: BTreeMap<Order, PendingEffect>,
    delayed: BTreeMap<(Timestamp, Order), PendingEffect>,
    under_way: bool,
}

/// See the head of this module.
#[derive(Debug, Default)]
pub struct Outbox {
    documents: HashMap<Link, Pending>,
    ready: BTreeSet<Link>,
    timers: Timers<Link>,
    count: usize,
}

impl Outbox {
    /// Adds a committed effect.
    pub fn add(&mut self, effect: PendingEffect) {
        let link = effect.key.link.clone();
        let pending = self.documents.entry(link.clone()).or_default();
        let before = if effect.effect.delay_millis == 0 {
            self.ready.insert(link);
            pending.prompt.insert(order(&effect.key), effect)
        } else {
            self.timers.add(effect.due, link);
            pending.delayed.insert((effect.due, order(&effect.key)), effect)
        };
        self.count += usize::from(before.is_none());
    }

    /// Removes a settled effect.
    pub fn settle(&mut self, key: &EffectKey) {
        let Some(pending) = self.documents.get_mut(&key.link) else { return };
        if pending.prompt.remove(&order(key)).is_some() {
            self.count -= 1;
        }
        let delayed = pending.delayed.keys().find(|(_, number)| *number == order(key)).copied();
        if let Some(place) = delayed {
            pending.delayed.remove(&place);
            self.count -= 1;
        }
        if pending.prompt.is_empty() && pending.delayed.is_empty() && !pending.under_way {
            self.documents.remove(&key.link);
        }
    }

    /// Returns the documents that have an effect to send now and nobody at work on it, at most `limit`, and marks them as
    /// being worked on.
    pub fn claim(&mut self, now: Timestamp, limit: usize) -> Vec<Link> {
        let mut due = Vec::new();
        self.timers.due(now, self.timers.len(), &mut due);
        self.ready.extend(due);
        let mut claimed = Vec::new();
        while claimed.len() < limit
            && let Some(link) = self.ready.pop_first()
        {
            if let Some(pending) = self.documents.get_mut(&link)
                && !pending.under_way
            {
                pending.under_way = true;
                claimed.push(link);
            }
        }
        claimed
    }

    /// Returns the next effect of a claimed document that may go out now and is not among `sent`.
    pub fn next(&self, link: &Link, now: Timestamp, sent: &[EffectKey]) -> Option<PendingEffect> {
        let pending = self.documents.get(link)?;
        let unsent = |effect: &&PendingEffect| !sent.contains(&effect.key);
        let due = pending.delayed.iter().take_while(|((due, _), _)| *due <= now).map(|(_, effect)| effect).find(unsent);
        due.or_else(|| pending.prompt.values().find(unsent)).cloned()
    }

    /// Returns true if the effect has not been settled.
    pub fn is_pending(&self, key: &EffectKey) -> bool {
        self.documents.get(&key.link).is_some_and(|pending| {
            let delayed = || pending.delayed.keys().any(|(_, number)| *number == order(key));
            pending.prompt.contains_key(&order(key)) || delayed()
        })
    }

    /// Ends the claim on a document. What is still pending is claimed again when it is due.
    pub fn release(&mut self, link: &Link) {
        let Some(pending) = self.documents.get_mut(link) else { return };
        pending.under_way = false;
        if !pending.prompt.is_empty() {
            self.ready.insert(link.clone());
        }
        if let Some((&(due, _), _)) = pending.delayed.first_key_value() {
            self.timers.add(due, link.clone());
        }
        if pending.prompt.is_empty() && pending.delayed.is_empty() {
            self.documents.remove(link);
        }
    }

    /// Returns when the next delayed effect is due; the past if an effect can go out now.
    pub fn next_due(&self) -> Option<Timestamp> {
        if !self.ready.is_empty() {
            return Some(Timestamp(0));
        }
        self.timers.next_due()
    }

    /// Returns how many effects are pending.
    pub fn pending(&self) -> usize {
        self.count
    }

    /// Forgets everything; used when a reign ends.
    pub fn clear(&mut self) {
        *self = Outbox::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steward_model::operation::Effect;
    use steward_model::{Action, Epoch, Offset};

    fn effect(offset: u64, number: u32, delay: i64) -> PendingEffect {
        let link = Link::parse("/core/a/b").expect("a valid link");
        let at = Position { epoch: Epoch::ZERO, offset: Offset(offset) };
        let key = EffectKey { link, at, number };
        let effect = Effect {
            to: "/x".into(),
            action: Action::Patch,
            headers: vec![],
            body: None,
            delay_millis: delay,
            reply_tag: String::new(),
        };
        PendingEffect { key, due: Timestamp(delay * 1000), issued: Timestamp(0), effect }
    }

    #[test]
    fn effects_of_a_document_go_out_in_their_order_one_at_a_time() {
        let mut outbox = Outbox::default();
        outbox.add(effect(1, 1, 0));
        outbox.add(effect(1, 0, 0));
        let link = effect(1, 0, 0).key.link;
        assert_eq!(outbox.claim(Timestamp(1), 8), vec![link.clone()]);
        assert!(outbox.claim(Timestamp(1), 8).is_empty());
        let first = outbox.next(&link, Timestamp(1), &[]).expect("the first effect");
        assert_eq!(first.key.number, 0);
        let second = outbox.next(&link, Timestamp(1), std::slice::from_ref(&first.key)).expect("the second effect");
        assert_eq!(second.key.number, 1);
        outbox.settle(&first.key);
        outbox.settle(&second.key);
        assert_eq!(outbox.next(&link, Timestamp(1), &[]), None);
        outbox.release(&link);
        assert_eq!(outbox.pending(), 0);
        assert_eq!(outbox.next_due(), None);
    }

    #[test]
    fn a_delayed_effect_holds_nobody_up_and_goes_out_when_due() {
        let mut outbox = Outbox::default();
        outbox.add(effect(1, 0, 50));
        outbox.add(effect(1, 1, 0));
        let link = effect(1, 0, 0).key.link;
        assert_eq!(outbox.claim(Timestamp(1), 8), vec![link.clone()]);
        let prompt = outbox.next(&link, Timestamp(1), &[]).expect("the prompt effect");
        assert_eq!(prompt.key.number, 1);
        outbox.settle(&prompt.key);
        assert_eq!(outbox.next(&link, Timestamp(1), &[]), None);
        outbox.release(&link);
        assert_eq!(outbox.next_due(), Some(Timestamp(50_000)));
        assert!(outbox.claim(Timestamp(49_999), 8).is_empty());
        assert_eq!(outbox.claim(Timestamp(50_000), 8), vec![link.clone()]);
        assert_eq!(outbox.next(&link, Timestamp(50_000), &[]).map(|effect| effect.key.number), Some(0));
    }
}
