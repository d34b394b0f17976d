//! Tasks that run beside the steps: clients and carriers of effects, as futures that the world polls when it likes.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use steward_model::{Epoch, Link, Moment, PartitionId, Position, Timestamp};
use steward_replication::{Partition, Partitions};

use crate::group::{Shown, Told};
use crate::requests::{Answer, Request};

/// What tasks see of their world.
pub(crate) struct Around {
    pub(crate) partitions: Arc<Partitions>,
    /// An effect that went out for a reign that was over.
    pub(crate) stray: RefCell<Option<String>>,
    /// What durations are measured by.
    pub(crate) now: Rc<Cell<Moment>>,
    /// The time of day, which may be set.
    pub(crate) wall: Rc<Cell<Timestamp>>,
    /// The time of day, and what durations were measured by, when the process began.
    pub(crate) began: (Timestamp, Moment),
    /// The last time that an update was given.
    pub(crate) latest: Cell<Timestamp>,
}

impl Around {
    /// Returns the time of day when the process began plus what has passed since, as the clock of a node does.
    pub(crate) fn steady(&self) -> Timestamp {
        self.began.0.plus(self.now.get().since(self.began.1))
    }

    /// Returns the time of day, later than every one returned before.
    pub(crate) fn timestamp(&self) -> Timestamp {
        let next = self.wall.get().max(Timestamp(self.latest.get().0 + 1));
        self.latest.set(next);
        next
    }

    /// Returns what the tasks of a process start see that begins now; no update is later than `latest`.
    pub(crate) fn new(
        partitions: &Arc<Partitions>,
        now: &Rc<Cell<Moment>>,
        wall: &Rc<Cell<Timestamp>>,
        latest: Timestamp,
    ) -> Around {
        Around {
            partitions: Arc::clone(partitions),
            stray: RefCell::default(),
            now: Rc::clone(now),
            wall: Rc::clone(wall),
            began: (wall.get(), now.get()),
            latest: Cell::new(latest),
        }
    }

    /// Returns the partition in which a document of this world lives.
    pub(crate) fn of(&self, link: &Link) -> &Arc<Partition> {
        self.partitions.get(place(link))
    }
}

/// Returns the partition in which a document of a world lives; its name says so.
pub(crate) fn place(link: &Link) -> PartitionId {
    let mut parts = link.as_str().split('/').skip(1);
    let lane = match parts.next() {
        Some("volatile") => steward_model::Lane::Volatile,
        Some(_) | None => steward_model::Lane::Persisted,
    };
    let index = parts.next().and_then(|index| index.parse().ok()).unwrap_or(0);
    PartitionId { selector: steward_model::partition::SelectorId::default(), lane, index }
}

/// Lets others run once.
pub(crate) fn pause() -> impl Future<Output = ()> {
    let mut is_done = false;
    std::future::poll_fn(move |_| if std::mem::replace(&mut is_done, true) { Poll::Ready(()) } else { Poll::Pending })
}

/// Returns what `work` ends with, if it ends before a moment of the node's clock; what has ended by then is told.
pub(crate) async fn in_time<T>(around: &Around, until: Moment, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let waited = std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if around.now.get() >= until => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    waited.await
}

/// Returns once one of two has ended.
pub(crate) async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let waited = std::future::poll_fn(|context| {
        let is_done = one.as_mut().poll(context).is_ready() || other.as_mut().poll(context).is_ready();
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    });
    waited.await;
}

/// Who waits for the end of a task.
#[derive(Debug, Clone)]
pub(crate) enum Owner {
    /// A client, by number.
    Client(usize),
    /// Nobody: the host itself.
    Host,
    /// A reader, who began when this position was acknowledged.
    Reader,
}

/// What a task ends with.
#[derive(Debug, Clone)]
pub(crate) enum Done {
    /// An operation was answered.
    Operated(Request, Answer),
    /// A claim was worked off.
    Carried,
    /// A document was read while this reign was served here.
    Read { link: Link, epoch: Epoch, document: Option<Arc<steward_model::Document>> },
    /// Somebody was told that the record at this position is committed, or that it is not known to be.
    Awaited { partition: PartitionId, position: Position, is_committed: bool },
    /// A copy was read as it is, by a reader who has seen a record of its log, or none.
    Shown { link: Link, seen: Option<Position>, shown: Shown },
    /// An operation was answered, and its answer was to wait for further members to hold what it shows.
    Held { request: Request, answer: Answer, told: Told },
    /// Nothing could be read.
    Unread,
}

type Running = Pin<Box<dyn Future<Output = Done>>>;

struct Task {
    owner: Owner,
    running: Running,
}

/// All tasks of one process start.
#[derive(Default)]
pub(crate) struct Tasks {
    tasks: Vec<Task>,
}

impl Tasks {
    pub(crate) fn spawn(&mut self, owner: Owner, running: impl Future<Output = Done> + 'static) {
        self.tasks.push(Task { owner, running: Box::pin(running) });
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Polls a task once; returns what it ended with.
    pub(crate) fn poll(&mut self, index: usize) -> Option<(Owner, Done)> {
        let task = &mut self.tasks[index];
        match task.running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => None,
            Poll::Ready(done) => Some((self.tasks.remove(index).owner, done)),
        }
    }

    /// Gives a task up, as a deadline does.
    pub(crate) fn give_up(&mut self, index: usize) -> Owner {
        self.tasks.remove(index).owner
    }

    /// Returns the owner of a task.
    pub(crate) fn owner(&self, index: usize) -> &Owner {
        &self.tasks[index].owner
    }

    /// Ends all tasks.
    pub(crate) fn clear(&mut self) -> Vec<Owner> {
        self.tasks.drain(..).map(|task| task.owner).collect()
    }
}
