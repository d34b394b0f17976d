//! Who votes in the system group among many nodes, and who does in the place of those that die.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use steward_tests::client::Answer;
use steward_tests::guests::{self, Progress};
use steward_tests::nodes::Nodes;
use steward_tests::wait::until;

/// Longest time until others vote in the place of nodes that died, on a machine that is busy with other tests: the ceiling of the
/// patience, an election of the system group, a change of its voters, and a margin for the machine.
const REPLACED_WITHIN: Duration = Duration::from_secs(15);

/// Returns the nodes that vote, as node `by` shows them.
async fn voters(nodes: &Nodes, by: usize) -> Option<BTreeSet<usize>> {
    let group = nodes.group(by).await?;
    let shown = group["nodes"].as_object()?;
    Some(
        (0..nodes.count())
            .filter(|at| shown.get(&format!("host-{at}")).is_some_and(|node| node["votes"] == true))
            .collect(),
    )
}

/// Kills nodes at one instant, and returns when that was.
fn killed(nodes: &mut Nodes, dead: &[usize]) -> Instant {
    dead.iter().for_each(|at| nodes.host(*at).strike());
    let began = Instant::now();
    dead.iter().for_each(|at| nodes.host(*at).kill());
    began
}

/// Asks until the system group decides: without a leader it says that it cannot.
async fn decided<F: Future<Output = Answer>>(what: &str, ask: impl Fn() -> F) -> Answer {
    let ask = &ask;
    until(what, || async move { Some(ask().await).filter(|answer| answer.status != 503) }).await
}

/// Sets the quorum of the group through node `by`.
async fn quorum_set(nodes: &Nodes, by: usize, quorum: u32) {
    let body = json!({"kind": "UpdateQuorumRequest", "isGroupUpdate": true, "membershipQuorum": quorum});
    let set =
        decided("the quorum is set", || async { nodes.client(by).patch("/core/node-groups/default", &body).await });
    set.await.expect(200);
}

/// Returns once five of the nodes that live vote, and no dead one does.
async fn replaced(nodes: &Nodes, by: usize, dead: &[usize], began: Instant) -> BTreeSet<usize> {
    let voters = until("others vote in the place of the dead", || async {
        let voters = voters(nodes, by).await?;
        (voters.len() == 5 && dead.iter().all(|at| !voters.contains(at))).then_some(voters)
    })
    .await;
    let took = began.elapsed();
    println!("others vote in the place of {dead:?} after {took:?}: {voters:?}");
    assert!(took < REPLACED_WITHIN, "{took:?}");
    voters
}

#[tokio::test(flavor = "multi_thread")]
async fn five_of_nine_nodes_vote_and_others_take_the_place_of_voters_that_die() {
    let build = || guests::build(&["counter"], &Progress::hidden());
    let built = tokio::task::spawn_blocking(build).await.expect("no panic").expect("the guest builds");
    let component = std::fs::read(&built[0].path).expect("a component");
    let began = Instant::now();
    let mut nodes = Nodes::started(9, &[]).await;
    let leader = nodes.leader(0, 5).await;
    println!("nine nodes and five voters after {:?}", began.elapsed());
    let founders = voters(&nodes, 0).await.expect("an answer");
    assert!(founders.len() == 5 && founders.contains(&leader), "{leader} of {founders:?}");

    // Three of five are left, and decide as before.
    let another = *founders.iter().find(|at| **at != leader).expect("five vote");
    let mut dead = vec![leader, another];
    let by = nodes.other_than(&dead);
    let began = killed(&mut nodes, &dead);
    quorum_set(&nodes, by, 4).await;
    println!("the quorum is set after {:?}", began.elapsed());
    let client = nodes.client(by);
    let module = decided("the module is taken in", || client.upload(&component)).await.expect(201).json();
    let mount = json!({ "moduleDigest": module["digest"] });
    let mounted = decided("the module is mounted", || client.post("/core/factories", &mount)).await;
    assert!(mounted.status.is_success(), "{}", String::from_utf8_lossy(&mounted.body));
    println!("a module is mounted after {:?}", began.elapsed());
    let now = replaced(&nodes, by, &dead, began).await;
    assert!(
        now.is_superset(&founders.difference(&dead.iter().copied().collect()).copied().collect()),
        "who lives goes on voting"
    );

    // Four of the first five would be no majority. Those that took their places are.
    let leader = nodes.leader(by, 5).await;
    let another = *founders.iter().find(|at| **at != leader && !dead.contains(at)).expect("three live");
    dead.extend([leader, another]);
    let by = nodes.other_than(&dead);
    let began = killed(&mut nodes, &dead[2..]);
    // Nothing of documents is asked any more: copies of four dead may be more than any of them is made on.
    quorum_set(&nodes, by, 3).await;
    println!("the quorum is set again after {:?}", began.elapsed());
    replaced(&nodes, by, &dead, began).await;
}
