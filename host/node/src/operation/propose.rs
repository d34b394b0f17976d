//! The stage that makes an update of the decision and puts it into the log; the reply waits for the commit.

use std::sync::Arc;
use std::time::Duration;

use steward_model::problem::Happened;
use steward_model::update::Update;
use steward_model::{Document, Lane, Position};
use steward_storage::log::Reservation;

use super::decision::{Answer, Decision, NO_DOCUMENT, Next};
use super::given::Given;
use super::giving_up::give_up_decided;
use super::load::Before;
use super::request::{Content, Reply};
use super::road::Road;
use super::update::Draft;
use super::wait::Waiting;
use super::{Error, Existence, Operations, door, phase, recording};
use crate::partition::Taken;
use crate::service::Service;

/// How long the commit of an update that is in the log already is waited for at least, however short a wait its client prefers: on a node that
/// is well it takes milliseconds, and whoever hears nothing of it has to find out.
const COMMITTED_WITHIN: Duration = Duration::from_millis(100);

/// A reply that may be given once something is committed.
pub(super) struct Pending {
    reply: Reply,
    waits: Waits,
}

/// What a reply waits for.
enum Waits {
    /// The update of the operation itself.
    Own(Taken),
    /// An update of somebody else that the reply shows.
    Other(Position),
    /// Nothing: what it shows is committed.
    Nothing,
}

impl Pending {
    /// Returns the reply once everything it shows is committed.
    ///
    /// # Errors
    /// [`Error::Lost`], or [`Error::Unavailable`] with an unknown outcome at the deadline; [`Error::TooFewCopies`] if more members
    /// shall hold it than do.
    pub(super) async fn committed(self, waiting: Waiting<'_>) -> Result<Reply, Error> {
        let asked = match &self.waits {
            // Its own commit confirms the reign.
            Waits::Own(_) => None,
            Waits::Other(_) | Waits::Nothing => Some(waiting.ask()),
        };
        let shown = match &self.waits {
            Waits::Own(taken) => Some(taken.placed.position),
            Waits::Other(position) => Some(*position),
            Waits::Nothing => self.reply.position(),
        };
        let commit = async {
            match self.waits {
                Waits::Own(taken) => taken.committed().await.map(|_| ()),
                Waits::Other(position) => waiting.partition.committed(position).await,
                Waits::Nothing => Ok(()),
            }
        };
        let committed = waiting.in_time_or_within(COMMITTED_WITHIN, commit).await;
        if waiting.partition.id().lane == Lane::Volatile {
            // It was committed within the step that took it. In the other lane the log's writer sees to it that many go on together.
            phase::ends().await;
        }
        if let (Some(Ok(())), Some(asked)) = (&committed, asked) {
            waiting.confirmed(asked).await?;
        }
        match committed {
            Some(Ok(())) => waiting.held(shown).await.map(|()| self.reply),
            Some(Err(lost)) => Err(Error::Lost(lost)),
            None => {
                let reason = "the update is in the log and not committed yet".to_owned();
                Err(waiting.unavailable(reason, Happened::Unknown))
            }
        }
    }
}

/// Puts the decision into the log.
///
/// # Errors
/// [`Error`] if the partition takes no updates, the disk is full, or the state is too large: nothing has happened then.
pub(super) async fn propose(
    road: Road<'_>,
    before: Before,
    mut decision: Decision,
    given: Given,
) -> Result<Pending, Error> {
    let Road { operations, operation, service, partition, .. } = road;
    let recording = recording::of(road, &decision, given);
    give_up_decided(partition, &operation.link, &mut decision)?;
    check_size(operations, service, &decision)?;
    if decision.changes_nothing() && operation.idempotency_key.is_none() {
        let reply = reply_of(&decision, before.document);
        return Ok(Pending { reply, waits: before.appended.map_or(Waits::Nothing, Waits::Other) });
    }
    let removes = matches!(decision.next, Next::Tombstone(_) | Next::Expired);
    let creates = decision.creates;
    let (now, steady) = (operations.clock.timestamp(), operations.clock.steady_time());
    let update = Draft { operation, service, before: &before, decision: &decision, recording, now, steady }.update();
    let space = space_for(road, &update).await?;
    let _entered = door::enter(road, &decision).await?;
    let Before { document, epoch, .. } = before;
    let proposed = partition.propose(epoch, document, update, space);
    partition.step(operations.clock.now());
    let taken = proposed.taken().await.map_err(Error::propose)?;
    // The document at its place: epoch and offset are known only now.
    let reply = reply_of(&decision, Some(Arc::clone(&taken.placed.document)));
    if creates {
        operations.tell_watcher(service, &operation.link, Existence::Begins);
    } else if removes {
        operations.tell_watcher(service, &operation.link, Existence::Ends);
    }
    Ok(Pending { reply, waits: Waits::Own(taken) })
}

/// Waits for space in the log, which is taken before the record exists: nothing waits for the disk while others wait for it.
async fn space_for(road: Road<'_>, update: &Update) -> Result<Option<Reservation>, Error> {
    match road.waiting().in_time(road.partition.space_for(update)).await {
        Some(space) => space.map_err(Error::propose),
        None => {
            let reason = "the commit log is behind: the disk is slow".to_owned();
            Err(road.waiting().unavailable(reason, Happened::No))
        }
    }
}

/// Checks that a state is no larger than a document of the service may be.
///
/// # Errors
/// [`Error::DocumentTooLarge`]
pub(super) fn check_size(operations: &Operations, service: &Service, decision: &Decision) -> Result<(), Error> {
    let wanted = service.descriptor().limits.document_bytes;
    let ceiling = operations.limits.document_bytes_max;
    let max = if wanted == 0 { ceiling } else { ceiling.min(usize::try_from(wanted).unwrap_or(ceiling)) };
    match &decision.next {
        Next::State(state) | Next::Reborn(state) if state.len() > max => {
            Err(Error::DocumentTooLarge { bytes: state.len(), max })
        }
        Next::State(_) | Next::Reborn(_) | Next::Tombstone(_) | Next::Unchanged | Next::Expired => Ok(()),
    }
}

fn reply_of(decision: &Decision, document: Option<Arc<Document>>) -> Reply {
    let document = document.filter(|_| decision.answer != Answer::Nothing);
    let content = match (&decision.answer, &document) {
        (Answer::State, Some(_)) => Content::State,
        (Answer::State, None) => Content::Empty,
        (Answer::Nothing, _) => Content::Json(NO_DOCUMENT),
        (Answer::Json(json), _) => Content::Json(json.clone()),
    };
    Reply { document, content, headers: decision.headers.clone(), ..Reply::empty(decision.status) }
}
