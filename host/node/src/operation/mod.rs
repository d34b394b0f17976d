//! The road of one operation, from admission to the answer. Only this file knows the order of the stages.
//!
//! ```text
//! admit ─► locate ─┬─► stateless ─────────────────────────────────────────────────► publish
//!                  │
//!                  ├─ another node's ──► forward ──────────────────────────────────► publish
//!                  │
//!                  └─ ours ─────┬─► read ───────────────────────────────────────► publish
//!                               │
//!                               └─ quorum? turn! ─► load ─┬─► execute ─┬─► propose ─► publish
//!                                                         └─► create ──┘       └ the turn is free, the commit is waited for
//! ```
//!
//! Each stage is a file of that name and calls no other stage. A stage that works on a document takes a `Road`. What several
//! stages need stands in files below them:
//!
//! | what | files |
//! |---|---|
//! | the request: the fields of its body, its preconditions, whether it was carried out before | `body`, `precondition`, `repeat` |
//! | who decides: a guest, the host itself, `handle-start` before them | `guest`, `native`, `start` |
//! | who may go on: the door of the service, the gate of the group | `door`, `gate` |
//! | from a decision to the update in the log | `decision`, `update` |
//! | waiting, reads of a copy as it is, effects that are given up | `wait`, `copy`, `giving_up` |
//! | how an operation outlives its client, and keeps step with others | `kept`, `phase` |
//!
//! Two things go beside the road: a recorded request that runs once more (`replay`) goes through `create` or `execute` and no
//! further, and an HTTP component (`exchange`) has no document.
//!
//! An operation that fails before `propose` has put its record into the log has changed nothing. Once the record is there, it is
//! either committed or cut as a whole, with the reign; the answer waits until it is known which.

mod admit;
mod body;
mod carried;
mod copy;
mod create;
mod decision;
mod demands;
mod door;
mod duties;
mod error;
mod exchange;
mod execute;
mod forward;
mod freshness;
mod gate;
mod given;
mod giving_up;
mod guest;
mod kept;
mod limits;
mod load;
mod locate;
mod native;
mod not_replayable;
mod operations;
mod patience;
mod phase;
mod precondition;
mod problem;
mod propose;
mod publish;
mod read;
mod recording;
mod rehearsal;
mod repeat;
mod replay;
mod replayed;
mod request;
mod road;
mod seeds;
mod stage;
mod start;
mod stateless;
#[cfg(test)]
mod tests;
mod update;
mod wait;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use steward_model::document::UpdateAction;
use steward_model::operation::Cause;
use steward_model::problem::Happened;
use steward_model::service::Handler;
use steward_model::{Action, Link};
use steward_sandbox::CallError;
use tracing::Instrument;

pub(crate) use body::Body;
pub(crate) use demands::{Demands, Unreadable, plain_tag};
pub(crate) use duties::Duty;
pub(crate) use error::Error;
pub(crate) use forward::Arrivals;
pub(crate) use freshness::{Copied, Freshness, tag_of};
pub(crate) use guest::failed as guest_failed;
pub(crate) use limits::Limits;
pub(crate) use operations::{Existence, ImportsOf, Operations, Parts, Watcher};
pub(crate) use patience::Patience;
pub(crate) use problem::{PASSING_STATUSES, methods, served};
pub(crate) use rehearsal::LogLine;
pub(crate) use replayed::{Decided, Ended, Outcome, Replayed, Replaying, Runner};
pub(crate) use request::{Content, Operation, Purpose, Reply, Status, Wait, write_entity_tag};

use crate::failure;
use crate::partition::{Partition, Turn};
use crate::service::{Found, Service};
use decision::Decision;
use given::Given;
use kept::Kept;
use locate::{Addressee, Place};
use road::{Asking, Road};
use stage::stage;
use wait::{Waiting, Whose};

/// How often an operation begins anew because its factory moves to another module, or its document to another owner.
const ANEW_MAX: usize = 16;

/// How far an operation came while it held the turn.
enum Step {
    /// Its update is in the log.
    Proposed(propose::Pending),
    /// There was nothing to put into the log.
    Answered(Reply),
}

impl Operations {
    /// Runs an operation to its end: a caller that goes away changes nothing, see [`Kept`]. Reads that no guest answers change
    /// nothing anyhow and end with their caller.
    ///
    /// # Errors
    /// [`Error`] says why the operation was refused or failed, and whether it may have happened.
    pub(crate) async fn submit(self: &Arc<Self>, operation: Box<Operation>) -> Result<Reply, Error> {
        let span = stage::span(&operation);
        std::pin::pin!(self.submitted(operation)).instrument(span).await
    }

