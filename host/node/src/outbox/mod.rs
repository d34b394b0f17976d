//! Carries out the effects of guests: requests to other documents, to themselves, and to allow-listed hosts outside.
//!
//! Problem: an effect is committed together with the state that wanted it, and must then happen although this node may
//! be killed at any instant between the commit, the request, the answer and the note that it was answered.
//!
//! Promise: an effect stays in the outbox, which is part of the replicated state, until it is settled, and it is settled
//! only after it was answered for good or given up. It carries its key as `Idempotency-Key`; documents of ours remember
//! the key and do not act twice. Effects of one document go out in their order, one at a time; a delayed one when it is due.
//!
//! What counts as an answer: everything but a refusal that passes by itself (no quorum, full queue, no connection, 429,
//! 502, 503, 504). Those are tried again with growing pauses, for as long as targets remember keys.

mod outside;
mod places;
mod send;

use std::sync::Arc;
use std::time::Duration;

use steward_model::operation::{Cause, EffectKey, EffectReply};
use steward_model::update::PendingEffect;
use steward_model::{Action, Link, Timestamp};

use crate::http::error::problem_of;
use crate::operation::{Operations, Purpose};
use crate::partition::Partition;
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

/// How long an effect is tried. Targets remember keys for a day: a later repeat might happen twice.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(20 * 3600);

/// Longest sleep between two looks at the partitions, in case a time of day was set back.
const LOOK: Duration = Duration::from_secs(1);

/// See the head of this module.
pub struct Outbox {
    operations: Arc<Operations>,
    queries: Arc<Queries>,
    outside: Outside,
    shutdown: Shutdown,
    places: Places,
}

impl Outbox {
    /// Starts carrying out effects of the partitions that this node serves.
    pub fn start(operations: Arc<Operations>, queries: Arc<Queries>, shutdown: &Shutdown) {
        let (outside, places) = (Outside::default(), Places::default());
        let outbox = Arc::new(Outbox { operations, queries, outside, shutdown: shutdown.clone(), places });
        shutdown.spawn("outbox", async move { outbox.run().await });
    }

    async fn run(self: Arc<Outbox>) {
        let shared = Arc::clone(self.operations.table().shared());
        loop {
            let next = self.dispatch();
            let now = self.operations.clock().wall_time();
            let sleep = match next {
                Some(due) => Duration::from_micros(due.0.saturating_sub(now.0).max(1_000).unsigned_abs()).min(LOOK),
                None => LOOK,
            };
            tokio::select! {
                () = self.shutdown.stopping() => return,
                () = shared.outbox_changed.notified() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Starts work on the documents that have an effect to send, and returns when the next one will have.
    fn dispatch(self: &Arc<Outbox>) -> Option<Timestamp> {
        let now = self.operations.clock().wall_time();
        let mut next: Option<Timestamp> = None;
        for partition in self.operations.table().all() {
            let (claimed, due) = partition.with_outbox(|outbox| {
                let claimed = outbox.claim(now, CLAIMED_MAX);
                (claimed, outbox.next_due())
            });
            for link in claimed {
                let (outbox, partition) = (Arc::clone(self), Arc::clone(partition));
                self.shutdown.spawn("effects", async move { outbox.work(&partition, link).await });
            }
            next = [next, due].into_iter().flatten().min();
        }
        next
    }

    /// Carries out what a document has pending, in order.
    async fn work(&self, partition: &Partition, link: Link) {
        let mut sent: Vec<EffectKey> = Vec::new();
        loop {
            let now = self.operations.clock().wall_time();
            let next = partition.with_outbox(|outbox| outbox.next(&link, now, &sent));
            let Some(effect) = next else { break };
            let Some(reply) = self.carry_out(&effect).await else { break };
            sent.push(effect.key);
            let tag = effect.effect.reply_tag;
            if !tag.is_empty() {
                let settled = std::mem::take(&mut sent);
                self.settle(&link, Purpose::Answered { settled, tag, reply }).await;
            } else if sent.len() >= SETTLED_TOGETHER {
                self.settle(&link, Purpose::Settle(std::mem::take(&mut sent))).await;
            }
        }
        if !sent.is_empty() {
            self.settle(&link, Purpose::Settle(sent)).await;
        }
        partition.with_outbox(|outbox| outbox.release(&link));
        self.operations.table().shared().outbox_changed.notify_one();
    }

    /// Sends an effect until it is answered or given up; none if the host stops first.
    async fn carry_out(&self, effect: &PendingEffect) -> Option<EffectReply> {
        let mut pause = PAUSES.0;
        let began = self.operations.clock().wall_time();
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
                Sent::Later(reason) => {
                    let now = self.operations.clock().wall_time();
                    if now > began.plus(GIVEN_UP_AFTER) {
                        telemetry::effect("given-up");
                        tracing::warn!(key = %effect.key, to = effect.effect.to, reason, "effect given up");
                        return Some(EffectReply {
                            status: 0,
                            headers: Vec::new(),
                            body: None,
                            from: effect.effect.to.clone(),
                        });
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
        }
    }

    /// Notes durably that effects were answered, however long that takes: they are not sent again meanwhile. If the host
    /// ends before, they stay pending, and their targets recognise the repeat.
    async fn settle(&self, link: &Link, purpose: Purpose) {
        let mut pause = PAUSES.0;
        let mut purpose = purpose;
        loop {
            let id = format!("settle-{}", link.name());
            let settle = self.operations.own(id, Action::Patch, link.clone(), Cause::Reply, purpose.clone());
            let Err(error) = self.operations.perform(settle).await else { return };
            tracing::warn!(%link, %error, "answered effects could not be settled, trying again");
            if !problem_of(&error).passes {
                // What the guest made of the answer cannot be committed; the answer itself is old news.
                purpose = Purpose::Settle(purpose.settled());
            }
            tokio::select! {
                () = self.shutdown.stopping() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}
