//! The wait for other nodes during a start: those who ask are told what is waited for, and a signal to end is heard.
//!
//! A node without peers waits for nobody: it takes no signals before it serves, and answers nobody.

use anyhow::bail;
use tokio::net::TcpListener;

use super::stop::Signals;
use crate::http::Waiting;
use crate::shutdown::Shutdown;

pub(super) struct Wait<'a> {
    listener: &'a TcpListener,
    shutdown: &'a Shutdown,
    words: Waiting,
    /// None in a node without peers.
    signals: Option<Signals>,
}

impl<'a> Wait<'a> {
    /// Returns the wait of a node whose API is to be served at `listener`; it has said in `words` what it waits for.
    ///
    /// # Errors
    /// Those of the system when it does not deliver signals.
    pub(super) fn new(
        listener: &'a TcpListener,
        shutdown: &'a Shutdown,
        words: Waiting,
        has_peers: bool,
    ) -> anyhow::Result<Wait<'a>> {
        let signals = has_peers.then(Signals::listen).transpose()?;
        Ok(Wait { listener, shutdown, words, signals })
    }

    /// Returns what a step of the start comes to.
    ///
    /// # Errors
    /// Those of the step; or somebody ends the process before.
    pub(super) async fn through<T>(&mut self, step: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let Some(signals) = &mut self.signals else { return step.await };
        tokio::select! {
            done = step => done,
            () = self.words.clone().serve(self.listener, self.shutdown) => bail!("the port of the API was lost"),
            () = signals.come() => bail!("stopped before the group let this node serve"),
            () = self.shutdown.draining() => bail!("the group has ended this process before it served"),
        }
    }

    /// Returns the signals of a process that serves.
    ///
    /// # Errors
    /// Those of the system when it does not deliver signals.
    pub(super) fn over(self) -> anyhow::Result<Signals> {
        self.signals.map_or_else(Signals::listen, Ok)
    }
}
