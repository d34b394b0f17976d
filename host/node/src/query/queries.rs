//! Queries: this node answers HTTP clients and guests for all documents of the group. It asks each owner for its part, and merges
//! the parts.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use steward_model::{Lane, Link, Moment, NodeId, PartitionId, Timestamp, codec};
use steward_protocol::cluster::ClusterState;
use steward_query::request::{Budget, HELD_BYTES_MAX, Request, SCANNED_MAX};
use steward_query::run::{Answer, Part};
use steward_query::{odata, run, task};
use steward_storage::documents::Copies;
use tokio::sync::watch;
use uuid::Uuid;

use super::aim::Aim;
use super::asked::{Query, Said, Share};
use super::documents::Documents;
use super::migration::SourceError;
use super::places::Places;
use super::refusal::Refusal;
use crate::clock::Clock;
use crate::failure;
use crate::partition::{Partitions, flushed_lane};
use crate::peer::{self, Links, Origin, Service, Topic};
use crate::service::ServiceTable;

/// How long a query may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What a query may read on the worker that carries it: about as much as a hop to another thread costs, and little enough that
/// nobody waits long for the worker.
const QUICK_READS: u64 = 128;

/// Pause before partitions that nobody served a moment ago are asked for again.
const PAUSE: Duration = Duration::from_millis(20);

/// How long members may take to confirm that this node still answers for its partitions.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);

/// How long a query may take there. The disk may be slow.
const QUICK_WITHIN: Duration = Duration::from_millis(2);

pub(crate) struct Queries {
    clock: Arc<Clock>,
    partitions: Arc<Partitions>,
    services: Arc<ServiceTable>,
    places: Places,
    owner: String,
    /// None on a node without peers, which serves everything.
    group: Option<OtherNodes>,
}

/// Until when somebody waits for an answer.
#[derive(Debug, Clone, Copy)]
struct Until {
    moment: Moment,
    /// How long that was at the beginning.
    wait: Duration,
}

impl Until {
    fn after(clock: &Clock, wait: Duration) -> Until {
        Until { moment: clock.now().plus(wait), wait }
    }

    /// Returns how much time is left.
    fn left(self, clock: &Clock) -> Duration {
        self.moment.since(clock.now())
    }

    /// Returns what is waited for.
    ///
    /// # Errors
    /// [`Refusal::Late`] if it does not come in time.
    async fn reached<T>(self, clock: &Clock, waited: impl Future<Output = T>) -> Result<T, Refusal> {
        let late = |_| Refusal::Late { seconds: self.wait.as_secs() };
        tokio::time::timeout(self.left(clock), waited).await.map_err(late)
    }
}

/// The other nodes of the group.
pub(crate) struct OtherNodes {
    /// The connections to them.
    pub(crate) links: Links,
    /// Which partitions they serve.
    pub(crate) cluster: watch::Receiver<Arc<ClusterState>>,
}

/// The copies that count, by lane.
type Counting = Vec<(Lane, Arc<Copies>)>;

impl Queries {
    /// Returns the queries over these partitions and those of the `group`; `owner` is the name of this node.
    pub(crate) fn new(
        clock: Arc<Clock>,
        partitions: Arc<Partitions>,
        services: Arc<ServiceTable>,
        owner: String,
        group: Option<OtherNodes>,
    ) -> Queries {
        Queries { clock, partitions, services, places: Places::default(), owner, group }
    }

