//! The road of one operation, from admission to the answer. Only this file knows the order of the stages.

mod admit;
mod create;
mod decide;
mod door;
mod error;
mod execute;
mod gate;
mod load;
mod locate;
mod native;
mod propose;
mod publish;
mod request;
mod seeds;
#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use steward_model::document::UpdateAction;
use steward_model::operation::Cause;
use steward_model::service::Handler;
use steward_model::{Action, Link};
use steward_protocol::cluster::ClusterState;
use steward_sandbox::Imports;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use error::PASSING_STATUSES;
pub use error::{Error, Happened, Patience, Violation};
pub use request::{Condition, Content, Operation, Purpose, Reply, Status, entity_tag};

use crate::clock::Clock;
use crate::failure;
use crate::partition::{Partition, Partitions, Turn};
use crate::service::{Found, Service, ServiceTable, Starts};
use crate::shutdown::Shutdown;
use decide::Decision;
use gate::Gate;
use locate::Place;
use seeds::Seeds;

/// Bounds on operations.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long an operation waits at the longest when its client does not say.
    pub wait: Duration,
    /// Largest state of a document in bytes, unless its service wants less.
    pub document_bytes_max: usize,
}

/// Makes what the guests of a document may call; offered by the storey that starts operations.
pub type ImportsOf = dyn Fn(&Arc<Service>, &Link) -> Arc<dyn Imports> + Send + Sync;

/// Is told which documents begin (true) and cease (false) to exist.
pub type Watcher = dyn Fn(&Arc<Service>, &Link, bool) + Send + Sync;

/// How often an operation begins anew because its factory moves to another module.
const ANEW_MAX: usize = 16;

/// How long the state store may take to get what is in the log.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// How far an operation came while it held the turn.
enum Step {
    /// Its update is in the log.
    Proposed(propose::Pending),
    /// There was nothing to put into the log.
    Answered(Reply),
}

/// Runs operations on this node.
pub struct Operations {
    clock: Arc<Clock>,
    table: Arc<Partitions>,
    services: Arc<ServiceTable>,
    starts: Starts,
    seeds: Seeds,
    limits: Limits,
    shutdown: Shutdown,
    /// The name of this node, as `documentOwner` has it.
    owner: String,
    imports: OnceLock<Arc<ImportsOf>>,
    watcher: OnceLock<Box<Watcher>>,
    gate: Gate,
}

impl Operations {
    /// Returns a road over these partitions and services, in the group that `cluster` tells of.
    pub fn new(
        clock: Arc<Clock>,
        table: Arc<Partitions>,
        services: Arc<ServiceTable>,
        limits: Limits,
        shutdown: Shutdown,
        owner: String,
        cluster: watch::Receiver<Arc<ClusterState>>,
    ) -> Operations {
        let starts = Starts::default();
        let gate = Gate::new(cluster);
        Operations {
            clock,
            table,
            services,
            starts,
            seeds: Seeds::new(),
            limits,
            shutdown,
            owner,
            imports: OnceLock::new(),
            watcher: OnceLock::new(),
            gate,
        }
    }

    /// Names the maker of what guests may call. Without it guests that import nothing still run.
    pub fn connect(&self, imports: Arc<ImportsOf>) {
        // Connecting twice would be harmless: the first maker stays.
        let _ = self.imports.set(imports);
    }

    /// Names whom to tell of documents that begin and cease to exist.
    pub fn watch(&self, watcher: Box<Watcher>) {
        // Watching twice would be harmless: the first watcher stays.
        let _ = self.watcher.set(watcher);
    }

    /// Returns the partitions.
    pub fn table(&self) -> &Arc<Partitions> {
        &self.table
    }

    /// Returns the services.
    pub fn services(&self) -> &Arc<ServiceTable> {
        &self.services
    }

    /// Returns which documents have been started.
    pub fn starts(&self) -> &Starts {
        &self.starts
    }

    /// Returns the clock.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Returns the name of this node.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Returns the bounds on operations.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Runs an operation in a task of its own: a caller that goes away changes nothing. Reads that no guest answers change
    /// nothing anyhow and run at once.
    ///
    /// # Errors
    /// [`Error`] says why the operation was refused or failed, and whether it may have happened.
    pub async fn submit(self: &Arc<Self>, operation: Box<Operation>) -> Result<Reply, Error> {
        let place = admit::admit(self, &operation)?;
        if operation.action == Action::Get && operation.purpose == Purpose::Act {
            let Found::Child(service) = &place else { return Box::pin(self.run(operation, place)).await };
            let reply = self.read(&operation, service).await;
            if !door::is_outdated(self, service, &reply) {
                return reply;
            }
            let place = admit::found(self, &operation)?;
            return Box::pin(self.run(operation, place)).await;
        }
        self.start(operation, place).await.unwrap_or_else(|failure| {
            tracing::error!(%failure, "operation ended in a panic");
            Err(Error::Broken)
        })
    }

    /// Starts the task of an operation. Apart from its caller, whose future would otherwise have room for a second one.
    fn start(self: &Arc<Self>, operation: Box<Operation>, place: Found) -> JoinHandle<Result<Reply, Error>> {
        let operations = Arc::clone(self);
        self.shutdown.run(async move { operations.run(operation, place).await })
    }