    async fn submitted(self: &Arc<Self>, operation: Box<Operation>) -> Result<Reply, Error> {
        let found = stage!(admit, admit::admit(self, &operation))?;
        if operation.action == Action::Get && operation.purpose == Purpose::Act {
            let Found::Child(service) = &found else { return Box::pin(self.run(operation, found)).await };
            let reply = self.read(&operation, service).await;
            if !door::is_outdated(self, service, &reply) {
                return reply;
            }
            let found = stage!(admit, admit::found(self, &operation))?;
            return Box::pin(self.run(operation, found)).await;
        }
        self.keep(operation, found).await
    }

    /// Returns the future of an operation. Apart from its caller, whose future would otherwise have room for a second one.
    fn keep(self: &Arc<Self>, operation: Box<Operation>, found: Found) -> Kept {
        let operations = Arc::clone(self);
        let span = tracing::Span::current();
        let work = Box::pin(async move {
            phase::ends().await;
            operations.run(operation, found).await
        });
        Kept::new(work.instrument(span), &self.shutdown)
    }

    /// Runs an operation inside the caller's own task. For callers that are tasks of the host themselves.
    ///
    /// # Errors
    /// As [`Operations::submit`].
    pub(crate) async fn perform(self: &Arc<Self>, operation: Operation) -> Result<Reply, Error> {
        let span = stage::span(&operation);
        let run = async {
            let found = stage!(admit, admit::admit(self, &operation))?;
            self.run(Box::new(operation), found).await
        };
        // What a panic leaves behind is an operation: the task of the host that asked for it goes on with the next.
        let run = AssertUnwindSafe(failure::contained(run.instrument(span)));
        run.catch_unwind().await.unwrap_or(Err(Error::Broken))
    }

    /// Starts a document that nobody has touched in this reign, if its service has `handle-start`: before a timer or an effect
    /// of the document goes off. Costs nothing if the document has been started.
    ///
    /// # Errors
    /// As [`Operations::submit`].
    pub(crate) async fn begin(self: &Arc<Self>, link: &Link) -> Result<(), Error> {
        let Some(Found::Child(service)) = self.services.find(link) else { return Ok(()) };
        let id = format!("start-{}", link.name());
        let start = self.own(id, Action::Patch, link.clone(), Cause::Maintenance, Purpose::Start);
        let partition = self.partitions.of(link, service.lane());
        match start::is_due(self.road(&start, &service, partition)) {
            true => self.perform(start).await.map(|_| ()),
            false => Ok(()),
        }
    }