    /// Returns how many queries wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        self.places.waiting()
    }

    /// Returns the result document of `GET <factory>?<query>`: the children, as OData options ask for them.
    ///
    /// # Errors
    /// [`Refusal`] says what to change.
    pub(crate) async fn listing(&self, factory: &Link, query: &str, wait: Option<Duration>) -> Result<Bytes, Refusal> {
        let listing = odata::Listing::parse(factory.clone(), query)?;
        let began = self.clock.now();
        let asked = Query::Listing { factory: factory.clone(), query: query.to_owned() };
        let answer = self.run(asked, listing.request().clone(), wait).await?;
        Ok(listing.results(&answer, &self.owner, self.micros_since(began))?)
    }

    /// Returns the finished task of a `POST /core/query-tasks`.
    ///
    /// # Errors
    /// [`Refusal`] says what to change.
    pub(crate) async fn task(&self, body: &[u8], wait: Option<Duration>) -> Result<Bytes, Refusal> {
        let link = format!("/core/query-tasks/{}", Uuid::now_v7().simple());
        self.finish(task::Task::parse(body)?, Query::Task(Bytes::copy_from_slice(body)), &link, wait).await
    }

    /// Returns one page of a query task, whose token is the parameter [`page::PARAMETER`] of `GET /core/query-page`.
    ///
    /// # Errors
    /// [`Refusal`] if the page is not to be had any more.
    pub(crate) async fn page(&self, token: &str, wait: Option<Duration>) -> Result<Bytes, Refusal> {
        self.finish(task::Task::page(token, self.clock.wall_time())?, Query::Page(token.to_owned()), "", wait).await
    }

    async fn finish(
        &self,
        task: task::Task,
        asked: Query,
        link: &str,
        wait: Option<Duration>,
    ) -> Result<Bytes, Refusal> {
        let began = self.clock.now();
        let answer = self.run(asked, task.request().clone(), wait).await?;
        let micros = self.micros_since(began);
        let now = self.clock.wall_time();
        Ok(task.finish(&answer, &task::Finish { link, owner: &self.owner, now, micros })?)
    }

    fn micros_since(&self, began: Moment) -> u64 {
        u64::try_from(self.clock.now().since(began).as_micros()).unwrap_or(u64::MAX)
    }

    /// Runs a query over all partitions, wherever they are served. One that is handed over meanwhile is asked for anew. `wait` is how long
    /// somebody waits, if that was said.
    async fn run(&self, asked: Query, request: Request, wait: Option<Duration>) -> Result<Answer, Refusal> {
        let now = self.clock.wall_time();
        let until = Until::after(&self.clock, wait.unwrap_or(ANSWER_WITHIN));
        let aim = Aim::of(request, &self.services);
        aim.check()?;
        let request = aim.request.clone();
        let Some(group) = &self.group else {
            let all: Vec<PartitionId> = aim.partitions().collect();
            return Ok(run::gather(&request, vec![self.part(aim, &all, now, until).await?]));
        };
        let mut lacking = None;
        loop {
            let refusal = match self.attempt(group, &asked, &aim, now, until).await {
                Err(refusal @ (Refusal::NotServed(_) | Refusal::OutOfReach { .. } | Refusal::Late { .. })) => refusal,
                parts => return Ok(run::gather(&request, parts?)),
            };
            // The last attempt is cut off by the deadline, and then says less than one before it.
            if let Refusal::NotServed(partition) = refusal {
                lacking = Some(partition);
            }
            if until.left(&self.clock).is_zero() {
                return Err(lacking.map_or(refusal, Refusal::NotServed));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks every owner for its part, this node among them.
    async fn attempt(
        &self,
        group: &OtherNodes,
        asked: &Query,
        aim: &Aim,
        now: Timestamp,
        until: Until,
    ) -> Result<Vec<Part>, Refusal> {
        let own = self.partitions.shared().own.node;
        let state = group.cluster.borrow().clone();
        let mut shares: BTreeMap<NodeId, Vec<PartitionId>> = BTreeMap::new();
        for partition in aim.partitions() {
            let row = state.row(partition).ok_or(Refusal::NotServed(partition))?;
            shares.entry(row.primary.node).or_default().push(partition);
        }
        let ours = shares.remove(&own);
        let within = until.left(&self.clock);
        let others = shares
            .into_iter()
            .map(|(node, partitions)| group.ask(node, Share { asked: asked.clone(), now, partitions, within }));
        let ours = async {
            match ours {
                Some(partitions) => self.part(aim.clone(), &partitions, now, until).await.map(Some),
                None => Ok(None),
            }
        };
        let (ours, mut parts) = futures_util::try_join!(ours, futures_util::future::try_join_all(others))?;
        parts.extend(ours);
        Ok(parts)
    }

    /// Returns what the documents of these partitions, which are served here, have to say.
    async fn part(&self, aim: Aim, partitions: &[PartitionId], now: Timestamp, until: Until) -> Result<Part, Refusal> {
        let copies = until.reached(&self.clock, self.complete(&aim.lanes, partitions)).await??;
        let (partitions, services) = (Arc::clone(&self.partitions), Arc::clone(&self.services));
        let (clock, owner) = (Arc::clone(&self.clock), self.owner.clone());
        let source = Source { partitions, services, aim, copies, clock, owner };
        // A state of a former shape is migrated by a guest, which may take its time.
        if !source.aim.concerned.iter().any(|service| service.has_former_states) {
            let deadline = self.clock.now().plus(QUICK_WITHIN);
            let budget = Budget { deadline, reads_max: QUICK_READS, ..budget(now) };
            match contained(|| source.collect(&budget))? {
                Err(run::Error::Long { .. } | run::Error::Deadline { .. }) => {}
                done => return Ok(done?),
            }
        }
        let place = until.reached(&self.clock, self.places.take()).await??;
        let deadline = self.clock.now().plus(ANSWER_WITHIN.min(until.left(&self.clock)));
        let budget = Budget { deadline, ..budget(now) };
        let work = move || {
            let _place = place;
            contained(|| source.collect(&budget))
        };
        Ok(tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Broken)???)
    }

    /// Returns the copies of these partitions, once they hold every update that was acknowledged before the query began.
    async fn complete(&self, lanes: &[Lane], partitions: &[PartitionId]) -> Result<Counting, Refusal> {
        self.confirmed(partitions).await?;
        let mut counting = Vec::with_capacity(lanes.len());
        for lane in lanes {
            let wanted = || partitions.iter().copied().filter(|partition| partition.lane == *lane);
            let served = self.partitions.shared().served.copies(*lane);
            if let Some(id) = served.lacking(wanted()) {
                return Err(Refusal::NotServed(id));
            }
            let copies = match wanted().count() == self.partitions.lane(*lane).len() {
                true => served,
                false => {
                    let mut copies = Copies::none(*lane);
                    wanted().for_each(|id| copies.add(self.partitions.get(id).store().copy()));
                    Arc::new(copies)
                }
            };
            flushed_lane(&self.partitions, *lane).await?;
            counting.push((*lane, copies));
        }
        Ok(counting)
    }

    /// Returns once it is certain that this node still answers for these partitions. A node without peers always does.
    async fn confirmed(&self, partitions: &[PartitionId]) -> Result<(), Refusal> {
        if self.group.is_none() {
            return Ok(());
        }
        let now = self.clock.now();
        let ask = |id: &PartitionId| (*id, self.partitions.get(*id).ask(|| now));
        // All are asked before the first answer is waited for: the questions travel together.
        let asked: Vec<_> = partitions.iter().map(ask).collect();
        let until = now.plus(CONFIRMED_WITHIN);
        for (id, confirmation) in asked {
            match tokio::time::timeout(until.since(self.clock.now()), confirmation.confirmed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Refusal::NotServed(id)),
            }
        }
        Ok(())
    }

    /// Answers another node's question.
    async fn share(&self, share: Share) -> Said {
        let request = match share.asked.request(share.now) {
            Ok(request) => request,
            Err(refusal) => return Said::Failed(refusal.problem()),
        };
        let mut aim = Aim::of(request, &self.services);
        aim.lanes.retain(|lane| share.partitions.iter().any(|partition| partition.lane == *lane));
        let until = Until::after(&self.clock, share.within);
        match self.part(aim, &share.partitions, share.now, until).await {
            Ok(part) => Said::Part(part),
            Err(Refusal::NotServed(partition)) => Said::NotServed(partition),
            Err(refusal) => Said::Failed(refusal.problem()),
        }
    }
}

