//! Queries on this node: whoever asks, HTTP clients or guests, they are run here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use steward_model::{Lane, Link, Moment, PartitionId, Timestamp};
use steward_query::request::{Budget, HELD_BYTES_MAX, Request, SCANNED_MAX};
use steward_query::run::Answer;
use steward_query::{odata, page, run, task};
use steward_storage::documents::Copies;
use uuid::Uuid;

use super::aim::Aim;
use super::documents::{Documents, SourceError};
use super::places::{Crowded, Places};
use crate::clock::Clock;
use crate::failure;
use crate::partition::{Behind, Partitions, flushed_lane};
use crate::service::ServiceTable;

/// How long a query may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What a query may read on the worker that carries it: about as much as a hop to another thread costs, and little enough that
/// nobody waits long for the worker.
const QUICK_READS: u64 = 128;

/// How long a query may take there. The disk may be slow.
const QUICK_WITHIN: Duration = Duration::from_millis(2);

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The listing of a factory is asked for in a wrong way.
    #[error("{0}")]
    Listing(#[from] odata::Error),
    /// The query task is wrong.
    #[error("{0}")]
    Task(#[from] task::Error),
    /// The next page cannot be named.
    #[error("{0}")]
    Page(#[from] page::Error),
    /// The query failed or is too large.
    #[error("{0}")]
    Run(#[from] run::Error<SourceError>),
    /// The documents are not up to date.
    #[error("{0}")]
    Behind(#[from] Behind),
    /// Nobody answers for some of the documents now.
    #[error("partition {0} has no primary now, so the answer would not be complete")]
    NotServed(PartitionId),
    /// Too many queries wait.
    #[error("{0}")]
    Crowded(#[from] Crowded),
    /// A bug of ours: the thread that ran the query ended without an answer.
    #[error("the query ended unexpectedly; this is a fault of the host")]
    Broken,
}

/// See the head of this module.
pub(crate) struct Queries {
    clock: Arc<Clock>,
    table: Arc<Partitions>,
    services: Arc<ServiceTable>,
    places: Places,
    owner: String,
}

/// The copies that count, by lane.
type Counting = Vec<(Lane, Arc<Copies>)>;

impl Queries {
    /// Returns the queries over these partitions; `owner` is the name of this node.
    pub(crate) fn new(
        clock: Arc<Clock>,
        table: Arc<Partitions>,
        services: Arc<ServiceTable>,
        owner: String,
    ) -> Queries {
        Queries { clock, table, services, places: Places::default(), owner }
    }

    /// Returns the result document of `GET <factory>?<query>`: the children, as OData options ask for them.
    ///
    /// # Errors
    /// [`Refusal`] says what to change.
    pub(crate) async fn listing(&self, factory: &Link, query: &str) -> Result<Bytes, Refusal> {
        let listing = odata::Listing::parse(factory.clone(), query)?;
        let began = self.clock.now();
        let answer = self.run(listing.request().clone()).await?;
        Ok(listing.results(&answer, &self.owner, self.micros_since(began))?)
    }

    /// Returns the finished task of a `POST /core/query-tasks`.
    ///
    /// # Errors
    /// [`Refusal`] says what to change.
    pub(crate) async fn task(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let link = format!("/core/query-tasks/{}", Uuid::now_v7().simple());
        self.finish(task::Task::parse(body)?, &link).await
    }

    /// Returns one page of a query task, whose token is the parameter [`page::PARAMETER`] of `GET /core/query-page`.
    ///
    /// # Errors
    /// [`Refusal`] if the page is not to be had any more.
    pub(crate) async fn page(&self, token: &str) -> Result<Bytes, Refusal> {
        self.finish(task::Task::page(token, self.clock.wall_time())?, "").await
    }

    async fn finish(&self, task: task::Task, link: &str) -> Result<Bytes, Refusal> {
        let began = self.clock.now();
        let answer = self.run(task.request().clone()).await?;
        let micros = self.micros_since(began);
        let now = self.clock.wall_time();
        Ok(task.finish(&answer, &task::Finish { link, owner: &self.owner, now, micros })?)
    }

    fn micros_since(&self, began: steward_model::Moment) -> u64 {
        u64::try_from(self.clock.now().since(began).as_micros()).unwrap_or(u64::MAX)
    }

    async fn run(&self, request: Request) -> Result<Answer, Refusal> {
        let aim = Aim::of(request, &self.services);
        let copies = self.complete(&aim.lanes).await?;
        let (table, services) = (Arc::clone(&self.table), Arc::clone(&self.services));
        let (clock, owner) = (Arc::clone(&self.clock), self.owner.clone());
        let source = Source { table, services, aim, copies, clock, owner };
        let now = self.clock.wall_time();
        // A state of a former shape is migrated by a guest, which may take its time.
        if !source.aim.concerned.iter().any(|service| service.has_former_states) {
            let deadline = self.clock.now().plus(QUICK_WITHIN);
            let budget = Budget { deadline, reads_max: QUICK_READS, ..budget(now) };
            match contained(|| source.answer(&budget))? {
                Err(run::Error::Long { .. } | run::Error::Deadline { .. }) => {}
                done => return Ok(done?),
            }
        }
        let budget = Budget { deadline: self.clock.now().plus(ANSWER_WITHIN), ..budget(now) };
        let place = self.places.take().await?;
        let work = move || {
            let _place = place;
            contained(|| source.answer(&budget))
        };
        Ok(tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Broken)???)
    }

    /// Returns the copies that count, once they hold every update that was acknowledged before the query began.
    async fn complete(&self, lanes: &[Lane]) -> Result<Counting, Refusal> {
        let mut counting = Vec::with_capacity(lanes.len());
        for lane in lanes {
            let copies = self.table.shared().served.copies(*lane);
            // There is no other node yet that could be asked.
            if let Some(id) = copies.lacking(self.table.lane(*lane).iter().map(|partition| partition.id())) {
                return Err(Refusal::NotServed(id));
            }
            flushed_lane(&self.table, *lane).await?;
            counting.push((*lane, copies));
        }
        Ok(counting)
    }
}

fn budget(now: Timestamp) -> Budget {
    Budget {
        now,
        deadline: Moment::default(),
        scanned_max: SCANNED_MAX,
        held_bytes_max: HELD_BYTES_MAX,
        reads_max: u64::MAX,
    }
}

/// Runs a query, whose panic is its caller's trouble only.
///
/// # Errors
/// [`Refusal::Broken`] if it panics.
fn contained<T>(work: impl FnOnce() -> T) -> Result<T, Refusal> {
    failure::contain(|| catch_unwind(AssertUnwindSafe(work))).map_err(|_| {
        tracing::error!("query ended in a panic");
        Refusal::Broken
    })
}

/// What a query is run over, wherever that happens.
struct Source {
    table: Arc<Partitions>,
    services: Arc<ServiceTable>,
    aim: Aim,
    copies: Counting,
    clock: Arc<Clock>,
    owner: String,
}

impl Source {
    fn answer(&self, budget: &Budget) -> Result<Answer, run::Error<SourceError>> {
        let (aim, owner) = (&self.aim, self.owner.clone());
        let documents = Documents::open(&self.table, &self.services, aim, self.copies.clone(), owner);
        run::run(&aim.request, &documents.map_err(run::Error::Source)?, budget, &|| self.clock.now())
    }
}
