//! One connection at work: messages out, messages in, and those who wait for an answer.
//!
//! Two tasks serve it, one for each direction; when either ends, both do, and everybody who waits hears so. A request that was sent
//! when that happens may have been carried out: only a message that was never sent is known not to have been.
//!
//! What waits to be written is bounded in bytes: notices and requests by the credit that the other side gives, answers by
//! [`UNWRITTEN_BYTES_MAX`]. While more of them wait no further request is begun; those that were begun before are bounded in number.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use steward_model::codec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::credit::Window;
use super::frame::Frame;
use super::handshake::Wire;
use super::hello::Hello;
use super::lane::{Lane, Topic};
use super::thread::Tasks;
use crate::failure;

/// Frames that may wait to be written.
const QUEUE_MAX: usize = 1024;

/// Requests of the other side that may be worked on at once.
pub(super) const REQUESTS_MAX: usize = 4096;

/// Bytes of answers that may wait to be written before requests of the other side are refused. Nobody gives credit for answers, as whoever
/// asked waits for them.
const UNWRITTEN_BYTES_MAX: usize = 32 << 20;

/// How long the other side may take nothing of what is written.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// After how long without a message a sign of life is sent.
const ALIVE_AFTER: Duration = Duration::from_secs(1);

/// After how long without a sign of life the connection is given up.
const SILENT_MAX: Duration = Duration::from_secs(5);

/// Longest reason that travels, in bytes.
const REASON_BYTES_MAX: usize = 1024;

/// Most bytes that stand around the body of a message in its frame.
const AROUND_BYTES_MAX: usize = 64;

/// Who is at the other end, as the handshake has it.
pub(crate) type Origin = Arc<Hello>;

/// Takes the messages of one topic.
pub(crate) trait Service: Send + Sync {
    /// Takes a message that nobody waits for. Must return at once. A topic that has none ignores it.
    fn notice(&self, from: &Origin, body: Bytes) {
        tracing::debug!(peer = %from.host, bytes = body.len(), "message of a topic that only answers ignored");
    }

    /// Answers a request; dropped when its connection ends. A topic that has none refuses it.
    ///
    /// # Errors
    /// Why there is no answer, in words for a log.
    fn request(&self, from: &Origin, body: Bytes) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let _ = (from, body);
        Box::pin(std::future::ready(Err("messages of this topic are not answered".to_owned())))
    }
}

/// Finds the service of a topic.
pub(super) type Offered = Arc<dyn Fn(Topic) -> Option<Arc<dyn Service>> + Send + Sync>;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// There is no connection; nothing was sent.
    #[error("there is no connection to it")]
    NotConnected,
    /// The other side says so; it has changed nothing.
    #[error("it says: {0}")]
    Refused(String),
    /// The connection ended meanwhile. The request may have been carried out.
    #[error("the connection to it broke")]
    Broken,
    /// No answer came in time. The request may have been carried out, or yet be.
    #[error("it did not answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// The message is larger than the lane takes; nothing was sent.
    #[error("a message of {bytes} bytes is too large, {most} are possible")]
    TooLarge { bytes: usize, most: usize },
}

type Waiting = oneshot::Sender<Result<Bytes, Error>>;

/// A connection. Cheap to clone; it ends when it breaks or [`Link::close`] is called.
#[derive(Clone)]
pub(crate) struct Link {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Queued>,
}

struct Shared {
    origin: Origin,
    lane: Lane,
    window: Window,
    /// Credit that the other side has not been given back yet.
    owed: AtomicU32,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiting>>,
    ended: CancellationToken,
    places: Arc<Semaphore>,
    /// Bytes of answers that wait to be written.
    unwritten: Arc<AtomicUsize>,
    tasks: Tasks,
}

/// A frame that waits to be written.
struct Queued {
    frame: Frame,
    _unwritten: Option<Unwritten>,
}

impl Queued {
    fn bare(frame: Frame) -> Queued {
        Queued { frame, _unwritten: None }
    }
}

/// Bytes of an answer that count as long as it waits to be written.
struct Unwritten {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Unwritten {
    fn new(all: &Arc<AtomicUsize>, bytes: usize) -> Unwritten {
        all.fetch_add(bytes, Ordering::AcqRel);
        Unwritten { all: Arc::clone(all), bytes }
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        // Each change of the map is one call: whoever panicked left it whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, id: u64, outcome: Result<Bytes, Error>) {
        if let Some(waiting) = self.waiting().remove(&id) {
            // Nobody listens any more if the request was given up.
            let _ = waiting.send(outcome);
        }
    }
}

/// A request that waits for its answer; dropped, it is forgotten.
struct Pending<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.shared.waiting().remove(&self.id);
    }
}

