//! Carries out the effects of guests: requests to other documents, to themselves, and to allow-listed hosts outside.
//!
//! Problem: an effect is committed together with the state that wanted it, and must then happen although this node may
//! be killed at any instant between the commit, the request, the answer and the note that it was answered.
//!
//! Promise: an effect stays in the outbox, which is part of the replicated state, until it is settled, and it is settled
//! only after it was answered for good or given up. It carries its key as `Idempotency-Key`; documents of ours remember
//! the key and do not act twice. Effects of one document go out in their order, one at a time; a delayed one when it is due.
//!
//! What counts as an answer: what the target itself decides. What this host, its disk or its group cannot do now, and what
//! passes by itself (no connection, 429, 502, 503, 504), is tried again with growing pauses, for as long as targets remember
//! keys. Sending is bound to the reign in which the document was claimed: when that ends, others send.

mod outside;
mod places;
mod send;

use std::sync::Arc;
use std::time::Duration;

use steward_model::operation::{Cause, EffectKey, EffectReply};
use steward_model::update::PendingEffect;
use steward_model::{Action, Moment, Timestamp};

use crate::operation::{Operations, Patience, Purpose};
use crate::partition::{Claim, Hands, Partition};
use crate::query::Queries;
use crate::shutdown::Shutdown;
use crate::telemetry::metrics as telemetry;
use outside::Outside;
use places::Places;
use send::Sent;

/// Documents of one partition that are claimed at one look.
const CLAIMED_MAX: usize = 1024;

/// Answered effects of a document that are settled together.
const SETTLED_TOGETHER: usize = 32;

/// First pause before an effect is tried again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

/// How long an effect is tried at whose path nothing is mounted.
const GIVEN_UP_SOON_AFTER: Duration = Duration::from_secs(10);

/// How long an effect is tried. Targets remember keys for a day: a later repeat might happen twice.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(20 * 3600);

/// Longest sleep between two looks at the partitions.
const LOOK: Duration = Duration::from_secs(1);

/// See the head of this module.
pub struct Outbox {
    operations: Arc<Operations>,
    queries: Arc<Queries>,
    hands: Arc<Hands>,
    outside: Outside,
    shutdown: Shutdown,
    places: Places,
}

impl Outbox {
    /// Starts carrying out effects of the partitions that this node serves.
    pub fn start(operations: Arc<Operations>, queries: Arc<Queries>, hands: Arc<Hands>, shutdown: &Shutdown) {
        let (outside, places) = (Outside::default(), Places::default());
        let outbox = Arc::new(Outbox { operations, queries, hands, outside, shutdown: shutdown.clone(), places });
        shutdown.spawn("outbox", async move { outbox.run().await });
    }

