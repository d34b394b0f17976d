//! How effects travel from this node: what the courier of the driver needs of its host.

use std::time::Duration;

use steward_model::operation::{Cause, EffectKey, EffectReply};
use steward_model::update::PendingEffect;
use steward_model::{Action, Moment, Timestamp};
use steward_replication::courier::{Carrier, Sent, Told};

use super::work::Outbox;
use super::{away, sent};
use crate::operation::{Patience, Purpose};
use crate::partition::Partition;
use crate::telemetry::metrics as telemetry;

/// First pause before an effect is tried again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

/// How long an effect is tried at whose path nothing is mounted.
const GIVEN_UP_SOON_AFTER: Duration = Duration::from_secs(10);

/// How long an effect is tried. Targets remember keys for a day: a later repeat might happen twice.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(20 * 3600);

impl Carrier for Outbox {
    type Reply = EffectReply;

    fn now(&self) -> Moment {
        self.operations.clock().now()
    }

    fn steady_time(&self) -> Timestamp {
        self.operations.clock().steady_time()
    }

    async fn send(&self, effect: &PendingEffect, began: Moment) -> Sent<EffectReply> {
        // Counted before it is looked at: what is mounted in between is not missed.
        let mounts = self.operations.services().mounts();
        if let Some(factory) = away::awaited(&self.cluster.borrow(), effect) {
            tracing::debug!(key = %effect.key, request = effect.request, %factory, "effect is held, nothing is deployed there");
            return Sent::Held { mounts };
        }
        if away::is_on_its_way(&self.cluster.borrow(), self.operations.services(), effect) {
            return Sent::Held { mounts };
        }
        // A place is held while sending, not while pausing: targets that are away must not keep others from theirs.
        let sending = async {
            let _place = self.places.take(&effect.effect.to).await;
            self.send_once(effect).await
        };
        let ended = tokio::select! {
            () = self.shutdown.stopping() => return Sent::Stopping,
            ended = sending => ended,
        };
        match ended {
            sent::Sent::Answered(reply) => {
                telemetry::effect(if reply.status < 400 { "answered" } else { "refused" });
                if reply.status >= 400 && effect.effect.reply_tag.is_empty() {
                    let (key, to, status) = (&effect.key, &effect.effect.to, reply.status);
                    tracing::warn!(%key, request = effect.request, to, status, "effect was refused, nobody asked for the answer");
                }
                Sent::Answered(reply)
            }
            sent::Sent::Later { reason, patience, otherwise } => {
                if self.is_given_up(effect, began, patience) {
                    telemetry::effect("given-up");
                    tracing::warn!(key = %effect.key, request = effect.request, to = effect.effect.to, reason, "effect given up");
                    return Sent::Answered(otherwise);
                }
                telemetry::effect_retried();
                tracing::debug!(key = %effect.key, request = effect.request, reason, "effect will be tried again");
                Sent::Later { otherwise }
            }
        }
    }

    async fn pause(&self, attempts: u32) -> bool {
        let pause = PAUSES.0.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(PAUSES.1);
        tokio::select! {
            () = self.shutdown.stopping() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }

    async fn tell(&self, effect: &PendingEffect, settled: &[EffectKey], reply: &EffectReply) -> Told {
        let link = &effect.key.link;
        let id = format!("settle-{}", link.name());
        let (settled, tag) = (settled.to_vec(), effect.effect.reply_tag.clone());
        let purpose = Purpose::Answered { settled, tag, reply: reply.clone() };
        let mut tell = self.operations.own(id, Action::Patch, link.clone(), Cause::Reply, purpose);
        tell.root = Some(effect.request.clone());
        let Err(error) = self.operations.perform(tell).await else { return Told::Settled };
        if self.cluster.borrow().registry().unmounted_of(link).is_some() {
            tracing::debug!(%link, %error, "answer to an effect waits until a module is deployed again");
            return Told::Later;
        }
        if error.patience() != Patience::Long {
            // What the document makes of the answer cannot be, or nobody is there to make something of it; the answer
            // itself is old news.
            tracing::warn!(%link, %error, "answer to an effect could not be told, the effect is settled all the same");
            return Told::Never;
        }
        tracing::warn!(%link, %error, "answer to an effect could not be told, trying again");
        Told::Later
    }

    fn settle(&self, partition: &Partition, settled: Vec<EffectKey>) {
        let clock = self.operations.clock();
        partition.settle(settled, clock.timestamp());
        partition.step(clock.now());
    }
}

impl Outbox {
    /// Targets remember keys for a day after they answered. How long this process has tried is measured by a clock that
    /// nobody sets; what an earlier process tried counts by the time of day, for the target counts by that, too.
    fn is_given_up(&self, effect: &PendingEffect, began: Moment, patience: Patience) -> bool {
        let tried = self.operations.clock().now().since(began);
        let longest = match patience {
            Patience::None => Duration::ZERO,
            Patience::Short => GIVEN_UP_SOON_AFTER,
            Patience::Long => GIVEN_UP_AFTER,
        };
        // Nothing was sent while its target was undeployed, or its document.
        let due = effect.due.max(effect.issued).max(away::back_at(&self.cluster.borrow(), effect).unwrap_or_default());
        let age = self.operations.clock().steady_time().0.saturating_sub(due.0).max(0).unsigned_abs();
        tried > longest || Duration::from_micros(age) > GIVEN_UP_AFTER
    }
}