impl Link {
    /// Begins to serve a connection after its handshake. The future serves it until it ends.
    pub(super) fn begin(
        mut wire: Wire,
        origin: Hello,
        offered: Offered,
        tasks: Tasks,
    ) -> (Link, BoxFuture<'static, ()>) {
        let lane = origin.lane;
        wire.codec_mut().set_max_frame_length(lane.frame_bytes_max());
        let (queue, queued) = mpsc::channel(QUEUE_MAX);
        let shared = Arc::new(Shared {
            origin: Arc::new(origin),
            lane,
            window: Window::new(lane.window_bytes()),
            owed: AtomicU32::new(0),
            next: AtomicU64::new(1),
            waiting: Mutex::default(),
            ended: CancellationToken::new(),
            places: Arc::new(Semaphore::new(REQUESTS_MAX)),
            unwritten: Arc::default(),
            tasks,
        });
        let link = Link { shared, queue };
        let serving = link.clone();
        // Whoever ends the task ends the connection, also for those who wait.
        let guard = serving.shared.ended.clone().drop_guard();
        let serve = Box::pin(async move {
            let (sink, stream) = wire.split();
            let reason = tokio::select! {
                () = serving.shared.ended.cancelled() => "it was closed",
                reason = write(sink, queued, &serving.shared) => reason,
                reason = read(stream, &serving, &offered) => reason,
            };
            drop(guard);
            serving.shared.waiting().clear();
            tracing::debug!(peer = %serving.shared.origin.host, lane = %lane, reason, "link ended");
        });
        (link, serve)
    }

    /// Returns who is at the other end.
    pub(crate) fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// Ends the connection.
    pub(super) fn close(&self) {
        self.shared.ended.cancel();
    }

    /// Returns true once the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.shared.ended.is_cancelled()
    }

    /// Returns true if both are the same connection.
    pub(super) fn is(&self, other: &Link) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Sends a message that may be lost: if there is no room for it now, it is.
    pub(super) fn notify(&self, topic: Topic, body: Vec<u8>) {
        let body = Bytes::from(body);
        if self.check(body.len()).is_ok() && !self.is_closed() && self.shared.window.try_spend(body.len()) {
            let bytes = self.shared.window.share(body.len());
            if self.queue.try_send(Queued::bare(Frame::Notice { topic, body })).is_err() {
                self.shared.window.give(bytes);
            }
        }
    }

    /// Sends a message that nobody answers, as soon as there is room for it; lost if the connection ends first.
    pub(super) async fn send(&self, topic: Topic, body: Vec<u8>) {
        let body = Bytes::from(body);
        if self.check(body.len()).is_err() {
            return;
        }
        let sending = async {
            let spent = self.shared.window.spend(body.len()).await;
            if self.queue.send(Queued::bare(Frame::Notice { topic, body })).await.is_ok() {
                spent.sent();
            }
        };
        tokio::select! {
            () = sending => {}
            () = self.shared.ended.cancelled() => {}
        }
    }

    /// Sends a request and returns its answer.
    ///
    /// # Errors
    /// [`Error`] says why there is none, and whether the request may have been carried out.
    pub(crate) async fn request(&self, topic: Topic, body: Vec<u8>, within: Duration) -> Result<Bytes, Error> {
        self.check(body.len())?;
        if self.is_closed() {
            return Err(Error::NotConnected);
        }
        let ask = self.ask(topic, Bytes::from(body));
        tokio::time::timeout(within, ask).await.unwrap_or(Err(Error::Late(within)))
    }

    async fn ask(&self, topic: Topic, body: Bytes) -> Result<Bytes, Error> {
        let spent = self.shared.window.spend(body.len()).await;
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.shared.waiting().insert(id, answer);
        let _pending = Pending { shared: &self.shared, id };
        // Whoever ends the connection clears those who wait after it has ended: one who came later would wait in vain.
        match self.queue.reserve().await {
            Ok(place) if !self.is_closed() => place.send(Queued::bare(Frame::Request { id, topic, body })),
            Ok(_) | Err(_) => return Err(Error::NotConnected),
        }
        spent.sent();
        tokio::select! {
            outcome = answered => outcome.unwrap_or(Err(Error::Broken)),
            () = self.shared.ended.cancelled() => Err(Error::Broken),
        }
    }

    fn check(&self, bytes: usize) -> Result<(), Error> {
        let most = self.shared.lane.frame_bytes_max() - AROUND_BYTES_MAX;
        if bytes > most { Err(Error::TooLarge { bytes, most }) } else { Ok(()) }
    }

    /// Takes a frame in. Never waits: whoever reads for others must not be held up by what they have to write.
    fn take(&self, frame: Frame, offered: &Offered) {
        let cost = self.shared.window.share(frame.cost());
        match frame {
            Frame::Notice { topic, body } => {
                if let Some(service) = self.service(topic, offered) {
                    service.notice(&self.shared.origin, body);
                }
                self.give_back(cost);
            }
            Frame::Request { id, topic, body } => self.work(id, topic, body, cost, offered),
            Frame::Answer { id, body } => self.shared.settle(id, Ok(body)),
            Frame::Refused { id, reason } => self.shared.settle(id, Err(Error::Refused(reason))),
            Frame::Credit { bytes } => self.shared.window.give(bytes),
            Frame::Alive => {}
        }
    }

    fn service(&self, topic: Topic, offered: &Offered) -> Option<Arc<dyn Service>> {
        let allowed = self.shared.origin.node.is_some() || topic.is_for_guests();
        allowed.then(|| offered(topic)).flatten()
    }

    /// Gives credit back with what is written next.
    fn give_back(&self, bytes: u32) {
        self.shared.owed.fetch_add(bytes, Ordering::AcqRel);
        // Wakes the writer if it has nothing to do. If the queue is full it has, and gives the credit with the next frame.
        let _ = self.queue.try_send(Queued::bare(Frame::Credit { bytes: 0 }));
    }

    /// Starts the work on a request.
    fn work(&self, id: u64, topic: Topic, body: Bytes, cost: u32, offered: &Offered) {
        let refuse = |reason: &str| {
            self.give_back(cost);
            // Whoever has filled the queue as well hears nothing, and waits until it is too late.
            let _ = self.queue.try_send(Queued::bare(Frame::Refused { id, reason: reason.to_owned() }));
        };
        // Whoever does not take its answers gets no further ones: they would wait in memory.
        if self.shared.unwritten.load(Ordering::Acquire) > UNWRITTEN_BYTES_MAX {
            return refuse("answers for you wait to be taken");
        }
        let place = Arc::clone(&self.shared.places).try_acquire_owned();
        match (self.service(topic, offered), place) {
            (Some(service), Ok(place)) => {
                let answer = service.request(&self.shared.origin, body);
                self.shared.tasks.spawn(failure::contained(self.clone().answer(id, cost, answer, place)));
            }
            (None, _) => refuse("this node does not offer that now"),
            (Some(_), Err(_)) => refuse("this node works on too many requests of yours"),
        }
    }

    async fn answer(
        self,
        id: u64,
        cost: u32,
        answer: BoxFuture<'static, Result<Vec<u8>, String>>,
        _place: OwnedSemaphorePermit,
    ) {
        let outcome = tokio::select! {
            outcome = answer => outcome,
            () = self.shared.ended.cancelled() => return,
        };
        // Before the answer: credit must come back whatever waits in front of the answer.
        self.give_back(cost);
        let frame = match outcome {
            Ok(body) if self.check(body.len()).is_ok() => Frame::Answer { id, body: Bytes::from(body) },
            Ok(body) => {
                Frame::Refused { id, reason: format!("the answer has {} bytes, which is too much", body.len()) }
            }
            Err(mut reason) => {
                reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
                Frame::Refused { id, reason }
            }
        };
        let bytes = if let Frame::Answer { body, .. } = &frame { body.len() } else { 0 };
        let unwritten = Some(Unwritten::new(&self.shared.unwritten, bytes));
        // The queue is gone only when the connection has ended.
        let _ = self.queue.send(Queued { frame, _unwritten: unwritten }).await;
    }
}

