//! The tour of a group of three nodes: the tutorial of Xenon for several nodes, then an owner dies under load.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http::Method;
use serde_json::{Value, json};
use steward_tests::build;
use steward_tests::client::Client;
use steward_tests::guests::{self, Progress};
use steward_tests::nodes::Nodes;
use steward_tests::wait::until;

use crate::guide::Guide;

/// The guests of the tour.
const GUESTS: [&str; 3] = ["examples", "example-tasks", "counter"];

/// How long requests are sent before an owner is killed, and after.
const LOAD: Duration = Duration::from_secs(1);

/// Shows a group of three nodes, and keeps serving unless it is to end `once` the tour is over.
///
/// # Errors
/// The first step that did not go as it is told.
///
/// # Panics
/// If a node does not start, or what is waited for does not come true.
pub(crate) async fn tour(once: bool) -> anyhow::Result<()> {
    let mut guide = Guide::new();
    println!("{}steward{}: three nodes, one host", guide.bold.0, guide.bold.1);

    guide.step("Build the guests and the host");
    tokio::task::spawn_blocking(|| guests::build(&GUESTS, &Progress::stderr())).await??;
    let binary = tokio::task::spawn_blocking(build::steward_with_progress).await??;

    guide.step("Start three nodes with the same list of peers; each wants a quorum of three");
    let mut nodes = Nodes::started(3, &["--membershipQuorum", "3"]).await;
    for at in 0..3 {
        let (pid, base) = (nodes.host(at).pid(), nodes.client(at).base().to_owned());
        guide.say(&format!("{} start --id host-{at} --peer-nodes …   (pid {pid}, {base})", binary.display()));
    }
    nodes.deploy(&GUESTS).await;
    nodes.until_balanced(3).await;
    guide.say("every node has compiled the three services, and owns about a third of the documents");

    let second = tasks(&mut guide, &nodes).await?;
    quorum(&mut guide, &mut nodes, &second).await?;
    failover(&mut guide, &mut nodes).await?;

    println!("\n{}Everything that was acknowledged is there.{}", guide.bold.0, guide.bold.1);
    if once {
        return Ok(());
    }
    keep_serving(&guide, &nodes).await
}

async fn post_task(guide: &Guide, client: &Client) -> anyhow::Result<String> {
    let posted = guide.ask(client, Method::POST, "/core/example-tasks", &json!({ "taskLifetime": 300 })).await?;
    Ok(posted.json()["documentSelfLink"].as_str().context("the task has a link")?.to_owned())
}

async fn finished(client: &Client, link: &str) {
    until("the task is finished", || async {
        let task = client.get(link).await.json();
        (task["taskInfo"]["stage"] == "FINISHED").then_some(())
    })
    .await;
}

async fn count(client: &Client, factory: &str) -> u64 {
    client.get(factory).await.json()["documentCount"].as_u64().unwrap_or_default()
}

async fn tasks(guide: &mut Guide, nodes: &Nodes) -> anyhow::Result<String> {
    guide.step("Tasks: created through any node, carried out by their owners, seen by all");
    let clients = nodes.clients();
    guide.ask(&clients[0], Method::POST, "/core/examples", &json!({ "name": "example-1", "counter": 1 })).await?;
    let first = post_task(guide, &clients[0]).await?;
    let second = post_task(guide, &clients[1]).await?;
    finished(&clients[2], &first).await;
    finished(&clients[2], &second).await;
    let left = guide.ask(&clients[2], Method::GET, "/core/examples", &Value::Null).await?;
    ensure!(left.json()["documentCount"] == 0, "the examples should be deleted");
    Ok(second)
}