    /// Runs an operation inside the caller's own task. For callers that are tasks of the host themselves.
    ///
    /// # Errors
    /// As [`Operations::submit`].
    pub async fn perform(self: &Arc<Self>, operation: Operation) -> Result<Reply, Error> {
        let place = admit::admit(self, &operation)?;
        // What a panic leaves behind is an operation: the task of the host that asked for it goes on with the next.
        let run = AssertUnwindSafe(failure::contained(self.run(Box::new(operation), place)));
        run.catch_unwind().await.unwrap_or(Err(Error::Broken))
    }

    async fn run(self: &Arc<Self>, mut operation: Box<Operation>, mut found: Found) -> Result<Reply, Error> {
        let began = self.clock.now();
        let mut tries = 0;
        loop {
            tries += 1;
            let place = locate::locate(self, &mut operation, found)?;
            let (action, service) = (operation.action, Arc::clone(place.service()));
            let creates = matches!(place, Place::Creation { .. });
            let reply = self.go(&mut operation, place).await;
            if tries >= ANEW_MAX || !door::is_outdated(self, &service, &reply) {
                publish::publish(self, &service, action, operation.cause, began, &reply);
                return reply;
            }
            if creates {
                // It was asked of the factory; on its way it has got the link of the child, and perhaps become a PUT.
                operation.link = service.path.clone();
                (operation.action, operation.first_action) = (Action::Post, None);
            }
            found = admit::found(self, &operation)?;
        }
    }

    async fn go(self: &Arc<Self>, operation: &mut Operation, place: Place) -> Result<Reply, Error> {
        match place {
            Place::Document { service, partition } => self.on_document(operation, &service, &partition).await,
            // Boxed, as all that is rarer than an update: the task of an operation is moved and cleared as a whole.
            Place::Creation { service, partition } => Box::pin(self.on_creation(operation, &service, &partition)).await,
            Place::Stateless { service } => Box::pin(execute::stateless(self, operation, &service)).await,
        }
    }

    async fn on_document(
        self: &Arc<Self>,
        operation: &mut Operation,
        service: &Arc<Service>,
        partition: &Arc<Partition>,
    ) -> Result<Reply, Error> {
        locate::serving(self, operation, partition).await?;
        if operation.action == Action::Get && operation.purpose == Purpose::Act {
            return self.read_document(operation, service, partition).await;
        }
        self.gate.pass(self, operation).await?;
        let turn = locate::turn(self, operation, partition).await?;
        let step = self.update(operation, service, partition).await;
        self.finish(operation, partition, turn, step).await
    }

    /// Passes the turn on, and answers once everything is committed that the answer was drawn from.
    async fn finish(
        &self,
        operation: &Operation,
        partition: &Partition,
        turn: Turn,
        step: Result<Step, Error>,
    ) -> Result<Reply, Error> {
        let seen = partition.appended(&operation.link);
        drop(turn);
        let answer = match step {
            Ok(Step::Proposed(pending)) => return pending.committed(self, operation, partition).await,
            // What failed for want of time, of a reign or of its service shows no state.
            Err(failure @ (Error::Unavailable { .. } | Error::Lost(_) | Error::Superseded { .. })) => {
                return Err(failure);
            }
            Ok(Step::Answered(reply)) => Ok(reply),
            Err(refusal) => Err(refusal),
        };
        locate::witnessed(self, operation, partition, seen, Happened::No).await.and(answer)
    }

    async fn update(
        self: &Arc<Self>,
        operation: &Operation,
        service: &Arc<Service>,
        partition: &Arc<Partition>,
    ) -> Result<Step, Error> {
        door::check(self, service)?;
        if execute::needs_start(self, operation, service, partition) {
            Box::pin(execute::start_first(self, operation, service, partition)).await?;
        }
        let (before, decision) = match load::load(self, operation, service, partition).await? {
            load::Loaded::Answered(reply) => return Ok(Step::Answered(reply)),
            load::Loaded::Absent(before) => (before, Decision::absent()),
            load::Loaded::Newest(before) if self.is_settled(operation, partition) => {
                (before, Decision::nothing(UpdateAction::Patch))
            }
            load::Loaded::Newest(before) => {
                let decision = execute::execute(self, operation, service, &before).await?;
                (before, decision)
            }
        };
        propose::propose(self, operation, service, partition, before, decision).await.map(Step::Proposed)
    }

    /// Returns true if the answer to an effect has been told to its document already.
    fn is_settled(&self, operation: &Operation, partition: &Partition) -> bool {
        match &operation.purpose {
            Purpose::Answered { settled, .. } => {
                partition.with_outbox(|outbox| settled.last().is_some_and(|key| !outbox.is_pending(key)))
            }
            Purpose::Act | Purpose::Start | Purpose::Maintain | Purpose::Expire => false,
        }
    }

