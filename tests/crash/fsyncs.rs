//! Every fsync of the host is needed: if the disk answers one kind of them without doing anything, a test fails.
//!
//! A kind is a call and a pattern of paths, in which `DATA` stands for the data folder. For each kind, a test here lets
//! the disk lie about it, or an entry in `host/docs/storage.md` names the test elsewhere.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use futures_util::FutureExt as _;
use serde_json::json;
use steward_tests::build::repository;
use steward_tests::disk::{Call, Fault, Survival, Wrong, matches};
use steward_tests::host::OWN_CODE;
use steward_tests::wait;
use tokio::task::JoinSet;

use crate::Random;
use crate::rig::{Rig, component};

/// Documents of one life.
const COUNTERS: u64 = 10;

/// All kinds of paths that the host asks the disk to make lasting; folders end with a slash. The page
/// `host/docs/storage.md` has them in a table.
const KINDS: [&str; 19] = [
    "/",
    "DATA/",
    "DATA/format.unfinished",
    "DATA/id.unfinished",
    "DATA/system/",
    "DATA/system/current.unfinished",
    "DATA/system/*/",
    "DATA/system/*/log.unfinished",
    "DATA/system/*/log/",
    "DATA/system/*/log/next.tmp",
    "DATA/system/*/log/*.log",
    "DATA/modules/",
    "DATA/modules/*.unfinished",
    "DATA/log-*.unfinished",
    "DATA/log-*/",
    "DATA/log-*/next.tmp",
    "DATA/log-*/*.log",
    "DATA/state/",
    "DATA/state/**",
];

fn path(rig: &Rig, pattern: &str) -> String {
    let data = rig.host.data();
    let name = data.file_name().expect("the data folder has a name").to_string_lossy().into_owned();
    pattern.replace("DATA", &name)
}

/// Returns true if both logs have their next segment ready.
fn have_spares(data: &Path) -> anyhow::Result<bool> {
    let is_log = |path: &PathBuf| {
        path.is_dir() && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log"))
    };
    let below =
        |folder: &Path| anyhow::Ok(std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect::<Vec<_>>());
    let mut folders = below(data)?;
    for system in below(&data.join("system"))? {
        folders.extend(if system.is_dir() { below(&system)? } else { Vec::new() });
    }
    let mut logs = 0;
    for log in folders.iter().filter(|path| is_log(path)) {
        let segments = below(log)?.into_iter().filter(|path| path.extension().is_some_and(|it| it == "log")).count();
        logs += usize::from(segments >= 2);
    }
    Ok(logs == 2)
}

/// Starts a host, lets it acknowledge an id, a deployment and documents, cuts the power, and asks for all of it.
async fn live(rig: &mut Rig, survival: Survival, counter: &[u8]) -> anyhow::Result<()> {
    rig.start().context("first start")?;
    rig.host.client().deploy(counter, None).await;
    for number in 0..COUNTERS {
        let link = format!("c{number}");
        rig.host.client().post("/core/counters", &json!({ "documentSelfLink": link })).await.expect(201);
        rig.host.client().patch(&format!("/core/counters/{link}"), &json!({})).await.expect(200);
    }
    // The next segments are prepared without haste, and are what a lie about their fsync harms.
    wait::until("the logs have their next segments", || async {
        have_spares(&rig.host.data()).ok().filter(|have| *have)
    })
    .await;
    rig.cut_power(survival, &mut Random::new(1));
    rig.start().context("start after the power cut")?;
    for number in 0..COUNTERS {
        let found = rig.host.client().get(&format!("/core/counters/c{number}")).await;
        ensure!(found.status == 200, "document {number} is lost: {}", found.status);
        ensure!(found.json()["documentVersion"] == 1, "document {number} is old: {}", found.json());
    }
    Ok(())
}

/// Lets a host live on a disk that lies about one kind of fsync: something must be wrong then.
async fn is_needed(call: Call, pattern: String, survival: Survival) {
    let Some(mut rig) = Rig::new(&[]) else { return };
    let counter = component("counter").await;
    rig.disk.set_faults(vec![Fault::always(call, &path(&rig, &pattern), Wrong::Lies)]);
    let lived = AssertUnwindSafe(live(&mut rig, survival, &counter)).catch_unwind().await;
    assert!(rig.disk.struck() > 0, "{pattern} was not fsynced at all");
    let said = match lived {
        Ok(Ok(())) => panic!("nobody misses {call:?} of {pattern}"),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "a request was answered otherwise than it must be".to_owned(),
    };
    println!("{call:?} of {pattern}: {said}");
}

/// Carries out lives at the same time: each is in no hurry for seconds, as its logs prepare their next segments.
async fn all<L: Future<Output = ()> + Send + 'static>(lives: impl IntoIterator<Item = L>) {
    let mut running: JoinSet<()> = lives.into_iter().collect();
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            resume_unwind(error.into_panic());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_keeps_its_word_loses_nothing() {
    all([Survival::NOTHING, Survival::NAMES].map(|survival| async move {
        let Some(mut rig) = Rig::new(&OWN_CODE) else { return };
        let counter = component("counter").await;
        live(&mut rig, survival, &counter).await.unwrap_or_else(|error| panic!("{survival:?}: {error:#}"));
        for synced in rig.disk.synced() {
            let known = KINDS.iter().any(|kind| matches(&path(&rig, kind), &synced));
            assert!(known, "{synced} is fsynced and of no known kind: add it here and to storage.md");
        }
    }))
    .await;
}

