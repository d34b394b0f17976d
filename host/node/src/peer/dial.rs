//! Connections that this node makes: kept ones to nodes with a lower number, and one for a moment to the node at an address, whichever
//! it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use steward_model::NodeId;
use steward_model::splitmix::mix;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::handshake::{self, Error, WITHIN, Wire};
use super::hello::Hello;
use super::lane::{Lane, Topic};
use super::link::{self, Link};
use super::links::{Links, Peer};
use crate::config::PeerAddress;

/// First pause before a node is dialled again.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// Longest pause before a node is dialled again that could not be reached.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Pause before a node is dialled again that has refused, or was: an operator has to mend that.
const PAUSE_REFUSED: Duration = Duration::from_secs(3);

async fn connect(links: &Links, address: &str, lane: Lane, target: Option<NodeId>) -> Result<(Wire, Hello), Error> {
    let ours = links.hello(lane, address, target);
    let connect = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        handshake::dial(stream, &ours, links.secret()).await
    };
    tokio::time::timeout(WITHIN, connect).await.unwrap_or(Err(Error::Late))
}

/// Keeps a connection to a node, for as long as it is polled.
async fn keep(links: Links, node: NodeId, address: PeerAddress, lane: Lane) {
    let mut pause = PAUSE_MIN;
    let mut failed = 0_u64;
    let seed = mix(Uuid::new_v4().as_u64_pair().0);
    let peer = format!("node {node} at {address}");
    loop {
        let told = links.identity();
        match connect(&links, address.as_str(), lane, Some(node)).await {
            Ok((wire, hello)) => {
                links.refusals().settled(&peer);
                (pause, failed) = (PAUSE_MIN, 0);
                tracing::debug!(peer = %hello.host, %node, %lane, "link stands");
                let (link, serve) = Link::begin(wire, hello, links.offered(), links.tasks().clone());
                links.stand(node, &link, told);
                serve.await;
                links.fall(node, &link);
            }
            Err(error @ (Error::Ours(_) | Error::Theirs(_))) => {
                links.refusals().note(&peer, error.to_string());
                pause = PAUSE_REFUSED;
            }
            Err(error @ (Error::Io(_) | Error::Stranger(_) | Error::Turn | Error::Late)) => {
                tracing::debug!(%error, peer, %lane, "peer not reached");
                pause = (pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            }
        }
        failed += 1;
        // Between half of the pause and one and a half: nodes that lost the same peer must not come back in step.
        let part = u32::try_from(mix(seed ^ failed) % 1000).unwrap_or(0);
        tokio::time::sleep(pause / 2 + pause * part / 1000).await;
    }
}

impl Links {
    /// Says which nodes there are. Those with a lower number are dialled until they are no more.
    pub(crate) fn set_peers(&self, nodes: &BTreeMap<NodeId, PeerAddress>) {
        let Some(own) = self.ourselves().node else { return };
        let mut table = self.table();
        let gone: BTreeSet<NodeId> = table.peers.keys().filter(|node| !nodes.contains_key(node)).copied().collect();
        for node in gone {
            if let Some(peer) = table.peers.remove(&node) {
                peer.dialing.cancel();
            }
            for lane in Lane::ALL {
                if let Some(link) = table.links.remove(&(node, lane)) {
                    link.close();
                }
            }
        }
        for (node, address) in nodes.iter().filter(|(node, _)| **node != own) {
            if table.peers.get(node).is_some_and(|peer| peer.address == *address) {
                continue;
            }
            let dialing = self.tasks().stopping().child_token();
            let peer = Peer { address: address.clone(), dialing: dialing.clone() };
            if let Some(moved) = table.peers.insert(*node, peer) {
                moved.dialing.cancel();
            }
            if *node < own {
                for lane in Lane::ALL {
                    let keeping = keep(self.clone(), *node, address.clone(), lane);
                    let until = dialing.clone();
                    self.spawn(async move {
                        tokio::select! {
                            () = until.cancelled() => {}
                            () = keeping => {}
                        }
                    });
                }
            }
        }
    }
}

/// A connection for a few questions, to whoever is at an address. It ends with this value.
pub(crate) struct Guest {
    link: Link,
}

impl Guest {
    /// Connects to whoever is at `address`.
    ///
    /// # Errors
    /// [`Error`] if nobody is there, or one of both does not talk to the other; that is noted too.
    pub(crate) async fn connect(links: &Links, address: &PeerAddress) -> Result<Guest, Error> {
        let peer = format!("node at {address}");
        match connect(links, address.as_str(), Lane::Urgent, None).await {
            Ok((wire, hello)) => {
                links.refusals().settled(&peer);
                let (link, serve) = Link::begin(wire, hello, links.offered(), links.tasks().clone());
                links.spawn(serve);
                Ok(Guest { link })
            }
            Err(error) => {
                if matches!(error, Error::Ours(_) | Error::Theirs(_)) {
                    links.refusals().note(&peer, error.to_string());
                }
                Err(error)
            }
        }
    }

    /// Returns what the other side says of itself.
    pub(crate) fn hello(&self) -> &Hello {
        self.link.origin()
    }

    /// Asks the other side.
    ///
    /// # Errors
    /// [`link::Error`] says why there is no answer.
    pub(crate) async fn ask(&self, topic: Topic, body: Vec<u8>, within: Duration) -> Result<Bytes, link::Error> {
        self.link.request(topic, body, within).await
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.link.close();
    }
}
