//! Connections that others make to this node.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::handshake::{self, Error, WITHIN};
use super::hello::{Hello, Refusal};
use super::link::Link;
use super::links::Links;

/// Handshakes that may be under way at once.
const HANDSHAKES_MAX: usize = 64;

/// How long to wait after the system refused to hand over a connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Longest connection of a node without a number: it asks to be let in, and gets an answer.
const GUEST_WITHIN: Duration = Duration::from_secs(30);

impl Links {
    /// Takes the connections of other nodes until this one stops.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        loop {
            match listener.accept().await {
                // Whoever finds all places taken dials again; those who hold them are gone within the deadline.
                Ok((stream, _)) => {
                    if let Ok(place) = Arc::clone(&handshakes).try_acquire_owned() {
                        let links = self.clone();
                        self.spawn(async move {
                            let told = links.identity();
                            let begun = links.greet(stream).await;
                            drop(place);
                            if let Some((link, serve)) = begun {
                                links.host(link, serve, told).await;
                            }
                        });
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "connection of a peer not accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    async fn greet(&self, stream: TcpStream) -> Option<(Link, BoxFuture<'static, ()>)> {
        // It makes answers quicker, and works without.
        let _ = stream.set_nodelay(true);
        let from = stream.peer_addr().map(|address| address.ip().to_string()).unwrap_or_default();
        let ours = |theirs: &Hello| self.hello(theirs.lane, &theirs.address, None);
        let admit = |theirs: &Hello| self.may_enter(theirs);
        let accepting = handshake::accept(stream, self.secret(), ours, admit);
        match tokio::time::timeout(WITHIN, accepting).await {
            Ok(Ok((wire, hello))) => {
                self.refusals().settled(&named(&hello));
                Some(Link::begin(wire, hello, self.offered(), self.tasks().clone()))
            }
            Ok(Err((Some(theirs), error @ (Error::Ours(_) | Error::Theirs(_))))) => {
                self.refusals().note(&named(&theirs), error.to_string());
                None
            }
            Ok(Err((_, error))) => {
                tracing::debug!(%error, from, "connection of no peer");
                None
            }
            Err(_) => {
                tracing::debug!(from, "connection of no peer: it says nothing");
                None
            }
        }
    }

    fn may_enter(&self, theirs: &Hello) -> Result<(), Refusal> {
        self.admit(theirs)?;
        let crowded = theirs.node.is_none() && self.guests().available_permits() == 0;
        if crowded { Err(Refusal::Crowded) } else { Ok(()) }
    }

    /// Serves a connection to its end.
    async fn host(&self, link: Link, serve: BoxFuture<'static, ()>, told: u64) {
        match link.origin().node {
            Some(node) => {
                self.stand(node, &link, told);
                serve.await;
                self.fall(node, &link);
            }
            None => {
                let Ok(_place) = Arc::clone(self.guests()).try_acquire_owned() else { return };
                // Whoever stays longer comes again.
                let _ = tokio::time::timeout(GUEST_WITHIN, serve).await;
                link.close();
            }
        }
    }
}

/// Returns how a node is called that has dialled this one.
fn named(hello: &Hello) -> String {
    match hello.node {
        Some(node) => format!("node {node} ({}) at {}", hello.host, hello.address),
        None => format!("node {} at {}", hello.host, hello.address),
    }
}
