//! The thread on which nodes talk to each other, and the tasks on it. Guests, clients and disks never run there.

use std::future::Future;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::task;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long what runs there may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// Owns the tasks of one runtime that serve other nodes. Cheap to clone; all clones are the same set.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    runtime: Handle,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Tasks {
    /// Returns an empty set of tasks of `runtime`.
    pub(crate) fn new(runtime: Handle) -> Tasks {
        Tasks { runtime, tracker: TaskTracker::new(), stopping: CancellationToken::new() }
    }

    /// Starts a task. It ends with its future, or when the tasks are stopped.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        let until_stopped = async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = task => {}
            }
        };
        self.tracker.spawn_on(until_stopped, &self.runtime);
    }

    /// Starts a task for whose result the caller waits.
    pub(crate) fn run<F>(&self, task: F) -> task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn_on(task, &self.runtime)
    }

    /// Returns what ends when the tasks are stopped.
    pub(super) fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Ends all tasks.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
        self.tracker.close();
    }
}

/// The thread of a node. Ends with this value, and must not be dropped by a task of its own.
pub(crate) struct PeerThread {
    tasks: Tasks,
    over: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl PeerThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn start() -> std::io::Result<PeerThread> {
        let over = CancellationToken::new();
        let until = over.clone();
        let (told, tell) = mpsc::sync_channel(1);
        let work = move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    // Whoever waits is there: it starts this thread.
                    let _ = told.send(Err(error));
                    return;
                }
            };
            let _ = told.send(Ok(runtime.handle().clone()));
            runtime.block_on(until.cancelled());
            runtime.shutdown_timeout(ENDS_WITHIN);
        };
        let thread = std::thread::Builder::new().name("peers".to_owned()).spawn(work)?;
        let handle = tell.recv().map_err(|_| std::io::Error::other("the thread for peers ended at once"))??;
        Ok(PeerThread { tasks: Tasks::new(handle), over, thread: Some(thread) })
    }

    /// Returns the tasks on the thread.
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }
}

impl Drop for PeerThread {
    fn drop(&mut self) {
        self.tasks.stop();
        self.over.cancel();
        if let Some(thread) = self.thread.take() {
            // Its panic has ended the process already.
            let _ = thread.join();
        }
    }
}
