//! How one call gets its time to compute: in slices, so that it does not hold up others.
//!
//! ```text
//!            module is quick                            module is slow, or the call has used up its first slice
//!  call ──▶ first slice on the caller's thread ──▶ takes a worker ──▶ a slice apart from the runtime ──▶ …
//!                    │ returns: most calls                │ waits for another document: gives the worker back
//! ```
//!
//! Guests are interrupted at every deadline tick. A call that is interrupted gives way, stays a fibre, and goes on when
//! it has a worker; at once, if its module has saved up the time that it has held the thread, because most likely the system has set
//! the thread aside. A worker is the right to compute on a thread for which the runtime has started a replacement. There
//! are few workers, and a module may have only a part of them. A call keeps its worker until it ends or waits for a
//! document. So calls end one after the other, instead of all of them late. If the future is dropped, the call ends at
//! its next tick at the latest.
//!
//! The deadline counts from the first slice. It stands still while a call waits for a worker, since that is not its
//! fault. The call of an HTTP component may compute for so long at a stretch, and be silent for so long, see [`Silence`].

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::SemaphorePermit;
use tokio::time::Sleep;

use super::CallLimits;
use super::latency::LatencyEstimate;
use super::places::Places;
use crate::error::CallError;
use crate::exchange::{End, Silence};

/// What calls of one module compute with.
pub(crate) struct Track<'a> {
    pub(super) latency: &'a LatencyEstimate,
    /// The workers that the module may have.
    pub(super) own: &'a Places,
    /// The workers that all modules may have.
    pub(super) all: &'a Places,
    /// True once the host ends: no call goes on then, whatever time it has left.
    pub(super) ending: &'a AtomicBool,
}

/// The right to compute: one worker of the module's share, and one of all.
struct Worker<'a> {
    _own: SemaphorePermit<'a>,
    _all: SemaphorePermit<'a>,
}

/// One call under way; see the head of this module.
pub(super) struct Turn<'a> {
    track: Track<'a>,
    limits: CallLimits,
    /// It still has the confidence that its module deserves.
    quick: bool,
    worker: Option<Worker<'a>>,
    /// When its next slice began, or will: looking at the clock costs a quick call a hundredth of its time.
    began: Instant,
    deadline: Instant,
    /// What is known of its client, if it is one of an HTTP component.
    silence: Option<Arc<Silence>>,
    /// How long it has computed since its module was charged for it last.
    busy: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<'a> Turn<'a> {
    pub(super) fn begin(track: Track<'a>, limits: CallLimits, silence: Option<Arc<Silence>>) -> Turn<'a> {
        let quick = track.latency.is_quick();
        let began = Instant::now();
        let deadline = began + limits.deadline;
        Turn { track, limits, quick, worker: None, began, deadline, silence, busy: Duration::ZERO, timer: None }
    }

    /// Runs `work` to its end. `interrupted` is set by the guest's store when a tick has interrupted it.
    ///
    /// # Errors
    /// [`CallError::Deadline`], or [`CallError::Overloaded`] if there is no worker for it.
    pub(super) async fn run<T>(
        &mut self,
        mut work: Pin<&mut (impl Future<Output = T> + Send)>,
        interrupted: &AtomicBool,
    ) -> Result<T, CallError>
    where
        T: Send,
    {
        if self.quick
            && let Poll::Ready(done) = self.slice(work.as_mut()).await
        {
            return Ok(done);
        }
        // Boxed, so that the many that end in their first slice do not carry the room for more.
        Box::pin(self.run_on(work, interrupted)).await
    }

    async fn run_on<T>(
        &mut self,
        mut work: Pin<&mut (impl Future<Output = T> + Send)>,
        interrupted: &AtomicBool,
    ) -> Result<T, CallError>
    where
        T: Send,
    {
        let mut has_begun = self.quick;
        loop {
            if has_begun {
                self.pause(interrupted.swap(false, Ordering::Relaxed)).await?;
            }
            has_begun = true;
            if !self.quick && self.worker.is_none() {
                self.take_worker().await?;
            }
            self.began = Instant::now();
            if let Poll::Ready(done) = self.slice(work.as_mut()).await {
                return Ok(done);
            }
        }
    }

    async fn slice<T>(&mut self, mut work: Pin<&mut (impl Future<Output = T> + Send)>) -> Poll<T>
    where
        T: Send,
    {
        let apart = self.worker.is_some() && may_block_in_place();
        let poll = |cx: &mut Context<'_>| {
            let work = work.as_mut();
            let polled = if apart { tokio::task::block_in_place(|| work.poll(cx)) } else { work.poll(cx) };
            Poll::Ready(polled)
        };
        let polled = poll_fn(poll).await;
        let ended = Instant::now();
        self.busy += ended.saturating_duration_since(self.began);
        self.began = ended;
        polled
    }

    /// Lets others go on: after an interruption until it is this task's turn again, else until what it waits for has come.
    async fn pause(&mut self, interrupted: bool) -> Result<(), CallError> {
        if interrupted && self.quick {
            // What the module owes from now on, further calls pay: they do not begin where this one should not have.
            self.charge();
            self.quick = self.track.latency.is_quick();
        }
        if !interrupted {
            self.worker = None;
        }
        let (end, passed) = self.end(interrupted);
        if self.track.ending.load(Ordering::Acquire) || Instant::now() >= end {
            return Err(passed);
        }
        if interrupted && self.quick {
            return Ok(());
        }
        let mut woken = false;
        poll_fn(|cx| {
            // It may be later by now: the client has spoken meanwhile.
            let (end, passed) = self.end(interrupted);
            if self.timer(end).poll(cx).is_ready() {
                return Poll::Ready(Err(passed));
            }
            // What is waited for was given the waker when the work was polled.
            if std::mem::replace(&mut woken, true) { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await?;
        if !interrupted && self.silence.is_some() {
            self.deadline = Instant::now() + self.limits.deadline;
        }
        Ok(())
    }

    /// Returns until when the call may go on, and what it is refused with then.
    fn end(&self, interrupted: bool) -> (Instant, CallError) {
        let limit = self.limits.deadline;
        match &self.silence {
            None => (self.deadline, CallError::Deadline { limit }),
            Some(silence) if interrupted => {
                (self.deadline.max(silence.end_of_work()), CallError::GuestSilent { limit })
            }
            Some(silence) => match silence.end_of_wait() {
                End { at, by_client: true } => (at, CallError::ClientSilent { limit: silence.client_max() }),
                End { at, by_client: false } => (at, CallError::GuestSilent { limit }),
            },
        }
    }

    fn timer(&mut self, end: Instant) -> Pin<&mut Sleep> {
        let end = tokio::time::Instant::from_std(end);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if timer.deadline() != end {
            timer.as_mut().reset(end);
        }
        timer.as_mut()
    }

    /// Takes into account what the call has needed of a thread since this was done last.
    fn charge(&mut self) {
        self.track.latency.observe(std::mem::take(&mut self.busy));
    }

    async fn take_worker(&mut self) -> Result<(), CallError> {
        let began = Instant::now();
        let own = self.track.own.take().await?;
        let all = self.track.all.take().await?;
        self.worker = Some(Worker { _own: own, _all: all });
        let waited = began.elapsed();
        self.deadline += waited;
        if let Some(silence) = &self.silence {
            silence.leave_out(waited);
        }
        Ok(())
    }
}

impl Drop for Turn<'_> {
    /// Takes the call into account, however it ended.
    fn drop(&mut self) {
        self.charge();
    }
}

/// Returns true on a thread of a runtime that has others to carry on with meanwhile.
pub fn may_block_in_place() -> bool {
    Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}
