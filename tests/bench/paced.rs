//! Load at a constant rate: requests are due at fixed times, whether or not the answers before them have come.
//!
//! Problem: a client that sends its next request after the last answer asks less of a server that is slow just then, and so
//! measures one slow answer where many clients would have met it (*coordinated omission*). Promise: the time to an
//! answer counts from when its request was due. A request that finds every connection busy waits, and its waiting counts.
//!
//! ```text
//!   timer ──due──▶ queue of due times ──▶ the next free connection: sends, receives, counts from the due time
//! ```
//!
//! Timers of the runtime know milliseconds only; a timer of the system wakes for each request, a few tens of
//! microseconds late when its processor was halted. Both sides of a comparison are measured so.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_util::future::{join, try_join_all};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::Semaphore;

use crate::load::{ANSWER_BYTES, Load, Reached, connect, receive};

/// A run at a constant rate.
struct Paced<'a> {
    load: Load<'a>,
    /// Requests that are due and not sent, by the time at which they were.
    due: RefCell<VecDeque<Instant>>,
    /// One permit for each of them; closed at the end of the run.
    waiting: Semaphore,
    next: Cell<u64>,
}

impl Load<'_> {
    /// Asks `per_second` times a second for `span`.
    ///
    /// # Errors
    /// If a connection fails or an answer is no success.
    pub(crate) fn run_paced(self, per_second: f64, span: Duration) -> anyhow::Result<Reached> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let streams = try_join_all((0..self.connections).map(|_| connect(self.address))).await?;
            let (due, waiting, next) = (RefCell::default(), Semaphore::new(0), Cell::new(0));
            let run = Paced { load: self, due, waiting, next };
            let began = Instant::now();
            let asking = try_join_all(streams.into_iter().map(|stream| run.one(stream)));
            let (paced, times) = join(run.keep_pace(per_second, began + span), asking).await;
            paced?;
            Reached::of(times?.into_iter().flatten().collect(), began.elapsed())
        })
    }
}

impl Paced<'_> {
    /// Makes requests due until `end`.
    async fn keep_pace(&self, per_second: f64, end: Instant) -> anyhow::Result<()> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // To the runtime a timer is what a pipe is: something to read once it is readable.
        let mut timer = Receiver::from_owned_fd_unchecked(timer)?;
        let (began, mut made) = (Instant::now(), 0_u64);
        loop {
            let due = began + Duration::from_secs_f64(made as f64 / per_second);
            if due >= end {
                // Those that wait find what is due first.
                self.waiting.close();
                return Ok(());
            }
            let left = due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                let it_value = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
                let never = Timespec { tv_sec: 0, tv_nsec: 0 };
                let once = Itimerspec { it_interval: never, it_value };
                timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
                // How often it went off, which is once.
                timer.read_u64_le().await?;
                continue;
            }
            self.due.borrow_mut().push_back(due);
            self.waiting.add_permits(1);
            made += 1;
        }
    }

    /// Sends on one connection what is due, until nothing will be any more, and returns how long the answers took.
    async fn one(&self, mut stream: TcpStream) -> anyhow::Result<Vec<Duration>> {
        let (mut request, mut answer) = (Vec::new(), Vec::with_capacity(ANSWER_BYTES));
        let mut times = Vec::new();
        loop {
            if let Ok(permit) = self.waiting.acquire().await {
                permit.forget();
            }
            let Some(due) = self.due.borrow_mut().pop_front() else {
                if self.waiting.is_closed() {
                    return Ok(times);
                }
                continue;
            };
            let number = self.next.get();
            self.next.set(number + 1);
            request.clear();
            (self.load.request)(number, &mut request);
            stream.write_all(&request).await?;
            receive(&mut stream, &mut answer).await?;
            times.push(due.elapsed());
        }
    }
}