    /// The short road of a read: most reads are a look into memory.
    async fn read(self: &Arc<Self>, operation: &Operation, service: &Arc<Service>) -> Result<Reply, Error> {
        let began = self.clock.now();
        let partition = self.table.of(&operation.link, service.lane());
        let reply = match partition.admits() {
            Ok(_) => self.read_document(operation, service, partition).await,
            Err(_) => Box::pin(async { self.on_document(&mut operation.clone(), service, partition).await }).await,
        };
        publish::publish(self, service, Action::Get, operation.cause, began, &reply);
        reply
    }

    async fn read_document(
        self: &Arc<Self>,
        operation: &Operation,
        service: &Arc<Service>,
        partition: &Arc<Partition>,
    ) -> Result<Reply, Error> {
        // `handle-start` comes before every other handler, `handle-get` too.
        if service.handles(Handler::HandleGet) && execute::needs_start(self, operation, service, partition) {
            Box::pin(self.start_first(operation, service, partition)).await?;
        }
        execute::read(self, operation, service, partition).await
    }

    async fn start_first(
        self: &Arc<Self>,
        operation: &Operation,
        service: &Arc<Service>,
        partition: &Arc<Partition>,
    ) -> Result<(), Error> {
        let _turn = locate::turn(self, operation, partition).await?;
        execute::start_first(self, operation, service, partition).await
    }

    async fn on_creation(
        self: &Arc<Self>,
        operation: &mut Operation,
        service: &Arc<Service>,
        partition: &Arc<Partition>,
    ) -> Result<Reply, Error> {
        locate::serving(self, operation, partition).await?;
        self.gate.pass(self, operation).await?;
        let turn = locate::turn(self, operation, partition).await?;
        match self.creation(operation, service, partition).await.transpose() {
            Some(step) => self.finish(operation, partition, turn, step).await,
            None => {
                drop(turn);
                (operation.first_action, operation.action) = (Some(operation.action), Action::Put);
                Box::pin(self.on_document(operation, service, partition)).await
            }
        }
    }

    /// Returns none if the document exists and the service makes a PUT of such a POST.
    async fn creation(
        self: &Arc<Self>,
        operation: &Operation,
        service: &Arc<Service>,
        partition: &Arc<Partition>,
    ) -> Result<Option<Step>, Error> {
        door::check(self, service)?;
        let before = match create::load(self, operation, service, partition).await? {
            create::Loaded::Answered(reply) => return Ok(Some(Step::Answered(reply))),
            create::Loaded::Exists => return Ok(None),
            create::Loaded::Free(before) => before,
        };
        let decision = create::create(self, operation, service, &before).await?;
        let pending = propose::propose(self, operation, service, partition, before, decision).await?;
        if let Ok(epoch) = partition.admits()
            && service.handles(Handler::HandleStart)
        {
            self.starts.started((partition.id(), epoch), (&service.path, service.revision), &operation.link);
        }
        Ok(Some(Step::Proposed(pending)))
    }

    fn tell_watcher(&self, service: &Arc<Service>, link: &Link, exists: bool) {
        if let Some(watcher) = self.watcher.get() {
            watcher(service, link, exists);
        }
    }

    /// Starts a document that nobody has touched in this reign, if its service has `handle-start`: before a timer or an effect
    /// of the document goes off. Costs nothing if the document has been started.
    ///
    /// # Errors
    /// As [`Operations::submit`].
    pub async fn begin(self: &Arc<Self>, link: &Link) -> Result<(), Error> {
        let Some(Found::Child(service)) = self.services.find(link) else { return Ok(()) };
        let id = format!("start-{}", link.name());
        let start = self.own(id, Action::Patch, link.clone(), Cause::Maintenance, Purpose::Start);
        let partition = self.table.of(link, service.lane());
        match execute::needs_start(self, &start, &service, partition) {
            true => self.perform(start).await.map(|_| ()),
            false => Ok(()),
        }
    }

    /// Returns once the state store of a partition holds everything that is in the log of the partition now, committed or not.
    ///
    /// # Errors
    /// [`Error::Lost`] if a part of it is taken back, [`Error::Behind`] or [`Error::Unavailable`] if it takes too long.
    pub async fn settled(&self, partition: &Partition) -> Result<(), Error> {
        if let Some(end) = partition.status().replica.end {
            let committed = tokio::time::timeout(SETTLED_WITHIN, partition.committed(end)).await;
            committed.map_err(|_| Error::Unavailable {
                partition: partition.id(),
                reason: "what is in its log is not committed yet".to_owned(),
                seconds: SETTLED_WITHIN.as_secs(),
                happened: Happened::No,
            })??;
        }
        Ok(crate::partition::flushed(partition).await?)
    }

    /// Returns an operation that the host itself starts: without a client, with the usual time to wait.
    pub fn own(&self, id: String, action: Action, link: Link, cause: Cause, purpose: Purpose) -> Operation {
        Operation {
            id,
            action,
            link,
            query: String::new(),
            headers: Vec::new(),
            body: None,
            principal: String::new(),
            cause,
            purpose,
            deadline: self.clock.now().plus(self.limits.wait),
            condition: Condition::None,
            idempotency_key: None,
            version: None,
            first_action: None,
            force: false,
        }
    }
}
