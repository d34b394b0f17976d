//! Connections to hosts outside of the group, and to none inside of it.
//!
//! Problem: an operator grants guests a name. What it resolves to is somebody else's to say, and may be this node, whose API trusts
//! whoever reaches it: a guest could stop its own host, or deploy another guest. The grant of a loopback address, for a service that
//! runs beside the host, would open the API as well.
//!
//! Promise: what guests send outside never reaches the API of a node of the group. A name reaches nothing that only this machine or
//! its link can reach, such as the address where clouds hand out credentials; for that the operator has to grant the address itself, or
//! `localhost`. Which address it is is looked at when the connection stands, and before anything is written.
//!
//! Left out: other nodes that are known by names, not by addresses.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use steward_model::outbound;
use steward_protocol::cluster::ClusterState;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::Service;

/// Why a connection is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOutside {
    /// It leads to the API of this group.
    #[error(
        "{0} is a node of this group: what guests send outside does not go to its API; address the document by its link"
    )]
    OwnNode(SocketAddr),
    /// A name stands for an address that only this machine or its link can reach.
    #[error(
        "{host} is {address}, which only this machine or its link can reach: grant the address itself if guests may"
    )]
    Near {
        /// What the guest asked for.
        host: String,
        /// What that resolved to.
        address: SocketAddr,
    },
}

impl NotOutside {
    /// Returns the code of the problem that a document is told.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            NotOutside::OwnNode(_) => "effect-own-node",
            NotOutside::Near { .. } => "effect-not-outside",
        }
    }

    /// Returns the refusal that caused an error, if that was its cause.
    pub(crate) fn of<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e NotOutside> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(own) = error.downcast_ref() {
                return Some(own);
            }
            cause = error.source();
        }
        None
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outward {
    http: HttpConnector,
    /// The port of the API of this node.
    port: u16,
    cluster: watch::Receiver<Arc<ClusterState>>,
}

impl Outward {
    /// Returns what connects for the guests of a node whose API has this port, in the group that `cluster` shows.
    pub(crate) fn new(port: u16, cluster: watch::Receiver<Arc<ClusterState>>) -> Outward {
        Outward { http: HttpConnector::new(), port, cluster }
    }

    fn check(&self, host: &str, stream: &TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (there, here) = (stream.peer_addr()?, stream.local_addr()?);
        // A connection to an address of this machine comes from there too.
        let is_here = there.ip().is_loopback() || there.ip() == here.ip();
        let is_this = is_here && there.port() == self.port;
        let state = self.cluster.borrow();
        let is_other = || state.group().nodes().any(|node| names(&node.address, there));
        if is_this || is_other() {
            return Err(Box::new(NotOutside::OwnNode(there)));
        }
        match is_name(host) && is_near(there.ip()) {
            true => Err(Box::new(NotOutside::Near { host: host.to_owned(), address: there })),
            false => Ok(()),
        }
    }
}

/// Returns true if a host is called by a name whose address somebody else decides.
fn is_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_err() && !bare.trim_end_matches('.').eq_ignore_ascii_case("localhost")
}

/// Returns true for addresses that mean another host on each machine, or on each link.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local() || address.is_unspecified(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified(),
    }
}

/// Returns true if a URI names this address.
fn names(uri: &str, address: SocketAddr) -> bool {
    let Ok(uri) = uri.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.parse() == Ok(address.ip()) && outbound::port_of(uri.scheme_str(), uri.port_u16()) == address.port()
}

impl Service<Uri> for Outward {
    type Response = TokioIo<TcpStream>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<TokioIo<TcpStream>, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.http.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default().to_owned();
        let (connecting, outward) = (self.http.call(uri), self.clone());
        Box::pin(async move {
            let stream = connecting.await?;
            outward.check(&host, stream.inner())?;
            Ok(stream)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_under_each_way_to_write_it() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert!(names("http://10.0.0.1:8000", address("10.0.0.1:8000")));
        assert!(names("http://[::1]:8000/", address("[::1]:8000")));
        assert!(names("http://10.0.0.1", address("10.0.0.1:80")));
        assert!(!names("http://10.0.0.1:8001", address("10.0.0.1:8000")));
        assert!(!names("http://host:8000", address("10.0.0.1:8000")));
        assert!(!names("no address", address("10.0.0.1:8000")));
    }

    #[test]
    fn a_name_does_not_lead_to_what_only_this_machine_reaches() {
        for name in ["api.example.com", "metadata", "localhost.example.com"] {
            assert!(is_name(name), "{name}");
        }
        for granted in ["127.0.0.1", "[::1]", "169.254.169.254", "localhost", "LOCALHOST."] {
            assert!(!is_name(granted), "{granted}");
        }
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        for near in ["127.0.0.1", "127.8.8.8", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.1", "fe80::1", "::"]
        {
            assert!(is_near(address(near)), "{near}");
        }
        for far in ["10.0.0.1", "192.168.1.1", "93.184.216.34", "2001:db8::1", "fd00::1"] {
            assert!(!is_near(address(far)), "{far}");
        }
    }
}