    fn road<'a>(
        self: &'a Arc<Self>,
        operation: &'a Operation,
        service: &'a Arc<Service>,
        partition: &'a Arc<Partition>,
    ) -> Road<'a> {
        Road { operations: self, operation, service, partition, rehearsal: None }
    }

    /// The short road of a read: most reads are a look into memory.
    async fn read(self: &Arc<Self>, operation: &Operation, service: &Arc<Service>) -> Result<Reply, Error> {
        let began = self.clock.now();
        let partition = self.partitions.of(&operation.link, service.lane());
        let road = self.road(operation, service, partition);
        stage::located(partition);
        stage::served(partition);
        let ours = match partition.admits() {
            Ok(_) if operation.freshness == Freshness::Newest => Some(shown(road).await),
            Ok(_) | Err(_) => None,
        };
        let reply = match ours {
            // Another node orders its updates, or does by now, or any copy will do. Boxed to keep the future of a plain read small:
            // this branch is rare, and a future is moved and cleared as a whole.
            None | Some(Err(Error::NotConfirmed(_))) => Box::pin(looked_up(road)).await,
            Some(reply) => reply,
        };
        publish::publish(self, service, Action::Get, operation, began, &reply);
        reply
    }

    /// The whole road, as often as the factory moves to another module while the operation is under way.
    async fn run(self: &Arc<Self>, mut operation: Box<Operation>, mut found: Found) -> Result<Reply, Error> {
        let began = self.clock.now();
        let mut tries = 0;
        loop {
            tries += 1;
            let place = stage!(locate, locate::locate(self, &mut operation, found))?;
            let (action, service, creates) = (operation.action, Arc::clone(place.service()), place.creates());
            let reply = self.travel(&mut operation, place).await;
            if tries >= ANEW_MAX || !self.begins_anew(&operation, &service, &reply) {
                publish::publish(self, &service, action, &operation, began, &reply);
                return reply;
            }
            if creates {
                // It was asked of the factory; on its way it has got the link of the child, and perhaps become a PUT.
                operation.link = service.path.clone();
                (operation.action, operation.first_action) = (Action::Post, None);
            }
            found = stage!(admit, admit::found(self, &operation))?;
        }
    }

    /// Returns true if an operation that ended so has to be carried out once more, because its factory or the owner of its document
    /// has changed meanwhile, and may be.
    fn begins_anew(&self, operation: &Operation, service: &Service, reply: &Result<Reply, Error>) -> bool {
        match reply {
            Err(Error::NotConfirmed(_)) => true,
            // It may have happened. Whoever orders updates by now knows, and answers a repeat as at first.
            Err(Error::Lost(_)) => operation.idempotency_key.is_some(),
            reply => door::is_outdated(self, service, reply),
        }
    }

    async fn travel(self: &Arc<Self>, operation: &mut Operation, place: Place) -> Result<Reply, Error> {
        let (service, partition, addressee) = match place {
            Place::Document { service, partition, addressee } => (service, partition, addressee),
            Place::Stateless { service } => {
                let asking = Asking { operations: self, operation, service: &service, rehearsal: None };
                return Box::pin(async { stage!(stateless, await stateless::stateless(asking)) }).await;
            }
        };
        stage::located(&partition);
        if operation.action == Action::Get && operation.purpose == Purpose::Act {
            stage::served(&partition);
            return looked_up(self.road(operation, &service, &partition)).await;
        }
        // The only thing that may take longer than the operation has: it moves the deadline.
        self.gate.pass(&self.clock, &self.limits, operation).await?;
        if let Some(reply) = handed_on(self.road(operation, &service, &partition), addressee).await? {
            return Ok(reply);
        }
        stage::served(&partition);
        if addressee == Addressee::Factory {
            let road = self.road(operation, &service, &partition);
            let turn = road.waiting().turn().await?;
            if let Some(step) = Box::pin(creation(road)).await.transpose() {
                return finish(road.waiting(), turn, step).await;
            }
            drop(turn);
            (operation.first_action, operation.action) = (Some(operation.action), Action::Put);
            // What held while the turn was taken may hold no more.
            self.gate.pass(&self.clock, &self.limits, operation).await?;
            if let Some(reply) = handed_on(self.road(operation, &service, &partition), Addressee::Document).await? {
                return Ok(reply);
            }
        }
        let road = self.road(operation, &service, &partition);
        let turn = road.waiting().turn().await?;
        let step = update(road).await;
        finish(road.waiting(), turn, step).await
    }
}

/// Returns the owner's answer if another node owns the document; none if this node does.
async fn handed_on(road: Road<'_>, addressee: Addressee) -> Result<Option<Reply>, Error> {
    match road.waiting().whose().await? {
        Whose::Ours => Ok(None),
        Whose::Of(_) => Box::pin(async { stage!(forward, await forward::forward(road.waiting(), addressee)) }).await,
    }
}

/// Answers a read, wherever its document is.
async fn looked_up(road: Road<'_>) -> Result<Reply, Error> {
    loop {
        if let Some(position) = copy::position(road).await? {
            return copy::said(road, position, shown(road).await);
        }
        if let Some(reply) = handed_on(road, Addressee::Document).await? {
            return Ok(reply);
        }
        if road.operation.freshness != Freshness::Newest {
            // This copy orders updates by now, and so it counts.
            tokio::task::yield_now().await;
            continue;
        }
        match shown(road).await {
            Ok(reply) => return Ok(reply),
            Err(error) => road.waiting().next_owner(error).await?,
        }
    }
}

/// Answers a read.
async fn shown(road: Road<'_>) -> Result<Reply, Error> {
    // `handle-start` comes before every other handler, `handle-get` too.
    if road.service.handles(Handler::HandleGet) && start::is_due(road) {
        Box::pin(async {
            let _turn = road.waiting().turn().await?;
            start_first(road).await
        })
        .await?;
    }
    stage!(read, await read::read(road))
}

