//! Every fsync of the host is needed: if the disk answers one kind of them without doing anything, a test fails.
//!
//! A kind is a call and a pattern of paths, in which `DATA` stands for the data folder. For each kind, a test here lets
//! the disk lie about it, or an entry in `host/docs/storage.md` names the test elsewhere.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use futures_util::FutureExt as _;
use serde_json::json;
use steward_tests::build::repository;
use steward_tests::disk::{Call, Fault, Survival, Wrong, matches};
use steward_tests::wait;

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

/// Returns what is wrong after a life on a disk that lies about one kind of fsync.
async fn complaint(call: Call, pattern: &str, survival: Survival) -> Option<String> {
    let mut rig = Rig::new(&[])?;
    let counter = component("counter").await;
    rig.disk.set_faults(vec![Fault::always(call, &path(&rig, pattern), Wrong::Lies)]);
    let lived = AssertUnwindSafe(live(&mut rig, survival, &counter)).catch_unwind().await;
    assert!(rig.disk.struck() > 0, "{pattern} was not fsynced at all");
    match lived {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("{error:#}")),
        Err(_) => Some("a request was answered otherwise than it must be".to_owned()),
    }
}

async fn is_needed(call: Call, pattern: &str, survival: Survival) {
    let Some(rig) = Rig::new(&[]) else { return };
    drop(rig);
    let complaint = complaint(call, pattern, survival).await;
    let said = complaint.unwrap_or_else(|| panic!("nobody misses {call:?} of {pattern}"));
    println!("{call:?} of {pattern}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_keeps_its_word_loses_nothing() {
    for survival in [Survival::NOTHING, Survival::NAMES] {
        let Some(mut rig) = Rig::new(&[]) else { return };
        let counter = component("counter").await;
        live(&mut rig, survival, &counter).await.unwrap_or_else(|error| panic!("{survival:?}: {error:#}"));
        for synced in rig.disk.synced() {
            let known = KINDS.iter().any(|kind| matches(&path(&rig, kind), &synced));
            assert!(known, "{synced} is fsynced and of no known kind: add it here and to storage.md");
        }
    }
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
    for pattern in [
        "DATA/format.unfinished",
        "DATA/id.unfinished",
        "DATA/system/current.unfinished",
        "DATA/system/*/log.unfinished",
        "DATA/log-*.unfinished",
        "DATA/modules/*.unfinished",
    ] {
        is_needed(Call::SyncFile, pattern, Survival::NAMES).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fsync_of_the_folder_of_a_replaced_file_is_needed() {
    for pattern in ["DATA/system", "DATA/modules"] {
        is_needed(Call::SyncFolder, pattern, Survival::NOTHING).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fsync_of_the_folder_above_a_new_folder_is_needed() {
    for pattern in ["", "DATA", "DATA/system/*"] {
        is_needed(Call::SyncFolder, pattern, Survival::NOTHING).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fsyncs_of_a_new_segment_are_needed() {
    for log in ["DATA/log-*", "DATA/system/*/log"] {
        is_needed(Call::SyncFile, &format!("{log}/next.tmp"), Survival::NOTHING).await;
        is_needed(Call::SyncFolder, log, Survival::NOTHING).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fsync_of_each_group_of_a_log_is_needed() {
    for log in ["DATA/log-*", "DATA/system/*/log"] {
        is_needed(Call::SyncFile, &format!("{log}/*.log"), Survival::NOTHING).await;
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn the_fsyncs_of_a_checkpoint_are_needed() {
    let flags = ["--backlog", "0"];
    let Some(mut rig) = Rig::new(&flags) else { return };
    let counter = component("counter").await;
    outlive(&mut rig, &counter).await.expect("a disk that keeps its word loses nothing");
    for (call, pattern) in [(Call::SyncFile, "DATA/state/*.jnl"), (Call::SyncFolder, "DATA/state/keyspaces")] {
        let Some(mut rig) = Rig::new(&flags) else { return };
        rig.disk.set_faults(vec![Fault::always(call, &path(&rig, pattern), Wrong::Lies)]);
        let lived = AssertUnwindSafe(outlive(&mut rig, &counter)).catch_unwind().await;
        assert!(!matches!(lived, Ok(Ok(()))), "nobody misses the fsync of {pattern}");
        assert!(rig.disk.struck() > 0, "{pattern} was not fsynced at all");
    }
}
