//! Links that are cut, in both directions and in one: nobody acknowledges or shows what the others do not know.

use steward_tests::network::Network;
use steward_tests::nodes::Nodes;
use steward_tests::wait::until;

use crate::load::{self, Load};

async fn balanced_group() -> Option<Nodes> {
    let nodes = Nodes::started_on(Network::new(3)?).await;
    nodes.deploy(&["counter"]).await;
    nodes.until_balanced(3).await;
    Some(nodes)
}

/// Returns once every node has copies that count everywhere.
pub(crate) async fn until_whole(nodes: &Nodes) {
    nodes.until_available(3).await;
    until("every copy counts again", || async {
        let shown = nodes.client(0).get("/core/partitions?lane=persisted").await.json();
        let rows = shown["partitions"].as_array()?.clone();
        rows.iter().all(|row| row["inSync"].as_array().is_some_and(|set| set.len() == 3)).then_some(())
    })
    .await;
}

async fn judged(nodes: &Nodes, load: Load) {
    let (histories, longest) = load.end().await;
    let acknowledged = load::judge(&histories, &nodes.client(0)).await;
    println!("{acknowledged} additions acknowledged, longest gap {longest:?}");
    assert!(acknowledged > 50, "{acknowledged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_acknowledges_nothing_and_the_others_take_over() {
    let Some(nodes) = balanced_group().await else { return };
    let leader = nodes.leader(0, 3).await;
    let follower = nodes.other_than(&[leader]);
    let load = Load::begin(&nodes.clients(), 6).await;
    for cut_off in [follower, leader] {
        let other = nodes.other_than(&[cut_off]);
        nodes.network().isolate(cut_off);
        nodes.until_status(other, cut_off, "UNAVAILABLE").await;
        nodes.until_answered(other).await;
        nodes.network().heal();
        until_whole(&nodes).await;
    }
    judged(&nodes, load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_carry_one_way_only_cost_time_and_nothing_else() {
    let Some(nodes) = balanced_group().await else { return };
    let leader = nodes.leader(0, 3).await;
    let deaf_and_dumb = nodes.other_than(&[leader]);
    let other = nodes.other_than(&[leader, deaf_and_dumb]);
    let load = Load::begin(&nodes.clients(), 6).await;
    // It hears the others, who do not hear it; then the other way round.
    for is_heard in [false, true] {
        for to in [leader, other] {
            let (from, to) = if is_heard { (to, deaf_and_dumb) } else { (deaf_and_dumb, to) };
            nodes.network().cut(from, to);
        }
        nodes.until_status(leader, deaf_and_dumb, "UNAVAILABLE").await;
        nodes.until_answered(leader).await;
        nodes.network().heal();
        until_whole(&nodes).await;
    }
    // Two that do not hear one another, and a third that hears both: it answers for everything.
    nodes.network().cut(deaf_and_dumb, other);
    nodes.network().cut(other, deaf_and_dumb);
    nodes.until_answered(leader).await;
    nodes.network().heal();
    until_whole(&nodes).await;
    // The same of the one that leads the system group, whose entries nobody passes on: the third leads then.
    let leader = nodes.leader(0, 3).await;
    let cut_off = nodes.other_than(&[leader]);
    let third = nodes.other_than(&[leader, cut_off]);
    nodes.network().cut(leader, cut_off);
    nodes.network().cut(cut_off, leader);
    until("the third leads", || async { (nodes.leader(third, 3).await == third).then_some(()) }).await;
    nodes.until_answered(third).await;
    nodes.network().heal();
    until_whole(&nodes).await;
    judged(&nodes, load).await;
}
