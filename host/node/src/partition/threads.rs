//! The threads that loop the driver's steps, and how they end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use steward_replication::applier::IndexSource;
use steward_storage::background;
use steward_storage::log::Listener;
use steward_storage::state::StateStore;

use super::Partitions;
use super::exchange::Exchange;
use super::hands::{Awaited, GATHERED_MAX, Hands, Wakeup};
use super::pace::Pace;
use super::stepping::Stepping;
use crate::clock::Clock;
use crate::telemetry::metrics as telemetry;

/// How long committed updates are gathered at the longest before they are applied.
const GATHER: Duration = Duration::from_millis(200);

/// How long the applier waits after a failed batch before it tries again.
const RETRY: Duration = Duration::from_millis(500);

/// Longest sleep of a thread for which there is nothing to do.
const LOOK: Duration = Duration::from_millis(500);

/// How soon the log is asked again for room that it did not have.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// How often is looked for what is old enough to be forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// The same where some partition had more of it than is forgotten at one time: else more could come than ever goes.
const FORGET_SOON: Duration = Duration::from_secs(1);

/// Time between two checkpoints.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(5);

/// Bytes of log that make a checkpoint before its time.
const CHECKPOINT_BYTES: u64 = 128 * 1024 * 1024;

/// The threads of a running node.
pub(crate) struct Threads {
    stop: Arc<Stop>,
    hands: Arc<Hands>,
    driver: JoinHandle<()>,
    reader: JoinHandle<()>,
    applier: JoinHandle<()>,
    checkpoint: JoinHandle<()>,
}

#[derive(Default)]
struct Stop {
    applier: AtomicBool,
    driver: AtomicBool,
    checkpoint: AtomicBool,
    checkpoint_wakeup: Wakeup,
}

impl Stop {
    fn wanted(flag: &AtomicBool) -> bool {
        flag.load(Ordering::Acquire)
    }
}

/// Starts a thread whose panic ends the process: nobody else would go on with its work.
fn supervised(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    let named = name.to_owned();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tracing::error!(thread = named, "thread panicked, host stops at once");
            std::process::abort();
        }
    })
}

impl Threads {
    /// Starts all threads, those of the commit log too. `store` is the state store of the persisted lane, `exchange` none on a node
    /// without peers.
    ///
    /// # Errors
    /// Those of the system when it has no thread to give.
    pub(crate) fn start(
        partitions: &Arc<Partitions>,
        hands: &Arc<Hands>,
        clock: &Arc<Clock>,
        index: IndexSource,
        store: Arc<dyn StateStore>,
        exchange: Option<Arc<Exchange>>,
    ) -> std::io::Result<Threads> {
        let stepping = Arc::new(Stepping::new(partitions, hands, clock));
        partitions.shared().log.start(Arc::clone(&stepping) as Arc<dyn Listener>)?;
        let stop = Arc::new(Stop::default());
        let own = || (Arc::clone(partitions), Arc::clone(hands), Arc::clone(&stop));
        let ((driven, wakeups, flags), time) = (own(), Arc::clone(clock));
        let drive = move || drive(&driven, &stepping, &wakeups, &flags, &time, exchange.as_deref());
        let driver = supervised("driver", drive)?;
        let ((read, wakeups, flags), time) = (own(), Arc::clone(clock));
        let reader = supervised("reader", move || read_log(&read, &wakeups, &flags, &time))?;
        let ((applied, wakeups, flags), time) = (own(), Arc::clone(clock));
        let applier = supervised("applier", move || apply(&applied, &wakeups, &flags, &time, &index))?;
        let ((kept, _, flags), time) = (own(), Arc::clone(clock));
        let checkpoint = supervised("checkpoint", move || checkpoint(&kept, &*store, &flags, &time))?;
        Ok(Threads { stop, hands: Arc::clone(hands), driver, reader, applier, checkpoint })
    }

    /// Ends the threads in order: what is committed reaches the state store first, then a checkpoint says so. Returns true if
    /// everything was applied. Blocks.
    pub(crate) fn stop(self) -> bool {
        self.stop.applier.store(true, Ordering::Release);
        self.hands.apply.wake();
        let applied = self.applier.join().is_ok();
        self.stop.checkpoint.store(true, Ordering::Release);
        self.stop.checkpoint_wakeup.wake();
        let kept = self.checkpoint.join().is_ok();
        self.stop.driver.store(true, Ordering::Release);
        self.hands.step.wake();
        self.hands.read.wake();
        let driven = self.driver.join().is_ok() & self.reader.join().is_ok();
        applied && kept && driven
    }
}

