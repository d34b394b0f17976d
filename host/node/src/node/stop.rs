//! The orderly end of a node: no new clients, the work under way, the log, the state store, a last checkpoint.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::Context;
use steward_model::{Member, Moment};
use steward_sandbox::Sandbox;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use super::folder::Folder;
use crate::clock::Clock;
use crate::cluster::ControlLog;
use crate::partition::{self, Partitions, Threads};
use crate::shutdown::Shutdown;

/// How long tasks may take to notice that they are to end, however little is left of the grace.
const TASKS_WITHIN: Duration = Duration::from_secs(1);

/// How long stores and log may take to close after the grace.
const AFTER_GRACE: Duration = Duration::from_secs(3);

/// Everything of a running node that has to be ended in order.
pub(super) struct Running {
    pub(super) shutdown: Shutdown,
    pub(super) clock: Arc<Clock>,
    pub(super) control: Arc<dyn ControlLog>,
    pub(super) partitions: Arc<Partitions>,
    pub(super) own: Member,
    pub(super) threads: Threads,
    pub(super) sandbox: Sandbox,
    pub(super) _folder: Folder,
}

/// The signals that ask a process to stop.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals from now on; none of them ends the process by itself any more.
    ///
    /// # Errors
    /// Those of the system when it does not deliver signals.
    pub(super) fn listen() -> anyhow::Result<Signals> {
        let terminate = signal(SignalKind::terminate()).context("listen to SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("listen to SIGINT")?;
        Ok(Signals { terminate, interrupt })
    }

    /// Returns once one of them came.
    pub(super) async fn come(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Returns once somebody asked the node to stop: by a signal or by `DELETE /core/management`. A second signal ends the
/// process at once.
pub(super) async fn wait(mut signals: Signals, shutdown: &Shutdown) {
    tokio::select! {
        () = signals.come() => {}
        () = shutdown.draining() => {}
    }
    shutdown.drain();
    tracing::info!("stopping: requests under way are finished, new ones are refused");
    let stop = shutdown.clone();
    shutdown.spawn("second signal", async move {
        tokio::select! {
            () = signals.come() => {}
            () = stop.stopping() => return,
        }
        tracing::warn!("stopped at once by a second signal");
        std::process::exit(130);
    });
}

impl Running {
    /// Ends the node in order, within `grace` and a moment.
    ///
    /// Operations may go on for `grace`; then those that still run are interrupted. What cannot be ended a moment later, such as a
    /// thread that waits for a disk, is left behind: the log holds everything that was acknowledged.
    pub(super) async fn stop(self, serving: JoinHandle<()>, grace: Duration) -> anyhow::Result<ExitCode> {
        let watch = Watch::start(self.sandbox, grace).context("watch the stop")?;
        let drained = tokio::time::timeout(grace, serving).await.is_ok();
        // Requests under way needed the quorum until now. Those that other nodes carry here wait there for the next owner.
        partition::give_away(&self.partitions, &self.control, self.own, &self.clock).await;
        let ended = self.shutdown.stop(watch.left().max(TASKS_WITHIN)).await;
        if !drained || !ended {
            tracing::warn!(seconds = grace.as_secs(), "some work did not end in time");
        }
        let work = move || {
            let applied = self.threads.stop();
            self.partitions.shared().log.close();
            (applied, self.control)
        };
        let (applied, control) = tokio::task::spawn_blocking(work).await.context("close the stores")?;
        control.stop().await;
        watch.over();
        tracing::info!("stopped");
        Ok(if ended && applied { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Sees to it that the process ends in time, whatever the rest of it waits for. A thread of its own: guests may hold all
/// those of the runtime.
struct Watch {
    over: SyncSender<()>,
    clock: Clock,
    grace: Duration,
}

impl Watch {
    fn start(sandbox: Sandbox, grace: Duration) -> std::io::Result<Watch> {
        let (over, is_over) = sync_channel(1);
        let work = move || {
            if is_over.recv_timeout(grace) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            sandbox.end_calls();
            if is_over.recv_timeout(AFTER_GRACE) == Err(RecvTimeoutError::Timeout) {
                tracing::error!("a part of the node did not end, the process ends without it");
                // Scripts are promised this number for what has no better one.
                std::process::exit(1);
            }
        };
        std::thread::Builder::new().name("stop-watch".to_owned()).spawn(work)?;
        Ok(Watch { over, clock: Clock::default(), grace })
    }

    /// Returns what is left of the grace.
    fn left(&self) -> Duration {
        self.grace.saturating_sub(self.clock.now().since(Moment(0)))
    }

    /// Everything has ended.
    fn over(self) {
        // The thread is gone only if the process is.
        let _ = self.over.send(());
    }
}
