//! The stage of an operation on a document of another node: it goes there, one hop and no further.
//!
//! Problem: the table of this node may be older than the world. The node that it names may be gone, or no longer the owner, or
//! not yet. Promise: an operation is repeated as long as it is certain that nothing has happened, or that a repeat is harmless; if
//! it may have happened, its client is told so. A wrong table costs a retry and never a wrong answer, because only an owner
//! answers.
//!
//! ```text
//!  whose? ─┬─ ours, by now ──────────────────────────────► the road goes on here
//!          └─ of node n ─► ask it ─┬─ its answer ────────► published here
//!                                  ├─ not the owner ─┐
//!                                  ├─ out of reach ──┴───► wait for a newer row, look again
//!                                  └─ no answer ─────────► repeat if that is harmless, else 503 with an unknown outcome
//! ```
//!
//! Source: host/docs/protocol.md, "Reads" and D9. Left out: keys of the host's own for requests without one, so that each could be
//! repeated.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use steward_model::operation::Cause;
use steward_model::problem::Happened;
use steward_model::{Action, Epoch, Link, Member, PartitionId, codec};
use steward_protocol::cluster::ClusterState;
use tracing::Instrument;

use super::carried::{Answer, Brought, Carried, Question};
use super::locate::Addressee;
use super::wait::{Waiting, Whose};
use super::{Error, Operations, Purpose, Reply};
use crate::partition::{Behind, Partition, Senders};
use crate::peer::{self, Lane, Origin, Service, Topic};
use crate::service::Modules;
use crate::telemetry::group as telemetry;

/// Pause before a node that could not be asked is asked again, if its row does not change before.
const PAUSE: Duration = Duration::from_millis(50);

/// How much longer than the owner has for it an answer is waited for: the owner knows best why it comes late.
const ANSWER_WITHIN: Duration = Duration::from_millis(300);

/// How long an owner may still answer once another one was named: it hears in moments what became of the updates under way.
const LAST_WORD_WITHIN: Duration = Duration::from_millis(300);

/// Returns the owner's answer; none if this node has become the owner meanwhile.
///
/// # Errors
/// What the owner says; [`Error::Elsewhere`] if the operation was handed on before, [`Error::Unavailable`] if no owner answers in time.
pub(super) async fn forward(waiting: Waiting<'_>, addressee: Addressee) -> Result<Option<Reply>, Error> {
    let question = || Question::Operation(Box::new(Carried::new(waiting.operation, addressee, waiting.left())));
    match ask_owner(waiting, question).await? {
        Some(Answer::Reply(reply)) => Ok(Some(reply.into())),
        Some(Answer::Committed(_) | Answer::GivenUp(_) | Answer::Replayed(_)) => Err(Error::Broken),
        None => Ok(None),
    }
}

/// Asks whoever owns the partition until there is an answer; none if this node owns it.
pub(super) async fn ask_owner(waiting: Waiting<'_>, question: impl Fn() -> Question) -> Result<Option<Answer>, Error> {
    let mut happened = Happened::No;
    loop {
        let owner = match waiting.whose().await? {
            Whose::Ours => return Ok(None),
            Whose::Of(owner) => owner,
        };
        // Only what somebody asked for goes to another node: what a node does for its own documents the next owner does itself.
        let is_asked_for = matches!(waiting.operation.purpose, Purpose::Act | Purpose::Migrate);
        let travels = is_asked_for && !waiting.operation.handed_on;
        if !travels {
            return Err(waiting.elsewhere(owner));
        }
        let asked_in = row_of(waiting);
        let span = tracing::debug_span!("hop", to = %owner, partition = %waiting.partition.id(), epoch = %asked_in);
        let began = waiting.operations.clock.now();
        let question = question();
        let asked = ask(waiting, owner, &question).instrument(span).await;
        telemetry::forwarded(asked.outcome(), waiting.operations.clock.now().since(began));
        match asked {
            Delivery::Answered(Brought::Answer(answer)) => return Ok(Some(answer)),
            Delivery::Answered(Brought::Failed { problem, patience }) => {
                return Err(Error::Remote { problem: Box::new(problem), patience });
            }
            // Its row is on its way here, if it is newer than the one by which it was asked.
            Delivery::Answered(Brought::NotOwner { epoch }) => newer_row(waiting, asked_in, epoch).await,
            Delivery::Unreached => newer_row(waiting, asked_in, asked_in).await,
            Delivery::Unknown if is_repeatable(waiting) => {
                let changes = waiting.operation.action != Action::Get || matches!(question, Question::GiveUp(..));
                happened = if changes { Happened::Unknown } else { happened };
                newer_row(waiting, asked_in, asked_in).await;
            }
            Delivery::Unknown => {
                let reason = format!("its owner, node {}, was asked and did not answer", owner.node);
                return Err(waiting.unavailable(reason, Happened::Unknown));
            }
        }
        if waiting.is_over() {
            let reason = format!("its owner, node {}, cannot be reached", owner.node);
            return Err(waiting.unavailable(reason, happened));
        }
    }
}

