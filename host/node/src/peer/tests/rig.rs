//! Nodes of a test: links, a listener on a port of the system, a service that answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use steward_model::group::GroupId;
use steward_model::node::{HostId, StoreId};
use steward_model::{Boot, NodeId};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::super::{Incarnation, Links, Origin, Ourselves, Secret, Service, Tasks, Topic};
use crate::config::PeerAddress;

pub(super) const GROUP: GroupId = GroupId(7);

/// Longest wait for a condition.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns once `condition` holds.
pub(super) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited in vain until {what}");
}

pub(super) fn secret() -> Secret {
    Secret::of(b"a secret of all nodes")
}

/// Bytes of a long answer.
pub(super) const LONG_ANSWER_BYTES: usize = 3 << 20;

/// Answers a request with its own bytes; one that begins with `w` waits for ever, one with `n` is refused, one with `l` gets a long
/// answer.
#[derive(Default)]
pub(super) struct Echo {
    pub(super) noticed: AtomicUsize,
    pub(super) asked: AtomicUsize,
    /// The process start that the last request came from.
    pub(super) boot: AtomicU32,
}

impl Service for Echo {
    fn notice(&self, _from: &Origin, _body: Bytes) {
        self.noticed.fetch_add(1, Ordering::Relaxed);
    }

    fn request(&self, from: &Origin, body: Bytes) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.boot.store(from.boot.map_or(0, |boot| boot.0), Ordering::Relaxed);
        Box::pin(async move {
            match body.first() {
                Some(b'w') => std::future::pending().await,
                Some(b'l') => Ok(vec![0; LONG_ANSWER_BYTES]),
                Some(b'n') => Err("it does not want to".to_owned()),
                Some(_) | None => Ok(body.to_vec()),
            }
        })
    }
}

pub(super) struct Rig {
    pub(super) links: Links,
    pub(super) address: PeerAddress,
    pub(super) number: u32,
    pub(super) echo: Arc<Echo>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.links.stop();
    }
}

impl Rig {
    /// Returns a member of the cluster of all tests.
    pub(super) async fn member(number: u32) -> Rig {
        Rig::with(number, |_| {}, secret()).await
    }

    /// Returns a node that says of itself what `change` makes of a member.
    pub(super) async fn with(number: u32, change: impl FnOnce(&mut Ourselves), secret: Secret) -> Rig {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = PeerAddress::said(&listener.local_addr().expect("an address").to_string());
        let mut ourselves = Ourselves {
            host: HostId::parse(&format!("host-{number}")).expect("a valid id"),
            store: StoreId(uuid::Uuid::new_v4().as_u128()),
            address: address.clone(),
            list: 0,
            cluster: Some((GROUP, Incarnation(9))),
            node: Some(NodeId(number)),
            boot: Some(Boot(1)),
        };
        change(&mut ourselves);
        let links = Links::new(Tasks::new(Handle::current()), ourselves, secret);
        let echo = Arc::new(Echo::default());
        for topic in Topic::ALL {
            links.offer(topic, Arc::clone(&echo) as Arc<dyn Service>);
        }
        links.spawn(links.clone().serve(listener));
        Rig { links, address, number, echo }
    }

    /// Tells this node where another one is.
    pub(super) fn knows(&self, other: &Rig) {
        self.knows_as(other.number, other);
    }

    /// Tells this node that the node `number` is where another one is.
    pub(super) fn knows_as(&self, number: u32, other: &Rig) {
        self.links.set_peers(&BTreeMap::from([(NodeId(number), other.address.clone())]));
    }

    /// Returns true if this node has noted a refusal with these words.
    pub(super) fn refuses(&self, words: &str) -> bool {
        self.links.refused().iter().any(|refused| refused.reason.contains(words))
    }
}
