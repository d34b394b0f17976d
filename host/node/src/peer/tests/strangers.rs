//! Whatever a stranger sends: nothing panics, nothing is allocated without bound, and nodes are served all the same.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use steward_model::codec::{self, Format};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::frame::Frame;
use super::super::hello::Hello;
use super::super::{Guest, Lane, Topic};
use super::rig::{Rig, until};

/// Sends bytes and returns once the other side has closed the connection.
async fn send(to: &Rig, bytes: &[u8]) {
    let mut stream = TcpStream::connect(to.address.as_str()).await.expect("a connection");
    // Whoever was refused meanwhile need not listen to the rest.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "the connection of a stranger ends");
}

#[tokio::test]
async fn bytes_of_strangers_end_their_own_connection_only() {
    let node = Rig::member(1).await;
    let mut runner = TestRunner::deterministic();
    let noise = prop::collection::vec(any::<u8>(), 0..2000);
    for _ in 0..64 {
        let bytes = noise.new_tree(&mut runner).expect("bytes").current();
        send(&node, &bytes).await;
        // The same behind a length that is right.
        let framed = [&u32::try_from(bytes.len()).expect("few").to_be_bytes()[..], &bytes].concat();
        send(&node, &framed).await;
    }
    for text in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\u{16}\u{3}\u{1}", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        send(&node, text.as_bytes()).await;
    }
    // A length of 4 GiB, of which nothing follows: nobody makes room for it.
    send(&node, &[0xff; 4]).await;
    let other = Rig::member(2).await;
    other.knows(&node);
    until("a node is served", || other.links.connected(Lane::Urgent).len() == 1).await;
}

#[tokio::test]
async fn a_stranger_that_says_nothing_takes_no_place_of_a_node() {
    let node = Rig::member(1).await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(node.address.as_str()).await.expect("a connection"));
    }
    let other = Rig::member(2).await;
    other.knows(&node);
    until("a node is served", || other.links.connected(Lane::Urgent).len() == 1).await;
}

#[tokio::test]
async fn a_node_without_a_number_may_ask_to_be_let_in_and_nothing_else() {
    let node = Rig::member(1).await;
    let blank = |ourselves: &mut super::super::Ourselves| {
        (ourselves.cluster, ourselves.node, ourselves.boot) = (None, None, None);
    };
    let stranger = Rig::with(9, blank, super::rig::secret()).await;
    let guest = Guest::connect(&stranger.links, &node.address).await.expect("a connection");
    assert_eq!(guest.hello().node, Some(steward_model::NodeId(1)));
    let within = Duration::from_secs(20);
    assert!(guest.ask(Topic::Control, b"hello".to_vec(), within).await.is_ok());
    for topic in [Topic::Raft, Topic::Liveness] {
        let refused = guest.ask(topic, b"hello".to_vec(), within).await.expect_err("must be refused");
        assert!(refused.to_string().contains("does not offer"), "{refused}");
    }
}

fn decoded<T: Format>(bytes: &[u8]) {
    // What comes of it is of no interest: that something does is.
    let _ = codec::decode::<T>(bytes);
}

proptest! {
    #[test]
    fn no_bytes_make_reading_a_frame_or_a_hello_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        decoded::<Frame>(&bytes);
        decoded::<Hello>(&bytes);
        decoded::<Frame>(&[&[1, 1], &bytes[..]].concat());
        decoded::<Hello>(&[&[1, 1], &bytes[..]].concat());
    }
}