async fn quorum(guide: &mut Guide, nodes: &mut Nodes, second: &str) -> anyhow::Result<()> {
    guide.step("Stop one node: updates wait for the quorum of three, reads go on");
    let clients = nodes.clients();
    guide.ask(&clients[2], Method::DELETE, "/core/management", &Value::Null).await?;
    ensure!(tokio::task::block_in_place(|| nodes.host(2).ended())?, "the node should stop in order");
    let headers = [("content-type", "application/json")];
    let posted = clients[0].send(Method::POST, "/core/example-tasks", &headers, r#"{"taskLifetime":300}"#);
    ensure!(tokio::time::timeout(LOAD, posted).await.is_err(), "nothing should be created without the quorum");
    guide.say("a new task is not answered for a second; its client hangs up");
    guide.ask(&clients[1], Method::GET, second, &Value::Null).await?;

    guide.step("Relax the quorum: what waited completes by itself");
    let relaxed = json!({
        "isGroupUpdate": true,
        "membershipQuorum": 2,
        "kind": "com:vmware:xenon:services:common:NodeGroupService:UpdateQuorumRequest",
    });
    guide.ask(&clients[0], Method::PATCH, "/core/node-groups/default", &relaxed).await?;
    let began = Instant::now();
    until("the task is created", || async { (count(&clients[1], "/core/example-tasks").await == 3).then_some(()) })
        .await;
    guide.say(&format!("the task is there, {} ms after the quorum was relaxed", began.elapsed().as_millis()));

    guide.step("Start the stopped node again");
    nodes.set_flags(2, &["--membershipQuorum", "2"]);
    tokio::task::block_in_place(|| nodes.host(2).restart())?;
    nodes.until_available(3).await;
    let back = guide.ask(&nodes.client(2), Method::GET, "/core/example-tasks", &Value::Null).await?;
    ensure!(back.json()["documentCount"] == 3, "the node should know all tasks");
    nodes.until_balanced(3).await;
    Ok(())
}

async fn failover(guide: &mut Guide, nodes: &mut Nodes) -> anyhow::Result<()> {
    guide.step("kill -9 the owner of a document in the middle of updates");
    let created =
        guide.ask(&nodes.client(0), Method::POST, "/core/counters", &json!({ "documentSelfLink": "clicks" })).await?;
    let owner = created.header("x-steward-owner").to_owned();
    let owner = (0..3).find(|at| owner == format!("host-{at}")).context("the owner is one of the three")?;
    let survivor = nodes.client(nodes.other_than(&[owner]));
    let load = tokio::spawn(load(survivor.clone()));
    tokio::time::sleep(LOAD).await;
    guide.say(&format!("$ kill -9 {}   (host-{owner}, which owns /core/counters/clicks)", nodes.host(owner).pid()));
    tokio::task::block_in_place(|| nodes.host(owner).kill());
    let Told { acknowledged, unknown, gap } = load.await??;
    let counter = guide.ask(&survivor, Method::GET, "/core/counters/clicks", &Value::Null).await?;
    let count = counter.json()["count"].as_u64().context("a counter counts")?;
    guide.say(&format!("{acknowledged} updates acknowledged, {unknown} without an answer; the counter is at {count}"));
    guide.say(&format!("longest gap between two acknowledged updates: {} ms", gap.as_millis()));
    ensure!((acknowledged..=acknowledged + unknown).contains(&count), "acknowledged updates are missing");
    tokio::task::block_in_place(|| nodes.host(owner).restart())?;
    nodes.until_available(3).await;
    guide.say(&format!("host-{owner} is back and AVAILABLE"));
    Ok(())
}

/// What a client was told.
struct Told {
    acknowledged: u64,
    unknown: u64,
    gap: Duration,
}

/// Updates the counter until a while after its owner has changed.
async fn load(client: Client) -> anyhow::Result<Told> {
    let mut told = Told { acknowledged: 0, unknown: 0, gap: Duration::ZERO };
    let (began, mut last, mut first_owner, mut changed) = (Instant::now(), Instant::now(), None, None::<Instant>);
    let headers = [("content-type", "application/json")];
    while changed.is_none_or(|at| at.elapsed() < LOAD) {
        ensure!(began.elapsed() < Duration::from_secs(60), "no other node takes over");
        let answer = client.send(Method::PATCH, "/core/counters/clicks", &headers, "{}").await?;
        match answer.status.as_u16() {
            200 => {
                told.acknowledged += 1;
                told.gap = told.gap.max(last.elapsed());
                last = Instant::now();
                let owner = answer.header("x-steward-owner").to_owned();
                if *first_owner.get_or_insert_with(|| owner.clone()) != owner && changed.is_none() {
                    changed = Some(last);
                }
            }
            _ if answer.json()["outcome"] == "none" => {}
            _ => told.unknown += 1,
        }
    }
    Ok(told)
}

async fn keep_serving(guide: &Guide, nodes: &Nodes) -> anyhow::Result<()> {
    println!("\n{}Try it yourself{} (Ctrl-C stops the nodes and removes their data)\n", guide.bold.0, guide.bold.1);
    let bases: Vec<String> = nodes.clients().iter().map(|client| client.base().to_owned()).collect();
    println!("  curl {}/core/counters --json '{{\"documentSelfLink\":\"mine\",\"step\":3}}'", bases[0]);
    println!("  curl -X PATCH {}/core/counters/mine --json '{{\"by\":4}}'", bases[1]);
    println!("  curl {}/core/counters/mine", bases[2]);
    println!("  {} -H {} nodes", build::steward()?.display(), bases[0]);
    tokio::signal::ctrl_c().await?;
    println!();
    Ok(())
}