fn drive(
    partitions: &Partitions,
    stepping: &Stepping,
    hands: &Hands,
    stop: &Stop,
    clock: &Clock,
    exchange: Option<&Exchange>,
) {
    let mail = &partitions.shared().mail;
    while !Stop::wanted(&stop.driver) {
        stepping.step(partitions);
        if let Some(exchange) = exchange {
            exchange.take_in(partitions, clock);
        }
        partitions.tick(clock.now());
        let letters = mail.take_letters();
        if let Some(exchange) = exchange {
            exchange.send_out(letters);
        }
        let look = if partitions.shared().is_wanting_space() { ASK_AGAIN } else { LOOK };
        let due = mail.next_tick().map_or(look, |at| at.since(clock.now()));
        hands.step.wait(due.min(look));
    }
}

/// Reads records that other members lack. Apart from the driver: a disk that is slow to read must not hold up promises.
fn read_log(partitions: &Partitions, hands: &Hands, stop: &Stop, clock: &Clock) {
    while !Stop::wanted(&stop.driver) {
        while partitions.read_log(clock.now()) {}
        hands.read.wait(LOOK);
    }
}

fn apply(partitions: &Partitions, hands: &Hands, stop: &Stop, clock: &Clock, index: &IndexSource) {
    background::enter();
    let applying = &partitions.shared().applying;
    let gather = |span| {
        hands.applier_awaits(Awaited::Many);
        hands.apply.wait(span);
        hands.applier_awaits(Awaited::Nothing);
    };
    loop {
        let stopping = Stop::wanted(&stop.applier);
        let backlog = applying.backlog();
        if backlog.partitions == 0 {
            if stopping {
                return;
            }
            hands.applier_awaits(Awaited::First);
            // Looked at once more: what was committed before the line above has woken nobody.
            if applying.backlog().partitions == 0 {
                hands.apply.wait(LOOK);
            }
            hands.applier_awaits(Awaited::Nothing);
            continue;
        }
        if !stopping && !backlog.hurry && backlog.records < GATHERED_MAX {
            gather(GATHER);
        }
        let mut pace = Pace::from(clock.now());
        let refused = partitions.apply(&**index, || {
            if let Some(span) = pace.rest(clock.now(), &applying.backlog())
                && !Stop::wanted(&stop.applier)
            {
                gather(span);
                pace = Pace::from(clock.now());
            }
        });
        if refused > 0 {
            if stopping {
                // The log has everything; the next start applies it.
                tracing::warn!(partitions = refused, "stopping with updates that are only in the log");
                return;
            }
            std::thread::sleep(RETRY);
        }
    }
}

fn checkpoint(partitions: &Partitions, store: &dyn StateStore, stop: &Stop, clock: &Clock) {
    background::enter();
    let log = &partitions.shared().log;
    let (mut forgot, mut interval) = (clock.now(), FORGET_INTERVAL);
    let mut waited = Duration::ZERO;
    let mut bytes = log.stats().bytes;
    while !Stop::wanted(&stop.checkpoint) {
        stop.checkpoint_wakeup.wait(LOOK);
        partitions.shared().look_after(store);
        if partitions.shared().is_store_damaged() {
            continue;
        }
        if clock.now().since(forgot) >= interval {
            forgot = clock.now();
            interval = forget(partitions, clock);
        }
        waited += LOOK;
        let written = log.stats().bytes.saturating_sub(bytes);
        let is_due = waited >= CHECKPOINT_INTERVAL && written > 0;
        // One that failed is due still: the log grows until it succeeds.
        if (is_due || written >= CHECKPOINT_BYTES) && make(partitions, store) {
            (waited, bytes) = (Duration::ZERO, log.stats().bytes);
        }
    }
    make(partitions, store);
}

/// Has partitions forget what is old enough; returns when to look for more of it.
fn forget(partitions: &Partitions, clock: &Clock) -> Duration {
    match partitions.forget(clock.now(), clock.steady_time()) {
        Ok(true) => FORGET_SOON,
        Ok(false) => FORGET_INTERVAL,
        Err(error) => {
            tracing::warn!(%error, "state store cannot say what is old enough to be forgotten");
            FORGET_INTERVAL
        }
    }
}

/// Makes one checkpoint and lets go of the log below. Returns false if it failed.
fn make(partitions: &Partitions, store: &dyn StateStore) -> bool {
    let log = &partitions.shared().log;
    let logged = match partitions.checkpoint(store) {
        Ok(logged) => logged,
        Err(error) => {
            telemetry::checkpoint_failed();
            tracing::warn!(%error, "no checkpoint, the log keeps everything");
            return false;
        }
    };
    if !log.wait(logged.frame) {
        tracing::warn!("no checkpoint: the commit log was closed");
        return false;
    }
    match partitions.trim(logged) {
        Ok(trimmed) => tracing::debug!(segments = trimmed.segments, bytes = trimmed.bytes, "checkpoint made"),
        Err(error) => tracing::warn!(%error, "checkpoint made, the log keeps everything"),
    }
    true
}
