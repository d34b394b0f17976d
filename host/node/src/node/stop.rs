//! The orderly end of a node: no new clients, the work under way, the log, the state store, a last checkpoint.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::Running;
use crate::shutdown::Shutdown;

/// Returns once somebody asked the node to stop: by a signal or by `DELETE /core/management`. A second signal ends the
/// process at once.
///
/// # Errors
/// Those of the system when it does not deliver signals.
pub(super) async fn wait(shutdown: &Shutdown) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen to SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = shutdown.draining() => {}
    }
    shutdown.drain();
    tracing::info!("stopping: requests under way are finished, new ones are refused");
    let stop = shutdown.clone();
    shutdown.spawn("second signal", async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = stop.stopping() => return,
        }
        tracing::warn!("stopped at once by a second signal");
        std::process::exit(130);
    });
    Ok(())
}

impl Running {
    /// Ends the node in order.
    pub(super) async fn stop(self, serving: JoinHandle<()>, grace: Duration) -> anyhow::Result<ExitCode> {
        let drained = tokio::time::timeout(grace, serving).await.is_ok();
        let ended = self.shutdown.stop(grace).await;
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
        tracing::info!("stopped");
        Ok(if drained && ended && applied { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