/// Writes what is queued until the connection ends; returns why it did.
async fn write(mut sink: SplitSink<Wire, Bytes>, mut queued: mpsc::Receiver<Queued>, shared: &Shared) -> &'static str {
    loop {
        let mut next = match tokio::time::timeout(ALIVE_AFTER, queued.recv()).await {
            Ok(Some(queued)) => Some(queued),
            Ok(None) => return "nobody has anything to say any more",
            Err(_) => Some(Queued::bare(Frame::Alive)),
        };
        while let Some(Queued { frame, _unwritten }) = next {
            // With each frame: the other side may wait for it, and there may be no end of frames.
            let owed = shared.owed.swap(0, Ordering::AcqRel);
            let credit = (owed > 0).then_some(Frame::Credit { bytes: owed });
            let frame = Some(frame).filter(|frame| *frame != (Frame::Credit { bytes: 0 }));
            for frame in [credit, frame].into_iter().flatten() {
                if let Err(reason) = taken(sink.feed(Bytes::from(codec::encode(&frame)))).await {
                    return reason;
                }
            }
            next = queued.try_recv().ok();
        }
        if let Err(reason) = taken(sink.flush()).await {
            return reason;
        }
    }
}

/// Returns once the other side has taken what was written; an error says why the connection ends.
async fn taken<E>(writing: impl Future<Output = Result<(), E>>) -> Result<(), &'static str> {
    match tokio::time::timeout(WRITTEN_WITHIN, writing).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("it broke"),
        Err(_) => Err("the other side takes nothing"),
    }
}

/// Reads until the connection ends; returns why it did.
async fn read(mut stream: SplitStream<Wire>, link: &Link, offered: &Offered) -> &'static str {
    loop {
        match tokio::time::timeout(SILENT_MAX, stream.next()).await {
            Ok(Some(Ok(bytes))) => match codec::decode::<Frame>(&bytes) {
                Ok(frame) => link.take(frame, offered),
                Err(_) => return "the other side says what is no frame",
            },
            Ok(Some(Err(_))) => return "it broke",
            Ok(None) => return "the other side has closed it",
            Err(_) => return "the other side is silent",
        }
    }
}
