//! The tour of one node.

use anyhow::{Context, ensure};
use http::Method;
use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::guests::{self, Progress};
use steward_tests::host::Host;
use steward_tests::{build, wait};

use crate::guide::Guide;

/// The guests of the tour.
const GUESTS: [&str; 3] = ["examples", "example-tasks", "counter"];

/// Shows the main features on one node, and keeps serving unless it is to end `once` the tour is over.
///
/// # Errors
/// The first step that did not go as it is told.
pub(crate) async fn tour(once: bool) -> anyhow::Result<()> {
    let mut guide = Guide::new();
    println!("{}steward{}: documents with guests for logic, on one node", guide.bold.0, guide.bold.1);

    guide.step("Build the guests: Rust to WebAssembly components");
    let built = tokio::task::spawn_blocking(|| guests::build(&GUESTS, &Progress::stderr())).await??;
    for guest in &built {
        guide.say(&format!("{:<14} {:>4} KiB", guest.name, guest.bytes / 1024));
    }

    guide.step("Build and start the host on an empty folder");
    let binary = tokio::task::spawn_blocking(build::steward_with_progress).await??;
    let mut host = tokio::task::spawn_blocking(|| Host::start(&["--id", "demo"])).await??;
    guide.say(&format!("{} start --id demo   (pid {}, {})", binary.display(), host.pid(), host.client().base()));

    guide.step("Deploy the three services while it runs");
    for guest in &built {
        let component = std::fs::read(&guest.path).with_context(|| guest.path.display().to_string())?;
        let path = host.client().deploy(&component, None).await;
        guide.say(&format!("$ steward deploy {} --yes   →  {path}", guest.path.display()));
    }

    documents(&mut guide, host.client()).await?;
    task(&mut guide, host.client()).await?;
    survive(&mut guide, &mut host).await?;

    println!("\n{}Everything that was acknowledged is there.{}", guide.bold.0, guide.bold.1);
    if once {
        host.stop()?;
        return Ok(());
    }
    keep_serving(&guide, &mut host).await
}

async fn documents(guide: &mut Guide, client: &Client) -> anyhow::Result<()> {
    guide.step("A document: create, change, read, look back");
    let create = json!({ "documentSelfLink": "clicks", "step": 5 });
    let created = guide.ask(client, Method::POST, "/core/counters", &create).await?;
    ensure!(created.status == 201, "the counter was not created");
    for _ in 0..2 {
        guide.ask(client, Method::PATCH, "/core/counters/clicks", &json!({})).await?;
    }
    let read = guide.ask(client, Method::GET, "/core/counters/clicks", &Value::Null).await?;
    ensure!(read.json()["count"] == 10, "the counter should be at 10");
    ensure!(read.json()["documentVersion"] == 2, "two updates make version 2");
    ensure!(!read.header("etag").is_empty(), "a document has an entity tag");
    let first = guide.ask(client, Method::GET, "/core/counters/clicks?documentVersion=0", &Value::Null).await?;
    ensure!(first.json()["count"] == 0, "version 0 should be kept");
    let refused = guide.ask(client, Method::PATCH, "/core/counters/clicks", &json!({ "by": "many" })).await?;
    ensure!(refused.status.is_client_error(), "a text is no number to add");
    Ok(())
}

async fn task(guide: &mut Guide, client: &Client) -> anyhow::Result<()> {
    guide.step("A task: finds all examples, deletes them, and finishes, by PATCHes on itself");
    for n in 1..=2 {
        let example = json!({ "name": format!("example-{n}"), "counter": n });
        guide.ask(client, Method::POST, "/core/examples", &example).await?;
    }
    let posted = guide.ask(client, Method::POST, "/core/example-tasks", &json!({ "taskLifetime": 300 })).await?;
    let link = posted.json()["documentSelfLink"].as_str().context("the task has a link")?.to_owned();
    let finished = wait::until("the task is finished", || async {
        let task = client.get(&link).await.json();
        (task["taskInfo"]["stage"] == "FINISHED").then_some(task)
    });
    let finished = finished.await;
    guide.say(&format!("{link} is {} at version {}", finished["taskInfo"]["stage"], finished["documentVersion"]));
    ensure!(finished["documentVersion"] == 3, "the task takes versions 0 to 3");
    let left = guide.ask(client, Method::GET, "/core/examples", &Value::Null).await?;
    ensure!(left.json()["documentCount"] == 0, "the examples should be deleted");
    Ok(())
}

async fn survive(guide: &mut Guide, host: &mut Host) -> anyhow::Result<()> {
    guide.step("kill -9 in the middle of updates, start again, compare");
    let client = host.client().clone();
    let mut acknowledged = 2_u64;
    let updates = tokio::spawn(async move {
        let headers = [("content-type", "application/json")];
        while let Ok(answer) = client.send(Method::PATCH, "/core/counters/clicks", &headers, "{}").await {
            if answer.status != 200 {
                break;
            }
            acknowledged += 1;
        }
        acknowledged
    });
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    guide.say(&format!("$ kill -9 {}", host.pid()));
    host.kill();
    let acknowledged = updates.await?;
    tokio::task::block_in_place(|| host.restart())?;
    let counter = host.client().get("/core/counters/clicks").await.expect(200).json();
    let version = counter["documentVersion"].as_u64().context("a document has a version")?;
    guide.say(&format!(
        "acknowledged before the kill: version {acknowledged}; found after the restart: version {version}"
    ));
    ensure!(version == acknowledged || version == acknowledged + 1, "acknowledged updates are missing");
    ensure!(counter["count"] == version * 5, "count and version disagree: {counter}");
    Ok(())
}

async fn keep_serving(guide: &Guide, host: &mut Host) -> anyhow::Result<()> {
    let base = host.client().base();
    println!("\n{}Try it yourself{} (Ctrl-C stops the host and removes its data)\n", guide.bold.0, guide.bold.1);
    println!("  curl {base}/core/counters --json '{{\"documentSelfLink\":\"mine\",\"step\":3}}'");
    println!("  curl -X PATCH {base}/core/counters/mine --json '{{\"by\":4}}'");
    println!("  curl '{base}/core/counters?expand&$filter=count%20gt%203'");
    println!("  curl {base}/core/counters/mine/history");
    println!("  {} -H {base} status", build::steward()?.display());
    tokio::signal::ctrl_c().await?;
    println!();
    host.stop()?;
    Ok(())
}