    async fn run(self: Arc<Outbox>) {
        loop {
            let next = self.dispatch();
            let now = self.operations.clock().steady_time();
            let sleep = match next {
                Some(due) => Duration::from_micros(due.0.saturating_sub(now.0).max(1_000).unsigned_abs()).min(LOOK),
                None => LOOK,
            };
            tokio::select! {
                () = self.shutdown.stopping() => return,
                () = self.hands.effects_added() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Starts work on the documents that have an effect to send, and returns when the next one will have.
    fn dispatch(self: &Arc<Outbox>) -> Option<Timestamp> {
        let now = self.operations.clock().steady_time();
        let mut next: Option<Timestamp> = None;
        for partition in self.operations.table().all() {
            let (claimed, due) = partition.with_outbox(|outbox| {
                let claimed = outbox.claim(now, CLAIMED_MAX);
                (claimed, outbox.next_due())
            });
            for claim in claimed {
                let (outbox, partition) = (Arc::clone(self), Arc::clone(partition));
                self.shutdown.spawn("effects", async move { outbox.work(&partition, claim).await });
            }
            next = [next, due].into_iter().flatten().min();
        }
        next
    }

    /// Carries out what a document has pending, in order, as long as the claim on it lasts.
    async fn work(&self, partition: &Partition, claim: Claim) {
        let mut sent: Vec<EffectKey> = Vec::new();
        loop {
            let now = self.operations.clock().steady_time();
            let Some(effect) = partition.with_outbox(|outbox| outbox.next(&claim, now)) else { break };
            let Some(reply) = self.carry_out(partition, &claim, &effect).await else { break };
            partition.with_outbox(|outbox| outbox.sent(&claim, &effect.key));
            sent.push(effect.key);
            let tag = effect.effect.reply_tag;
            if !tag.is_empty() {
                let settled = std::mem::take(&mut sent);
                self.tell(partition, &claim, Purpose::Answered { settled, tag, reply }).await;
            } else if sent.len() >= SETTLED_TOGETHER {
                self.settle(partition, std::mem::take(&mut sent));
            }
        }
        self.settle(partition, sent);
        partition.with_outbox(|outbox| outbox.release(&claim));
        self.hands.look_at_effects();
    }

    /// Sends an effect until it is answered or given up; none if the host stops first, or the claim ends: whoever serves the
    /// document then sends it under the same key.
    async fn carry_out(&self, partition: &Partition, claim: &Claim, effect: &PendingEffect) -> Option<EffectReply> {
        let mut pause = PAUSES.0;
        let began = self.operations.clock().now();
        loop {
            // A place is held while sending, not while pausing: targets that are away must not keep others from theirs.
            let sending = async {
                let _place = self.places.take(&effect.effect.to).await;
                self.send(effect).await
            };
            let sent = tokio::select! {
                () = self.shutdown.stopping() => return None,
                sent = sending => sent,
            };
            match sent {
                Sent::Answered(reply) => {
                    telemetry::effect(if reply.status < 400 { "answered" } else { "refused" });
                    if reply.status >= 400 && effect.effect.reply_tag.is_empty() {
                        let (key, to, status) = (&effect.key, &effect.effect.to, reply.status);
                        tracing::warn!(%key, to, status, "effect was refused, nobody asked for the answer");
                    }
                    return Some(reply);
                }
                Sent::Later { reason, patience, otherwise } => {
                    if self.is_given_up(effect, began, patience) {
                        telemetry::effect("given-up");
                        tracing::warn!(key = %effect.key, to = effect.effect.to, reason, "effect given up");
                        return Some(otherwise);
                    }
                    telemetry::effect_retried();
                    tracing::debug!(key = %effect.key, reason, "effect will be tried again");
                }
            }
            tokio::select! {
                () = self.shutdown.stopping() => return None,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSES.1);
            if !partition.with_outbox(|outbox| outbox.is_valid(claim)) {
                return None;
            }
        }
    }

    /// Targets remember keys for a day after they answered. How long this process has tried is measured by a clock that
    /// nobody sets; what an earlier process tried counts by the time of day, for the target counts by that, too.
    fn is_given_up(&self, effect: &PendingEffect, began: Moment, patience: Patience) -> bool {
        let tried = self.operations.clock().now().since(began);
        let longest = match patience {
            Patience::None => Duration::ZERO,
            Patience::Short => GIVEN_UP_SOON_AFTER,
            Patience::Long => GIVEN_UP_AFTER,
        };
        let due = effect.due.max(effect.issued);
        let age = self.operations.clock().steady_time().0.saturating_sub(due.0).max(0).unsigned_abs();
        tried > longest || Duration::from_micros(age) > GIVEN_UP_AFTER
    }

    /// Notes that effects were carried out. If the host ends before the note is on disk they stay pending, and their targets
    /// recognise the repeat.
    fn settle(&self, partition: &Partition, sent: Vec<EffectKey>) {
        if !sent.is_empty() {
            let clock = self.operations.clock();
            partition.settle(sent, clock.timestamp());
            partition.step(clock.now());
        }
    }

    /// Tells the document the answer to an effect, which settles it together with what the document makes of the answer.
    async fn tell(&self, partition: &Partition, claim: &Claim, purpose: Purpose) {
        let mut pause = PAUSES.0;
        let link = &claim.link;
        loop {
            let id = format!("settle-{}", link.name());
            let tell = self.operations.own(id, Action::Patch, link.clone(), Cause::Reply, purpose.clone());
            let Err(error) = self.operations.perform(tell).await else { return };
            if error.patience() != Patience::Long {
                // What the document makes of the answer cannot be, or nobody is there to make something of it; the answer
                // itself is old news.
                tracing::warn!(%link, %error, "answer to an effect could not be told, the effect is settled all the same");
                return self.settle(partition, purpose.settled());
            }
            tracing::warn!(%link, %error, "answer to an effect could not be told, trying again");
            tokio::select! {
                () = self.shutdown.stopping() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSES.1);
            if !partition.with_outbox(|outbox| outbox.is_valid(claim)) {
                return;
            }
        }
    }
}
