//! Carries out the pending effects of a document: in order, one at a time, as long as the claim on the document lasts.
//!
//! Problem: the process may end at any instant between the commit of an effect, the request, the answer, and the note
//! that the effect was answered.
//!
//! Promise: an effect is settled only after its target has answered for good, or after it was given up. Until then it
//! stays in the outbox, which is part of the replicated state. After a crash it is sent again under the same key, by
//! which its target knows it.
//!
//! Left out: how a request travels, how long a pause is, and when an effect is given up. A [`Carrier`] decides these.

use std::future::Future;

use steward_model::mutation::{self, Mutation};
use steward_model::operation::EffectKey;
use steward_model::update::PendingEffect;
use steward_model::{Moment, Timestamp};

use crate::partition::{Claim, Partition};

/// Answered effects of a document that are settled together.
const SETTLED_TOGETHER: usize = 32;

/// What became of sending an effect once.
#[derive(Debug)]
pub enum Sent<R> {
    /// There is an answer that would not change, or the effect was given up.
    Answered(R),
    /// It may be answered later.
    Later {
        /// What would stand for the answer if the effect were given up now.
        otherwise: R,
    },
    /// Nothing is there that could take it: it waits until other services are mounted.
    Held {
        /// How often others were mounted before it was sent.
        mounts: u64,
    },
    /// The host stops: the next primary of the document sends the effect.
    Stopping,
}

/// What became of telling a document the answer to one of its effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It was told, and the effects are settled with what it made of the answer.
    Settled,
    /// It cannot be told, now or later: what was answered is settled without it.
    Never,
    /// It may be told later.
    Later,
}

/// What a courier needs of its host.
pub trait Carrier {
    /// An answer.
    type Reply;

    /// Returns the monotonic time.
    fn now(&self) -> Moment;

    /// Returns the time by which delayed effects become due; setting the clock of the machine does not move it.
    fn steady_time(&self) -> Timestamp;

    /// Sends an effect once, under its key; the first attempt of this claim was made at `began`.
    fn send(&self, effect: &PendingEffect, began: Moment) -> impl Future<Output = Sent<Self::Reply>>;

    /// Waits before the next attempt, after `attempts` of them; false if the host stops meanwhile.
    fn pause(&self, attempts: u32) -> impl Future<Output = bool>;

    /// Tells the document of `effect` the answer to it, and settles `settled`, of which it is the last, in the same update.
    fn tell(&self, effect: &PendingEffect, settled: &[EffectKey], reply: &Self::Reply) -> impl Future<Output = Told>;

    /// Proposes that these effects are settled, and does not wait for it.
    fn settle(&self, partition: &Partition, settled: Vec<EffectKey>);
}

/// Carries out what the claimed document has pending, and ends the claim.
pub async fn deliver<C: Carrier>(carrier: &C, partition: &Partition, claim: Claim) {
    let mut sent: Vec<EffectKey> = Vec::new();
    loop {
        let now = carrier.steady_time();
        let Some(effect) = partition.with_outbox(|outbox| outbox.next(&claim, now)) else { break };
        // Given up by the host or by the claim, not by the effect: it stays pending and is sent again under the same
        // key.
        let reply = match carry_out(carrier, partition, &claim, &effect, &mut sent).await {
            Carried::Answered(reply) => reply,
            Carried::Held => continue,
            Carried::Ended => break,
        };
        partition.with_outbox(|outbox| outbox.sent(&claim, &effect.key));
        sent.push(effect.key.clone());
        // What the document makes of an answer and the note that the effect is answered are one record, or a crash
        // between them would tell the document twice, or never. Those sent before go with it, in the order in which
        // they were issued.
        if !effect.effect.reply_tag.is_empty() {
            let settled = std::mem::take(&mut sent);
            tell(carrier, partition, &claim, settled, &effect, &reply).await;
        } else if sent.len() >= SETTLED_TOGETHER {
            carrier.settle(partition, std::mem::take(&mut sent));
        }
    }
    if !sent.is_empty() {
        carrier.settle(partition, sent);
    }
    partition.with_outbox(|outbox| outbox.release(&claim));
}

/// What became of an effect in this claim.
enum Carried<R> {
    /// There is an answer, or it was given up.
    Answered(R),
    /// It waits for other services; the document goes on with what may pass it.
    Held,
    /// The host stops, or the claim or the effect has ended.
    Ended,
}

/// Sends an effect until it is answered, given up or held. What was `sent` before it is settled before it has to wait: it may wait
/// for longer than targets remember keys.
async fn carry_out<C: Carrier>(
    carrier: &C,
    partition: &Partition,
    claim: &Claim,
    effect: &PendingEffect,
    sent: &mut Vec<EffectKey>,
) -> Carried<C::Reply> {
    let began = carrier.now();
    for attempts in 1.. {
        let ended = carrier.send(effect, began).await;
        let waits = matches!(ended, Sent::Later { .. } | Sent::Held { .. });
        if waits && !sent.is_empty() {
            carrier.settle(partition, std::mem::take(sent));
        }
        match ended {
            Sent::Answered(reply) => return Carried::Answered(reply),
            Sent::Later { otherwise } if mutation::is(Mutation::SettledOnFailure) => {
                return Carried::Answered(otherwise);
            }
            Sent::Later { .. } => {}
            Sent::Held { mounts } => {
                partition.with_outbox(|outbox| outbox.hold(claim, &effect.key, mounts));
                return Carried::Held;
            }
            Sent::Stopping => return Carried::Ended,
        }
        if !goes_on(carrier, partition, claim, attempts).await
            || partition.with_outbox(|outbox| !outbox.is_pending(&effect.key))
        {
            break;
        }
    }
    Carried::Ended
}

/// Pauses before another attempt; returns false if there shall be none, because the host stops or the claim has ended.
async fn goes_on<C: Carrier>(carrier: &C, partition: &Partition, claim: &Claim, attempts: u32) -> bool {
    // The reign may have ended during the pause; another node sends the effect then, perhaps at this moment.
    carrier.pause(attempts).await && partition.with_outbox(|outbox| outbox.is_valid(claim))
}

/// Tells the document the answer to an effect, which settles it together with what the document makes of the answer.
async fn tell<C: Carrier>(
    carrier: &C,
    partition: &Partition,
    claim: &Claim,
    settled: Vec<EffectKey>,
    effect: &PendingEffect,
    reply: &C::Reply,
) {
    for attempts in 1.. {
        match carrier.tell(effect, &settled, reply).await {
            Told::Settled => return,
            Told::Never => return carrier.settle(partition, settled),
            Told::Later => {}
        }
        // An operator may give up meanwhile what waits to be told.
        if !goes_on(carrier, partition, claim, attempts).await
            || partition.with_outbox(|outbox| !outbox.is_pending(&effect.key))
        {
            return;
        }
    }
}
