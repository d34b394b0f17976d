//! Links over real sockets: who may talk, what is refused and where that is said, and what a bad neighbour can do.

mod identity;
mod rig;
mod strangers;
mod talk;

use steward_model::group::GroupId;

use super::hello::Refusal;
use super::{Incarnation, Lane, Secret};
use rig::{GROUP, Rig, until};

#[tokio::test]
async fn two_nodes_with_the_same_secret_have_one_connection_for_each_lane() {
    let (one, two) = (Rig::member(1).await, Rig::member(2).await);
    one.knows(&two);
    two.knows(&one);
    for lane in Lane::ALL {
        until("both are connected", || one.links.connected(lane).len() == 1 && two.links.connected(lane).len() == 1)
            .await;
    }
    assert!(one.links.refused().is_empty() && two.links.refused().is_empty());
}

#[tokio::test]
async fn another_secret_is_refused_and_both_sides_say_so() {
    let one = Rig::member(1).await;
    let two = Rig::with(2, |_| {}, Secret::of(b"another secret of some length")).await;
    one.knows(&two);
    two.knows(&one);
    until("both say so", || one.refuses("does not know the cluster secret") && two.refuses("cluster secret")).await;
    assert!(one.links.connected(Lane::Urgent).is_empty() && two.links.connected(Lane::Urgent).is_empty());
}

#[tokio::test]
async fn a_node_without_a_secret_is_refused_by_one_that_has_one() {
    let one = Rig::member(1).await;
    let two = Rig::with(2, |_| {}, Secret::none()).await;
    two.knows(&one);
    until("both say so", || one.refuses("cluster secret") && two.refuses("cluster secret")).await;
}

#[tokio::test]
async fn another_cluster_is_refused_and_both_sides_say_so() {
    let one = Rig::member(1).await;
    let two = Rig::with(2, |ourselves| ourselves.cluster = Some((GroupId(8), Incarnation(9))), rig::secret()).await;
    two.knows(&one);
    until("both say so", || one.refuses("belongs to cluster") && two.refuses("belongs to cluster")).await;
}

#[tokio::test]
async fn another_incarnation_is_refused_and_both_sides_say_so() {
    let one = Rig::member(1).await;
    let two = Rig::with(2, |ourselves| ourselves.cluster = Some((GROUP, Incarnation(10))), rig::secret()).await;
    two.knows(&one);
    until("both say so", || one.refuses("incarnation") && two.refuses("incarnation")).await;
}

#[tokio::test]
async fn another_node_than_the_one_expected_at_an_address_is_refused() {
    let (one, three) = (Rig::member(1).await, Rig::member(3).await);
    // Node 2 was there once.
    three.knows_as(2, &one);
    until("both say so", || one.refuses("node 2 is expected at") && three.refuses("node 1 is there")).await;
}

#[tokio::test]
async fn an_address_that_leads_back_is_refused() {
    let one = Rig::member(1).await;
    let refused = super::Guest::connect(&one.links, &one.address).await.err().expect("must be refused");
    assert!(refused.to_string().contains("leads back to this node"), "{refused}");
}

#[tokio::test]
async fn two_nodes_with_one_address_are_refused() {
    let one = Rig::member(1).await;
    let address = one.address.clone();
    let two = Rig::with(2, |ourselves| ourselves.address = address, rig::secret()).await;
    two.knows(&one);
    until("it says so", || two.refuses("both nodes say that they listen at")).await;
}

#[tokio::test]
async fn a_process_that_is_over_does_not_displace_the_newer_one() {
    let one = Rig::member(1).await;
    let newer = Rig::with(2, |ourselves| ourselves.boot = Some(steward_model::Boot(5)), rig::secret()).await;
    newer.knows(&one);
    until("the newer is connected", || one.links.connected(Lane::Urgent).len() == 1).await;
    let older = Rig::with(2, |ourselves| ourselves.boot = Some(steward_model::Boot(4)), rig::secret()).await;
    older.knows(&one);
    until("the older is refused", || older.refuses("boot 5 is connected")).await;
    assert_eq!(newer.links.connected(Lane::Urgent).len(), 1);
}

#[test]
fn versions_without_one_in_common_are_refused_by_their_numbers() {
    let refusal = Refusal::Version { ours: (1, 1), theirs: (2, 3) };
    assert_eq!(refusal.to_string(), "this node speaks versions 1 to 1 and the other one 2 to 3: upgrade the older one");
}