impl Operations {
    /// Returns once the state store of this node shows everything about the document that was acknowledged before the call, whoever
    /// owns it: what is read there afterwards is as new as what its owner would say.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if no owner answers in time, [`Error::Behind`] if the store does not follow.
    pub(crate) async fn fence(&self, link: &Link, partition: &Arc<Partition>) -> Result<(), Error> {
        let id = format!("fence-{}", link.name());
        let read = self.own(id, Action::Get, link.clone(), Cause::Client, Purpose::Act);
        let waiting = Waiting { operations: self, operation: &read, partition };
        let committed = loop {
            match ask_owner(waiting, || Question::Committed(partition.id())).await? {
                Some(Answer::Committed(committed)) => break committed,
                Some(Answer::Reply(_) | Answer::GivenUp(_) | Answer::Replayed(_)) => return Err(Error::Broken),
                None => match waiting.confirmed(waiting.ask()).await {
                    Ok(()) => break partition.committed_end(),
                    Err(error) => waiting.next_owner(error).await?,
                },
            }
        };
        let followed = waiting.in_time(partition.applied_through(committed)).await;
        followed.ok_or(Error::Behind(Behind(partition.id())))
    }

    /// Gives up what documents of a partition have to send, all of it or what has the tag, whoever owns them; returns how many effects
    /// that were.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if no owner answers in time, and what that one says.
    pub(crate) async fn give_up(
        &self,
        senders: &Senders,
        partition: &Arc<Partition>,
        tag: Option<&str>,
    ) -> Result<usize, Error> {
        let id = format!("give-up-{}", senders.link().name());
        let read = self.own(id, Action::Get, senders.link().clone(), Cause::Client, Purpose::Act);
        let waiting = Waiting { operations: self, operation: &read, partition };
        let question = || Question::GiveUp(partition.id(), senders.clone(), tag.map(str::to_owned));
        loop {
            match ask_owner(waiting, question).await? {
                Some(Answer::GivenUp(effects)) => return Ok(effects),
                Some(Answer::Reply(_) | Answer::Committed(_) | Answer::Replayed(_)) => return Err(Error::Broken),
                None => match self.give_up_here(partition, senders, tag).await {
                    Ok(effects) => return Ok(effects),
                    Err(error) => waiting.next_owner(error).await?,
                },
            }
        }
    }

    /// Returns up to where a partition is committed, for a node that asks; if this one owns it.
    async fn committed_here(&self, id: PartitionId) -> Result<Answer, Error> {
        let partition = self.partitions.get(id);
        let asked = partition.ask(|| self.clock.now());
        match tokio::time::timeout(self.limits.wait, asked.confirmed()).await {
            Ok(confirmed) => confirmed.map(|()| Answer::Committed(partition.committed_end())).map_err(Into::into),
            Err(_) => Err(Error::Behind(Behind(id))),
        }
    }
}

/// What became of a question.
enum Delivery {
    Answered(Brought),
    /// It did not get there.
    Unreached,
    /// It may have got there.
    Unknown,
}

impl Delivery {
    /// Returns the word by which such ends are counted.
    fn outcome(&self) -> &'static str {
        match self {
            Delivery::Answered(Brought::Answer(_)) => "answered",
            Delivery::Answered(Brought::Failed { .. }) => "refused",
            Delivery::Answered(Brought::NotOwner { .. }) => "not-owner",
            Delivery::Unreached => "unreachable",
            Delivery::Unknown => "unknown",
        }
    }
}