impl OtherNodes {
    /// Asks another node for its part.
    async fn ask(&self, node: NodeId, share: Share) -> Result<Part, Refusal> {
        let answer =
            self.links.request(node, peer::Lane::Bulk, Topic::Queries, codec::encode(&share), share.within).await;
        // Reads are repeated whatever became of the question.
        let answer = answer.map_err(|reason| Refusal::OutOfReach { node, reason })?;
        match codec::decode(&answer) {
            Ok(Said::Part(part)) => Ok(part),
            Ok(Said::NotServed(partition)) => Err(Refusal::NotServed(partition)),
            Ok(Said::Failed(problem)) => Err(Refusal::Remote(Box::new(problem))),
            Err(error) => {
                tracing::warn!(%error, %node, "part of an answer cannot be read");
                Err(Refusal::Broken)
            }
        }
    }
}

/// Takes the questions of other nodes.
pub(crate) struct Shares {
    queries: Arc<Queries>,
    /// Where they are answered: reading documents must not hold up the thread that other nodes are heard on.
    runtime: tokio::runtime::Handle,
}

impl Shares {
    /// Returns the taker; queries run on the runtime of the caller.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(crate) fn new(queries: &Arc<Queries>) -> Arc<Shares> {
        Arc::new(Shares { queries: Arc::clone(queries), runtime: tokio::runtime::Handle::current() })
    }
}

impl Service for Shares {
    fn request(&self, _: &Origin, body: Bytes) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let queries = Arc::clone(&self.queries);
        let task = self.runtime.spawn(failure::contained(async move {
            let share: Share = codec::decode(&body).map_err(|error| error.to_string())?;
            Ok(codec::encode(&queries.share(share).await))
        }));
        Box::pin(async { task.await.unwrap_or_else(|_| Err("the query ended in a panic".to_owned())) })
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
    partitions: Arc<Partitions>,
    services: Arc<ServiceTable>,
    aim: Aim,
    copies: Counting,
    clock: Arc<Clock>,
    owner: String,
}

impl Source {
    fn collect(&self, budget: &Budget) -> Result<Part, run::Error<SourceError>> {
        let (aim, owner) = (&self.aim, self.owner.clone());
        let documents = Documents::open(&self.partitions, &self.services, aim, self.copies.clone(), owner);
        run::collect(&aim.request, &documents.map_err(|error| run::Error::Source(error.into()))?, budget, &|| {
            self.clock.now()
        })
    }
}
