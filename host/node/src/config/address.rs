//! Where a node listens to its peers.
//!
//! Operators list the addresses of the API, as Xenon's do. Each node listens to its peers on a port that follows from the one of
//! its API, so that one list is enough; an entry `steward://NAME:PORT` names the port for peers itself.

use std::fmt::{Display, Formatter};

/// How far the port for peers is from the one of the API.
const DISTANCE: u16 = 10_000;

/// Name or number of a machine, and the port for peers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress(String);

/// Returns the port for peers of a node whose API is at `port`, unless it is told another.
pub fn peer_port_of(port: u16) -> u16 {
    port.checked_add(DISTANCE).unwrap_or(port.wrapping_sub(DISTANCE))
}

impl PeerAddress {
    /// Returns the address of `port` on the machine that the URI `api` names.
    ///
    /// # Errors
    /// What is wrong with the URI.
    pub fn beside(api: &str, port: u16) -> Result<PeerAddress, String> {
        let uri: http::Uri = api.parse().map_err(|error| format!("{api:?} is no URI: {error}"))?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| format!("{api:?} names no host"))?;
        Ok(PeerAddress::new(host, port))
    }

    /// Returns the address that an entry of the list of nodes names.
    ///
    /// # Errors
    /// What is wrong with the entry, and what would be right.
    pub fn listed(entry: &str) -> Result<PeerAddress, String> {
        let refused =
            || "is not the address of a node: write http://NAME:PORT, or steward://NAME:PORT for its port for peers";
        let uri: http::Uri = entry.parse().map_err(|_| refused().to_owned())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(refused)?;
        match (uri.scheme_str(), uri.port_u16()) {
            (Some("http"), port) => Ok(PeerAddress::new(host, peer_port_of(port.unwrap_or(80)))),
            (Some("steward"), Some(port)) => Ok(PeerAddress::new(host, port)),
            (Some(_) | None, _) => Err(refused().to_owned()),
        }
    }

    /// Returns what a peer or the disk says is an address; it is only ever dialled, and proves nothing.
    pub fn said(text: &str) -> PeerAddress {
        PeerAddress(text.to_owned())
    }

    fn new(host: &str, port: u16) -> PeerAddress {
        let host = host.to_ascii_lowercase();
        // Different spellings of this machine are one address.
        let host = if host == "localhost" || host == "[::1]" { "127.0.0.1" } else { &host };
        PeerAddress(format!("{host}:{port}"))
    }

    /// Returns it as text, `name:port`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for PeerAddress {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_for_peers_follows_from_the_one_of_the_api() {
        assert_eq!(PeerAddress::listed("http://127.0.0.1:8000").expect("an address").as_str(), "127.0.0.1:18000");
        assert_eq!(PeerAddress::listed("http://Localhost:60000/").expect("an address").as_str(), "127.0.0.1:50000");
        assert_eq!(PeerAddress::listed("http://a.example").expect("an address").as_str(), "a.example:10080");
        assert_eq!(PeerAddress::listed("steward://a.example:7").expect("an address").as_str(), "a.example:7");
        assert_eq!(PeerAddress::beside("http://10.0.0.1:8000", 9).expect("an address").as_str(), "10.0.0.1:9");
    }

    #[test]
    fn what_is_no_address_of_a_node_is_refused() {
        for entry in ["", "a.example:8000", "https://a.example:8000", "steward://a.example", "http://:8000"] {
            assert!(PeerAddress::listed(entry).is_err(), "{entry}");
        }
    }
}
