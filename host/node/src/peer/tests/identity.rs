//! A node that is called otherwise while a connection is being made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use steward_model::{Boot, NodeId};
use tokio::io::{AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::super::{Lane, Topic};
use super::rig::{Rig, until};
use crate::config::PeerAddress;

/// Hands on what is said to a node at once, and what it answers only when that is allowed.
struct Relay {
    address: PeerAddress,
    /// Connections whose first answer is held back.
    held: Arc<AtomicUsize>,
    open: watch::Sender<bool>,
}

impl Relay {
    async fn to(node: &Rig) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = PeerAddress::said(&listener.local_addr().expect("an address").to_string());
        let (open, opened) = watch::channel(false);
        let (held, to) = (Arc::<AtomicUsize>::default(), node.address.to_string());
        let counted = Arc::clone(&held);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut opened, held, to) = (opened.clone(), Arc::clone(&counted), to.clone());
                tokio::spawn(async move {
                    let node = TcpStream::connect(to).await.expect("the node listens");
                    let ((mut said, mut heard), (mut answered, mut asked)) = (stream.into_split(), node.into_split());
                    let forth = async {
                        let _ = copy(&mut said, &mut asked).await;
                        let _ = asked.shutdown().await;
                    };
                    let back = async {
                        let _ = answered.readable().await;
                        held.fetch_add(1, Ordering::AcqRel);
                        let _ = opened.wait_for(|open| *open).await;
                        let _ = copy(&mut answered, &mut heard).await;
                    };
                    tokio::join!(forth, back);
                });
            }
        });
        Relay { address, held, open }
    }
}

#[tokio::test]
async fn a_connection_that_was_told_what_is_no_longer_true_does_not_stand() {
    let (one, two) = (Rig::member(1).await, Rig::member(2).await);
    let relay = Relay::to(&one).await;
    two.links.set_peers(&BTreeMap::from([(NodeId(1), relay.address.clone())]));
    until("both connections are being made", || relay.held.load(Ordering::Acquire) == Lane::ALL.len()).await;
    two.links.identify(|ourselves| ourselves.boot = Some(Boot(2)));
    relay.open.send(true).expect("the relay is there");
    for lane in Lane::ALL {
        let asking = async {
            while one.echo.boot.swap(0, Ordering::AcqRel) != 2 {
                let within = Duration::from_secs(1);
                // Between two connections there is none.
                let _ = two.links.request(NodeId(1), lane, Topic::Raft, b"hello".to_vec(), within).await;
                tokio::task::yield_now().await;
            }
        };
        let asked = tokio::time::timeout(Duration::from_secs(10), asking).await;
        assert!(asked.is_ok(), "the {lane} connection knows the node by its earlier boot");
    }
}
