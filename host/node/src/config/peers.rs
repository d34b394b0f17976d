//! How a node talks to others, as its operator says.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::address::{PeerAddress, peer_port_of};

/// What the settings say about other nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerOptions {
    /// Nodes of the group as they were listed.
    pub nodes: Vec<PeerAddress>,
    /// Port for peers; none: it follows from the port of the API.
    pub port: Option<u16>,
    /// File with the secret of the cluster.
    pub secret_file: Option<PathBuf>,
    /// True if peers without a secret were allowed by name on an address that is not loopback.
    pub insecure: bool,
}

/// Where a node talks to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeersAt {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where that is, as others are told.
    pub address: PeerAddress,
    /// The nodes of the list, sorted, each once.
    pub list: Vec<PeerAddress>,
}

impl PeerOptions {
    /// Returns where a node whose API is at `port` of `ip`, or at `uri` for others, talks to others; none if nobody asked for that:
    /// there is no port for peers, and the list names this node alone or nobody.
    ///
    /// # Errors
    /// Why others cannot be told where.
    pub fn at(&self, ip: IpAddr, uri: &str, port: u16) -> Option<Result<PeersAt, String>> {
        let own = self.port.unwrap_or_else(|| peer_port_of(port));
        // As others make it of the URI: the two ports of a node behind a router are mapped alike.
        let address = match (self.port, PeerAddress::listed(uri)) {
            (None, Ok(address)) => Ok(address),
            (Some(own), _) => PeerAddress::beside(uri, own),
            (None, Err(reason)) => Err(reason),
        };
        let address = match address {
            Ok(address) => address,
            Err(reason) => return Some(Err(reason)),
        };
        let bound = PeerAddress::beside(&format!("http://{}", SocketAddr::new(ip, port)), own).ok();
        let is_own = |listed: &PeerAddress| *listed == address || Some(listed) == bound.as_ref();
        if self.port.is_none() && self.nodes.iter().all(is_own) {
            return None;
        }
        // However this node is listed, it is one entry.
        let name = |listed: &PeerAddress| if is_own(listed) { address.clone() } else { listed.clone() };
        let mut list: Vec<PeerAddress> = self.nodes.iter().map(name).collect();
        list.sort();
        list.dedup();
        if list.is_empty() {
            list.push(address.clone());
        }
        Some(Ok(PeersAt { listen: SocketAddr::new(ip, own), address, list }))
    }
}
