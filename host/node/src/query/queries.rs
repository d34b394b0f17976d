//! Queries on this node: whoever asks, HTTP clients or guests, they are run here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use steward_model::{Lane, Link, NodeId, PartitionId};
use steward_protocol::replica::NotAdmitted;
use steward_query::request::{Budget, HELD_BYTES_MAX, Request, SCANNED_MAX};
use steward_query::run::Answer;
use steward_query::{odata, page, run, task};
use uuid::Uuid;

use super::documents::{Documents, SourceError};
use crate::clock::Clock;
use crate::failure;
use crate::partition::{Behind, Partitions, flushed_lane};
use crate::service::ServiceTable;

/// How long a query may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

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
    /// Another node has documents that the query is about.
    #[error("partition {partition} belongs to node {owner}, and queries do not reach other nodes yet")]
    Elsewhere {
        /// The first partition that is not here.
        partition: PartitionId,
        /// The node that serves it.
        owner: NodeId,
    },
    /// The documents are not up to date.
    #[error("{0}")]
    Behind(#[from] Behind),
    /// A bug of ours: the thread that ran the query ended without an answer.
    #[error("the query ended unexpectedly; this is a fault of the host")]
    Broken,
}

/// See the head of this module.
pub(crate) struct Queries {
    clock: Arc<Clock>,
    table: Arc<Partitions>,
    services: Arc<ServiceTable>,
    owner: String,
}

impl Queries {
    /// Returns the queries over these partitions; `owner` is the name of this node.
    pub(crate) fn new(
        clock: Arc<Clock>,
        table: Arc<Partitions>,
        services: Arc<ServiceTable>,
        owner: String,
    ) -> Queries {
        Queries { clock, table, services, owner }
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

    /// Refuses a query that would not find all documents.
    fn all_here(&self, lane: Lane) -> Result<(), Refusal> {
        let elsewhere = self.table.lane(lane).iter().find_map(|partition| match partition.admits() {
            Err(NotAdmitted::NotPrimary { primary }) => Some((partition.id(), primary.node)),
            Ok(_) | Err(NotAdmitted::Recovering | NotAdmitted::TooFewInSync { .. }) => None,
        });
        elsewhere.map_or(Ok(()), |(partition, owner)| Err(Refusal::Elsewhere { partition, owner }))
    }

    async fn run(&self, request: Request) -> Result<Answer, Refusal> {
        // A query shows every update that was acknowledged before it began.
        for lane in Documents::lanes(&self.services, request.factory.as_ref()) {
            self.all_here(lane)?;
            flushed_lane(&self.table, lane).await?;
        }
        let budget = Budget {
            now: self.clock.wall_time(),
            deadline: self.clock.now().plus(ANSWER_WITHIN),
            scanned_max: SCANNED_MAX,
            held_bytes_max: HELD_BYTES_MAX,
        };
        let (table, services) = (Arc::clone(&self.table), Arc::clone(&self.services));
        let (clock, owner) = (Arc::clone(&self.clock), self.owner.clone());
        let work = move || {
            let source = Documents::open(&table, &services, request.factory.as_ref(), owner);
            run::run(&request, &source.map_err(run::Error::Source)?, &budget, &|| clock.now())
        };
        match tokio::task::spawn_blocking(|| failure::contain(work)).await {
            Ok(answer) => Ok(answer?),
            Err(failure) => {
                tracing::error!(%failure, "query ended in a panic");
                Err(Refusal::Broken)
            }
        }
    }
}
