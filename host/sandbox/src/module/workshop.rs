//! Where modules are compiled and inspected: one compilation at a time, on a thread with a stack of known size.
//!
//! Problem: compiling takes processor time, and memory by the hundred megabytes, for any client that sends a file.
//!
//! Promise: one module is compiled at a time, since one compilation uses all processors anyhow. Others wait in a short
//! queue; a client that has waited too long is told so. A module that passes its deadline keeps the workshop until its compiler ends,
//! whose own deadline began a little later ([`super::compiler`]); the result is thrown away.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::PrepareError;

/// Stack of the threads that read, check and compile modules: a hundred kilobytes for each level of nesting that
/// [`super::intake`] lets pass, most of it never touched.
const STACK_BYTES: usize = 128 << 20;

const COMPILES: &str = "guest-compile";
const INSPECTS: &str = "guest-inspect";

/// Names of the threads on which modules are taken apart. A panic there is handed to the client that has sent the module, as an error; it
/// leaves nothing behind that others go on to use.
pub const THREADS: [&str; 2] = [COMPILES, INSPECTS];

/// Most modules that wait for the workshop.
const QUEUE_MAX: usize = 8;

/// The one place in which modules are compiled and inspected, and its queue.
#[derive(Default)]
pub(crate) struct Workshop {
    state: Mutex<State>,
    free: Condvar,
}

#[derive(Default)]
struct State {
    is_busy: bool,
    waiting: usize,
}

/// The right to use the workshop, until it is dropped.
struct Place(Arc<Workshop>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.lock().is_busy = false;
        self.0.free.notify_one();
    }
}

impl Workshop {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` when it is its turn. Blocks the calling thread, for `deadline` at the longest.
    ///
    /// # Errors
    /// [`PrepareError::Busy`] if its turn does not come, [`PrepareError::Late`] if the work is not done by the deadline.
    pub(crate) fn run<T: Send + 'static>(
        self: &Arc<Self>,
        deadline: Duration,
        work: impl FnOnce() -> Result<T, PrepareError> + Send + 'static,
    ) -> Result<T, PrepareError> {
        let began = Instant::now();
        let place = self.enter(began, deadline)?;
        let (done, result) = sync_channel(1);
        let run = move || {
            let made = work();
            drop(place);
            // Nobody may wait any more.
            let _ = done.send(made);
        };
        spawn(run)?;
        match result.recv_timeout(deadline.saturating_sub(began.elapsed())) {
            Ok(made) => made,
            Err(RecvTimeoutError::Timeout) => Err(PrepareError::Late { limit: deadline }),
            Err(RecvTimeoutError::Disconnected) => Err(broke()),
        }
    }

    /// Returns how many modules wait for the workshop.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn enter(self: &Arc<Self>, began: Instant, deadline: Duration) -> Result<Place, PrepareError> {
        let mut state = self.lock();
        let waiting = state.waiting;
        if state.is_busy && waiting >= QUEUE_MAX {
            return Err(PrepareError::Busy { waiting });
        }
        state.waiting += 1;
        let left = deadline.saturating_sub(began.elapsed());
        let waited = self.free.wait_timeout_while(state, left, |state| state.is_busy);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        if state.is_busy {
            return Err(PrepareError::Busy { waiting });
        }
        state.is_busy = true;
        Ok(Place(Arc::clone(self)))
    }
}

fn broke() -> PrepareError {
    PrepareError::Compile { reason: "the compiler broke off; this is a fault of the host".to_owned() }
}

fn no_thread(error: &std::io::Error) -> PrepareError {
    PrepareError::Compile { reason: format!("the system gives no thread for it: {error}") }
}

fn spawn(run: impl FnOnce() + Send + 'static) -> Result<(), PrepareError> {
    let thread = std::thread::Builder::new().name(COMPILES.to_owned()).stack_size(STACK_BYTES).spawn(run);
    thread.map(drop).map_err(|error| no_thread(&error))
}

/// Does `work` on a large stack, now.
///
/// # Errors
/// Those of the work, or [`PrepareError::Compile`] if there is no thread.
pub(crate) fn on_large_stack<T: Send>(
    work: impl FnOnce() -> Result<T, PrepareError> + Send,
) -> Result<T, PrepareError> {
    std::thread::scope(|scope| {
        let named = std::thread::Builder::new().name(INSPECTS.to_owned()).stack_size(STACK_BYTES);
        let thread = named.spawn_scoped(scope, work).map_err(|error| no_thread(&error))?;
        thread.join().unwrap_or_else(|_| Err(broke()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn one_works_and_the_others_wait_until_their_deadline() {
        let workshop = Arc::new(Workshop::default());
        let (end, ended) = sync_channel::<()>(0);
        let late = workshop.run(Duration::from_millis(20), move || {
            let _ = ended.recv();
            Ok(1)
        });
        assert!(matches!(late, Err(PrepareError::Late { .. })), "{late:?}");
        let busy = workshop.run(Duration::from_millis(20), || Ok(2));
        assert!(matches!(busy, Err(PrepareError::Busy { .. })), "the late one is still at work: {busy:?}");
        drop(end);
        assert!(matches!(workshop.run(PATIENCE, || Ok(3)), Ok(3)));
    }

    #[test]
    fn work_that_breaks_off_leaves_the_workshop_in_order() {
        let workshop = Arc::new(Workshop::default());
        let broken = workshop.run::<u32>(PATIENCE, || panic!("told to"));
        assert!(matches!(broken, Err(PrepareError::Compile { .. })), "{broken:?}");
        assert!(matches!(workshop.run(PATIENCE, || Ok(3)), Ok(3)));
    }
}
