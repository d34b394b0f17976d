//! A group that grows and shrinks while it serves.

use std::process::Command;
use std::time::Instant;

use steward_tests::build;
use steward_tests::nodes::Nodes;
use steward_tests::wait::until;

use crate::load::{self, Load};

/// Starts further nodes until there are `count`, and returns once each owns its share.
async fn grow(nodes: &mut Nodes, count: usize) {
    while nodes.count() < count {
        let began = Instant::now();
        let at = nodes.join(&[]);
        nodes.host(at).restart().expect("the node joins");
        let ready = began.elapsed();
        nodes.until_available(at + 1).await;
        println!("node {at}: ready after {ready:?}, known as available after {:?}", began.elapsed());
    }
    let began = Instant::now();
    nodes.until_balanced(count).await;
    println!("shared out among {count} after {:?}", began.elapsed());
}

/// Stops a node in order and takes it out of the group for good.
async fn leave(nodes: &mut Nodes, at: usize) {
    assert!(nodes.host(at).stop().expect("it ends"), "node {at} stops in order");
    nodes.until_status(0, at, "UNAVAILABLE").await;
    let name = format!("host-{at}");
    let binary = build::steward().expect("the binary");
    let words = ["nodes", "remove", &name, "--yes"];
    let removed = Command::new(binary).args(["-H", nodes.client(0).base()]).args(words).output().expect("it runs");
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    until("the group is without it", || async { nodes.shown(0, at).await.is_none().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_grows_to_five_and_shrinks_to_three_without_a_failed_request() {
    let mut nodes = Nodes::started(1, &[]).await;
    nodes.deploy(&["counter"]).await;
    let mut load = Load::begin(&nodes.clients(), 6).await;
    grow(&mut nodes, 3).await;
    load.also_through(&nodes.clients()[1..]);
    grow(&mut nodes, 5).await;
    for at in [4, 3] {
        leave(&mut nodes, at).await;
    }
    nodes.until_balanced(3).await;
    let (histories, longest) = load.end().await;
    let acknowledged = load::judge(&histories, &nodes.client(2)).await;
    println!("{acknowledged} additions acknowledged, longest gap {longest:?}");
    assert!(acknowledged > 100, "{acknowledged}");
    load::all_answered(&histories);
    let group = nodes.group(0).await.expect("the group");
    assert_eq!(group["quorum"]["value"], 2, "the majority of three");
}
