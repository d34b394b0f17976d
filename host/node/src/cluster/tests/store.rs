//! Raft's log and vote, read again.

use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use openraft::{RaftLogReader, Vote};
use tempfile::TempDir;

use super::super::store::Store;
use super::{entry, set};

fn open(folder: &TempDir) -> Store {
    Store::open(&folder.path().join("log"), 7).expect("the log opens")
}

/// Closes `store` as the end of a process does.
fn close(store: Store) {
    store.journal().close();
}

async fn append(store: &mut Store, term: u64, indexes: std::ops::Range<u64>, value: &str) {
    let entries = indexes.map(|index| entry(term, index, set("key", value)));
    store.blocking_append(entries).await.expect("appended");
}

async fn told(store: &mut Store) -> Vec<(u64, u64)> {
    let entries = store.try_get_log_entries(..).await.expect("entries");
    entries.iter().map(|entry| (entry.log_id.leader_id.term, entry.log_id.index)).collect()
}

#[tokio::test]
async fn entries_and_vote_are_read_again() {
    let folder = TempDir::new().expect("a folder");
    let mut store = open(&folder);
    store.save_vote(&Vote::new(3, 1)).await.expect("saved");
    append(&mut store, 3, 0..3, "a").await;
    close(store);
    let mut store = open(&folder);
    assert_eq!(store.read_vote().await.expect("read"), Some(Vote::new(3, 1)));
    assert_eq!(told(&mut store).await, [(3, 0), (3, 1), (3, 2)]);
}

#[tokio::test]
async fn truncated_entries_do_not_return() {
    let folder = TempDir::new().expect("a folder");
    let mut store = open(&folder);
    append(&mut store, 1, 0..5, "a").await;
    store.truncate(entry(1, 3, set("key", "a")).log_id).await.expect("truncated");
    close(store);
    let mut store = open(&folder);
    assert_eq!(told(&mut store).await, [(1, 0), (1, 1), (1, 2)]);
    append(&mut store, 2, 3..4, "b").await;
    close(store);
    assert_eq!(told(&mut open(&folder)).await, [(1, 0), (1, 1), (1, 2), (2, 3)]);
}

#[tokio::test]
async fn purge_gives_segments_back_and_keeps_the_vote() {
    let folder = TempDir::new().expect("a folder");
    let segments = || std::fs::read_dir(folder.path().join("log")).expect("a folder").count();
    let mut store = open(&folder);
    store.save_vote(&Vote::new_committed(1, 1)).await.expect("saved");
    append(&mut store, 1, 0..60, &"x".repeat(200_000)).await;
    let before = segments();
    store.purge(entry(1, 57, set("key", "a")).log_id).await.expect("purged");
    let after = segments();
    assert!(before >= 4 && after < before, "{before} segments before the purge, {after} after it");
    close(store);
    let mut store = open(&folder);
    assert_eq!(store.read_vote().await.expect("read"), Some(Vote::new_committed(1, 1)));
    assert_eq!(told(&mut store).await, [(1, 58), (1, 59)]);
    let state = store.get_log_state().await.expect("a state");
    assert_eq!(state.last_purged_log_id.map(|id| id.index), Some(57));
}