async fn ask(waiting: Waiting<'_>, owner: Member, question: &Question) -> Delivery {
    let Some(links) = &waiting.operations.links else { return Delivery::Unreached };
    let (left, seen) = (waiting.left(), row_of(waiting));
    let within = left + ANSWER_WITHIN;
    let answer = links.request(owner.node, Lane::Bulk, Topic::Operations, codec::encode(question), within);
    let succeeded = async {
        waiting.operations.gate.until(|state| is_newer(state, waiting.partition.id(), seen)).await;
        tokio::time::sleep(LAST_WORD_WITHIN).await;
    };
    let answer = tokio::select! {
        answer = answer => answer,
        // It hangs, or is gone and its link does not know it yet.
        () = succeeded => return Delivery::Unknown,
    };
    match answer {
        Ok(answer) => match codec::decode(&answer) {
            Ok(brought) => Delivery::Answered(brought),
            Err(error) => {
                tracing::warn!(%error, %owner, "answer of an owner cannot be read");
                Delivery::Unknown
            }
        },
        Err(peer::Error::NotConnected | peer::Error::Refused(_) | peer::Error::TooLarge { .. }) => Delivery::Unreached,
        Err(peer::Error::Broken | peer::Error::Late(_)) => Delivery::Unknown,
    }
}

/// Returns true if the operation may be carried out twice with the effect of once.
fn is_repeatable(waiting: Waiting<'_>) -> bool {
    waiting.operation.action == Action::Get || waiting.operation.idempotency_key.is_some()
}

fn row_of(waiting: Waiting<'_>) -> Epoch {
    waiting.operations.gate.state().row(waiting.partition.id()).map(|row| row.epoch).unwrap_or_default()
}

fn is_newer(state: &ClusterState, partition: PartitionId, seen: Epoch) -> bool {
    state.row(partition).is_some_and(|row| row.epoch > seen)
}

/// Returns once the row is newer than `seen` and as new as `told`, or after a pause: the owner may be about to serve, or its link to
/// come back.
async fn newer_row(waiting: Waiting<'_>, seen: Epoch, told: Epoch) {
    let partition = waiting.partition.id();
    let is_there = |state: &ClusterState| {
        is_newer(state, partition, seen) && state.row(partition).is_some_and(|row| row.epoch >= told)
    };
    let newer = waiting.operations.gate.until(is_there);
    let _ = tokio::time::timeout(PAUSE, newer).await;
}

/// Takes the operations that other nodes hand on to this one.
pub(crate) struct Arrivals {
    operations: Arc<Operations>,
    /// Guest modules, for replays.
    modules: Arc<Modules>,
    /// Where they run: guests must not hold up the thread that other nodes are heard on.
    runtime: tokio::runtime::Handle,
}

impl Arrivals {
    /// Returns the taker; operations run on the runtime of the caller.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(crate) fn new(operations: &Arc<Operations>, modules: &Arc<Modules>) -> Arc<Arrivals> {
        let runtime = tokio::runtime::Handle::current();
        Arc::new(Arrivals { operations: Arc::clone(operations), modules: Arc::clone(modules), runtime })
    }
}

impl Service for Arrivals {
    fn request(&self, from: &Origin, body: Bytes) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let (operations, modules) = (Arc::clone(&self.operations), Arc::clone(&self.modules));
        let span = tracing::debug_span!("arrival", from = %from.host);
        let arrived = async move {
            let question: Question = codec::decode(&body).map_err(|error| error.to_string())?;
            let brought = match question {
                Question::Operation(carried) => {
                    telemetry::arrived();
                    let operation = Box::new(carried.operation(operations.clock.now()));
                    // The node that hands it on serves the factory already.
                    operations.loaded(&operation.link).await;
                    let outcome = operations.submit(operation).await;
                    Brought::of(outcome.map(|reply| Answer::reply(reply, operations.owner())))
                }
                Question::Committed(partition) if operations.partitions.has(partition) => {
                    Brought::of(operations.committed_here(partition).await)
                }
                Question::GiveUp(partition, senders, tag) if operations.partitions.has(partition) => {
                    let partition = operations.partitions.get(partition);
                    let given_up = operations.give_up_here(partition, &senders, tag.as_deref()).await;
                    Brought::of(given_up.map(Answer::GivenUp))
                }
                Question::Replay(partition, wanted) if operations.partitions.has(partition) => {
                    operations.loaded(&wanted.link).await;
                    let partition = operations.partitions.get(partition);
                    Brought::of(operations.replay_here(&modules, partition, &wanted).await.map(Answer::Replayed))
                }
                Question::Committed(partition) | Question::GiveUp(partition, ..) | Question::Replay(partition, ..) => {
                    return Err(format!("there is no partition {partition}"));
                }
            };
            Ok(codec::encode(&brought))
        };
        let task = self.runtime.spawn(arrived.instrument(span));
        // Goes on if the link ends: a client that hangs up changes nothing, and neither does its node.
        Box::pin(async { task.await.unwrap_or_else(|_| Err("the operation ended in a panic".to_owned())) })
    }
}
