//! Connections to hosts outside of the group, and to none inside of it.
//!
//! Problem: an operator grants guests a name. What it resolves to is somebody else's to say, and may be this node, whose API trusts
//! whoever reaches it: a guest could stop its own host, or deploy another guest. The grant of a loopback address, for a service that
//! runs beside the host, would open the API as well.
//!
//! Promise: what guests send outside never reaches the API of a node of the group. Which address it is is looked at when the
//! connection stands, whatever name it was asked for by, and before anything is written.
//!
//! Left out: other nodes that are known by names, not by addresses.

use std::error::Error;
use std::net::SocketAddr;
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
#[error(
    "{0} is a node of this group: what guests send outside does not go to its API; address the document by its link"
)]
pub(crate) struct OwnNode(SocketAddr);

impl OwnNode {
    /// Returns the refusal that caused an error, if that was its cause.
    pub(crate) fn of<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e OwnNode> {
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

/// See the head of this module. Cheap to clone.
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

    fn check(&self, stream: &TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (there, here) = (stream.peer_addr()?, stream.local_addr()?);
        // A connection to an address of this machine comes from there too.
        let is_here = there.ip().is_loopback() || there.ip() == here.ip();
        let is_this = is_here && there.port() == self.port;
        let state = self.cluster.borrow();
        let is_other = || state.group().nodes().any(|node| names(&node.address, there));
        if is_this || is_other() { Err(Box::new(OwnNode(there))) } else { Ok(()) }
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
        let (connecting, outward) = (self.http.call(uri), self.clone());
        Box::pin(async move {
            let stream = connecting.await?;
            outward.check(stream.inner())?;
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
}