/// Takes an update as far as the log, with the turn of its document in hand.
async fn update(road: Road<'_>) -> Result<Step, Error> {
    door::check(road.operations, road.service)?;
    if start::is_due(road) {
        Box::pin(start_first(road)).await?;
    }
    let given = Given::drawn(road.operations);
    let (before, decision) = match stage!(load, await load::load(road))? {
        load::Loaded::Answered(reply) => return Ok(Step::Answered(reply)),
        load::Loaded::Absent(before) => (before, Decision::absent()),
        load::Loaded::Newest(before) if is_settled(road) => (before, Decision::nothing(UpdateAction::Patch)),
        load::Loaded::Newest(before) => {
            let decision = stage!(execute, await execute::execute(road, &before, given))?;
            (before, decision)
        }
    };
    stage!(propose, await propose::propose(road, before, decision, given)).map(Step::Proposed)
}

/// Takes the POST of a factory as far as the log, with the turn of the child in hand; none if the child exists, and its service makes
/// a PUT of such a POST.
async fn creation(road: Road<'_>) -> Result<Option<Step>, Error> {
    door::check(road.operations, road.service)?;
    let before = match stage!(load, await load::load_for_creation(road))? {
        load::Creation::Answered(reply) => return Ok(Some(Step::Answered(reply))),
        load::Creation::Exists => return Ok(None),
        load::Creation::Free(before) => before,
    };
    let (epoch, given) = (before.epoch, Given::drawn(road.operations));
    let decision = stage!(create, await create::create(road, &before, given))?;
    let pending = stage!(propose, await propose::propose(road, before, decision, given))?;
    if road.service.handles(Handler::HandleStart) {
        start::done(road, epoch);
    }
    Ok(Some(Step::Proposed(pending)))
}

/// Runs `handle-start` if the document has not been started in this reign under this module, with its turn in hand. A handler that
/// refuses or fails is said in the log, and the document goes on: its clients would otherwise lose it to a fault of its service.
async fn start_first(road: Road<'_>) -> Result<(), Error> {
    // Somebody else may have started it while the turn was waited for.
    if !start::is_due(road) {
        return Ok(());
    }
    let Some(before) = start::before(road).await? else { return Ok(()) };
    let (epoch, given) = (before.epoch, Given::drawn(road.operations));
    let start = start::operation_for(road.operation);
    let road = Road { operation: &start, ..road };
    match stage!(execute, await execute::execute(road, &before, given)) {
        Ok(decision) => {
            // Whatever comes next on the document waits for its commit.
            stage!(propose, await propose::propose(road, before, decision, given))?;
        }
        // The guest has not been asked; the next operation asks it again.
        Err(error @ Error::Guest { error: CallError::Overloaded { .. }, .. }) => return Err(error),
        Err(error) => {
            tracing::warn!(link = %road.link(), %error, "handle-start failed, the document goes on without it");
        }
    }
    start::done(road, epoch);
    Ok(())
}

/// Passes the turn on, and answers once everything is committed that the answer was drawn from.
async fn finish(waiting: Waiting<'_>, turn: Turn, step: Result<Step, Error>) -> Result<Reply, Error> {
    let seen = waiting.partition.appended(&waiting.operation.link);
    drop(turn);
    let answer = match step {
        Ok(Step::Proposed(pending)) => return pending.committed(waiting).await,
        // What failed for want of time, of a reign or of its service shows no state.
        Err(
            failure @ (Error::Unavailable { .. } | Error::Lost(_) | Error::NotConfirmed(_) | Error::Superseded { .. }),
        ) => return Err(failure),
        Ok(Step::Answered(reply)) => Ok(reply),
        Err(refusal) => Err(refusal),
    };
    // A refusal shows the state as well as an answer does.
    let asked = waiting.ask();
    waiting.committed(seen, Happened::No).await?;
    waiting.confirmed(asked).await?;
    let reply = answer?;
    // The repeat of a request whose answer did not come may want more members to hold it than the first.
    waiting.held(reply.position()).await.map(|()| reply)
}

/// Returns true if the answer to an effect has been told to its document already.
fn is_settled(road: Road<'_>) -> bool {
    match &road.operation.purpose {
        Purpose::Answered { settled, .. } => {
            road.partition.with_outbox(|outbox| settled.last().is_some_and(|key| !outbox.is_pending(key)))
        }
        Purpose::Act | Purpose::Start | Purpose::Maintain | Purpose::Expire | Purpose::Migrate => false,
    }
}
