//! The thread that interrupts guests at each deadline tick, and rests while none runs.
//!
//! An idle node would be woken hundreds of times a second by it, for nothing. So it counts the calls under way, and parks some time
//! after the last one has ended; the first call after that wakes it. It waits that long so that a node with something to do
//! pays for a wake-up now and then, and not with every call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

/// Ticks without a call after which the thread rests.
const IDLE_TICKS: u32 = 250;

/// What the thread shares with the calls.
#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    /// True from before the thread looks for calls a last time until it has been woken.
    rests: AtomicBool,
    stop: AtomicBool,
}

/// The thread; ends when this is dropped.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread, which calls `tick` each `every` while calls are under way.
    ///
    /// # Errors
    /// That of the system, if it gives no thread.
    pub(crate) fn start(every: Duration, tick: impl Fn() + Send + 'static) -> std::io::Result<Ticker> {
        let shared = Arc::new(Shared::default());
        let run = {
            let shared = Arc::clone(&shared);
            move || shared.run(every, tick)
        };
        let thread = std::thread::Builder::new().name("guest-tick".to_owned()).spawn(run)?;
        Ok(Ticker { shared, thread: Some(thread) })
    }

    /// Returns what calls announce themselves to.
    pub(crate) fn clock(&self) -> Clock {
        let thread = self.thread.as_ref().expect("the thread ends with the ticker").thread().clone();
        Clock { shared: Arc::clone(&self.shared), thread }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread cannot panic; if it did, there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, every: Duration, tick: impl Fn()) {
        let mut idle = 0;
        while !self.stop.load(Ordering::SeqCst) {
            if idle < IDLE_TICKS {
                std::thread::park_timeout(every);
                tick();
                idle = if self.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
                continue;
            }
            // Whoever begins counts first and looks here then; of the two at least one sees the other, as all four are in one order.
            self.rests.store(true, Ordering::SeqCst);
            while self.running.load(Ordering::SeqCst) == 0 && !self.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            self.rests.store(false, Ordering::SeqCst);
            idle = 0;
        }
    }
}

/// What calls announce themselves to.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    shared: Arc<Shared>,
    thread: Thread,
}

impl Clock {
    /// Lets deadline ticks come until the value is dropped.
    pub(crate) fn ticking(&self) -> Ticking {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.rests.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Ticking(Arc::clone(&self.shared))
    }
}

/// A call that is under way.
#[derive(Debug)]
pub(crate) struct Ticking(Arc<Shared>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn ticks_come_while_a_call_is_under_way_and_end_some_time_after_it() {
        let (ticks, ticked) = channel();
        let every = Duration::from_micros(100);
        let ticker = Ticker::start(every, move || ticks.send(()).unwrap_or_default()).expect("a thread");
        let rests = || ticker.shared.rests.load(Ordering::SeqCst);
        let until_it_rests = || {
            while !rests() {
                let _ = ticked.recv_timeout(every);
            }
            while ticked.try_recv().is_ok() {}
        };
        for _ in 0..3 {
            until_it_rests();
            assert_eq!(ticked.try_recv().ok(), None, "no tick while it rests");
            let call = ticker.clock().ticking();
            let other = ticker.clock().ticking();
            drop(other);
            for _ in 0..2 * IDLE_TICKS {
                ticked.recv_timeout(LONG).expect("a tick while a call is under way");
            }
            assert!(!rests());
            drop(call);
        }
        until_it_rests();
        drop(ticker);
        assert_eq!(ticked.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected), "the thread has ended");
    }
}