#[test]
fn every_kind_of_fsync_is_in_the_page() {
    let page = std::fs::read_to_string(repository().join("host/docs/storage.md")).expect("the page can be read");
    for kind in KINDS {
        assert!(page.contains(&format!("`{kind}`")), "`{kind}` is not in host/docs/storage.md");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fsync_of_a_replaced_file_is_needed() {
    let files = [
        "DATA/format.unfinished",
        "DATA/id.unfinished",
        "DATA/system/current.unfinished",
        "DATA/system/*/log.unfinished",
        "DATA/log-*.unfinished",
        "DATA/modules/*.unfinished",
    ];
    all(files.map(|file| is_needed(Call::SyncFile, file.to_owned(), Survival::NAMES))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fsync_of_the_folder_of_a_replaced_file_is_needed() {
    let folders = ["DATA/system", "DATA/modules"];
    all(folders.map(|folder| is_needed(Call::SyncFolder, folder.to_owned(), Survival::NOTHING))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fsync_of_the_folder_above_a_new_folder_is_needed() {
    let folders = ["", "DATA", "DATA/system/*"];
    all(folders.map(|folder| is_needed(Call::SyncFolder, folder.to_owned(), Survival::NOTHING))).await;
}

/// The folders of both logs.
const LOGS: [&str; 2] = ["DATA/log-*", "DATA/system/*/log"];

#[tokio::test(flavor = "multi_thread")]
async fn the_fsyncs_of_a_new_segment_are_needed() {
    let kinds = LOGS.map(|log| [(Call::SyncFile, format!("{log}/next.tmp")), (Call::SyncFolder, log.to_owned())]);
    all(kinds.into_iter().flatten().map(|(call, path)| is_needed(call, path, Survival::NOTHING))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fsync_of_each_group_of_a_log_is_needed() {
    all(LOGS.map(|log| is_needed(Call::SyncFile, format!("{log}/*.log"), Survival::NOTHING))).await;
}

/// Updates one after the other fill a block of the log each, and hardly anything of the state store: of its journal nothing
/// has become a table when the log lets go of its beginning.
const BLOCKS: usize = (64 << 20) / 4096 + 500;

/// Writes more than the log keeps, and returns once the log has let go of its beginning.
async fn outgrow(rig: &Rig) -> anyhow::Result<u64> {
    let client = rig.host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    for _ in 0..BLOCKS {
        client.patch("/core/counters/c", &json!({})).await.expect(200);
    }
    let log = std::fs::read_dir(rig.host.data())?.flatten();
    let log =
        log.into_iter().find(|entry| entry.file_name().to_string_lossy().starts_with("log-") && entry.path().is_dir());
    let first = log.context("the folder of the log")?.path().join(format!("{:016x}.log", 1));
    // One more, so that there is something to make a checkpoint for.
    wait::until("the log has let go of its beginning", || async {
        client.patch("/core/counters/c", &json!({})).await.expect(200);
        (!first.exists()).then_some(())
    })
    .await;
    Ok(client.get("/core/counters/c").await.expect(200).json()["count"].as_u64().unwrap_or_default())
}

async fn outlive(rig: &mut Rig, counter: &[u8]) -> anyhow::Result<()> {
    rig.start()?;
    rig.host.client().deploy(counter, None).await;
    let count = outgrow(rig).await?;
    rig.cut_power(Survival::NOTHING, &mut Random::new(1));
    rig.start().context("start after the power cut")?;
    let found = rig.host.client().get("/core/counters/c").await;
    ensure!(found.status == 200, "the document is lost: {}", found.status);
    ensure!(found.json()["count"].as_u64() >= Some(count), "the document is old: {}", found.json());
    Ok(())
}

/// Lets a host outlive a power cut on a disk that lies about this kind of fsync, or keeps its word.
async fn checkpoint(lie: Option<(Call, &'static str)>) {
    let Some(mut rig) = Rig::new(&["--backlog", "0"]) else { return };
    let counter = component("counter").await;
    let fault = lie.map(|(call, pattern)| Fault::always(call, &path(&rig, pattern), Wrong::Lies));
    rig.disk.set_faults(fault.into_iter().collect());
    let lived = AssertUnwindSafe(outlive(&mut rig, &counter)).catch_unwind().await;
    match (lie, lived) {
        (None, Ok(lived)) => lived.expect("a disk that keeps its word loses nothing"),
        (None, Err(panic)) => resume_unwind(panic),
        (Some((_, pattern)), Ok(Ok(()))) => panic!("nobody misses the fsync of {pattern}"),
        (Some((_, pattern)), _) => assert!(rig.disk.struck() > 0, "{pattern} was not fsynced at all"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fsyncs_of_a_checkpoint_are_needed() {
    let lies = [(Call::SyncFile, "DATA/state/*.jnl"), (Call::SyncFolder, "DATA/state/keyspaces")];
    all([None].into_iter().chain(lies.map(Some)).map(checkpoint)).await;
}
