//! How the host's long-running tasks are told to stop, and how their end is awaited.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::failure;

/// Owns the host's tasks. Cheap to clone; all clones are the same set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shutdown {
    draining: CancellationToken,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Starts a task that the host waits for when it stops. The task watches [`Shutdown::stopping`] if it has no end of its own.
    /// Its panic ends the process, see [`failure`].
    pub(crate) fn spawn<F>(&self, name: &'static str, task: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(async move {
            tracing::trace!(task = name, "task started");
            task.await;
            tracing::trace!(task = name, "task ended");
        })
    }

    /// Starts a task whose result somebody waits for, and the host too when it stops. Whoever waits is told of its panic.
    pub(crate) fn run<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(failure::contained(task))
    }

    /// Asks the host to stop: no new clients, then the work under way, then the tasks. Returns at once.
    pub(crate) fn drain(&self) {
        self.draining.cancel();
    }

    /// Returns once somebody asked the host to stop.
    pub(crate) async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Returns true once somebody asked the host to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Returns once the tasks themselves must end.
    pub(crate) async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Tells the tasks to end and waits for them, `span` at the longest. Returns true if all of them ended.
    pub(crate) async fn stop(&self, span: Duration) -> bool {
        self.stopping.cancel();
        self.tasks.close();
        tokio::time::timeout(span, self.tasks.wait()).await.is_ok()
    }
}
