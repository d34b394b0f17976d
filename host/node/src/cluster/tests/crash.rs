//! What a kill at a bad moment leaves, and that the next start copes with it.

use std::fs;
use std::path::Path;

use openraft::Vote;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use steward_model::Boot;
use tempfile::TempDir;

use super::{accept, config, copy, entry, incarnation, set, started, store_in};

#[tokio::test]
async fn folder_of_a_killed_process_holds_everything_that_was_answered() {
    let folder = TempDir::new().expect("a folder");
    let copies = TempDir::new().expect("a folder");
    let system = started(folder.path()).await;
    for number in 0..4 {
        accept(&system, set("counter", &number.to_string())).await;
        // Nobody was told to stop: this is what is on disk if the process dies here.
        let killed = copies.path().join(number.to_string());
        copy(folder.path(), &killed);
        let again = started(&killed).await;
        assert_eq!(config(&again, "counter"), Some(number.to_string()));
        assert_eq!(again.boot, Boot(2));
        again.control.stop().await;
    }
    system.control.stop().await;
}

#[tokio::test]
async fn command_that_was_on_disk_and_never_applied_is_applied_at_the_next_start() {
    let folder = TempDir::new().expect("a folder");
    let system = started(folder.path()).await;
    accept(&system, set("limit", "7")).await;
    system.control.stop().await;
    let mut store = store_in(folder.path());
    let last = store.get_log_state().await.expect("a state").last_log_id.expect("entries");
    let appended = entry(last.leader_id.term, last.index + 1, set("limit", "8"));
    store.blocking_append([appended]).await.expect("appended");
    store.journal().close();
    let again = started(folder.path()).await;
    assert_eq!(config(&again, "limit").as_deref(), Some("8"));
    again.control.stop().await;
}

#[tokio::test]
async fn interrupted_election_is_held_again() {
    let folder = TempDir::new().expect("a folder");
    started(folder.path()).await.control.stop().await;
    let mut store = store_in(folder.path());
    store.save_vote(&Vote::new(9, 1)).await.expect("saved");
    store.journal().close();
    let again = started(folder.path()).await;
    assert_eq!(again.boot, Boot(2));
    again.control.stop().await;
}

#[tokio::test]
async fn half_written_command_at_the_end_of_the_log_is_dropped() {
    let folder = TempDir::new().expect("a folder");
    let system = started(folder.path()).await;
    accept(&system, set("limit", "7")).await;
    accept(&system, set("torn", &"x".repeat(3000))).await;
    system.control.stop().await;
    tear_last_group(&incarnation(folder.path()).join("log"));
    let again = started(folder.path()).await;
    assert_eq!((config(&again, "limit").as_deref(), config(&again, "torn")), (Some("7"), None));
    accept(&again, set("limit", "8")).await;
    again.control.stop().await;
}

/// Leaves only the first sector of the last group, as a power cut may.
fn tear_last_group(log: &Path) {
    let mut segments: Vec<_> = fs::read_dir(log).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    segments.sort();
    let mut written = segments.into_iter().rev().filter_map(|path| {
        let bytes = fs::read(&path).expect("a segment");
        let end = bytes.iter().rposition(|byte| *byte != 0)?;
        (end >= 4096).then_some((path, bytes, end))
    });
    let (path, mut bytes, end) = written.next().expect("a segment with groups");
    let block = end / 4096 * 4096;
    bytes[block + 512..].fill(0);
    fs::write(path, bytes).expect("written");
}
