use std::path::Path;

use super::*;

fn put(store: &FjallStore, key: &[u8], value: &[u8]) {
    let mut batch = Batch::new();
    batch.put(Family::Meta, key.to_vec(), value.to_vec());
    store.write(batch).expect("the store takes writes");
}

fn get(store: &FjallStore, key: &[u8]) -> Option<Bytes> {
    store.get(Family::Meta, key).expect("the store can be read")
}

fn open(path: &Path) -> Opened {
    open_or_reset(path, &Options::default()).expect("it opens")
}

/// Returns the journal of a closed store.
fn journal(path: &Path) -> std::path::PathBuf {
    marks::cuts(path).expect("readable").expect("there is a journal").0
}

/// Turns the first occurrence of `text` around.
fn damage(file: &Path, text: &[u8]) {
    let mut bytes = std::fs::read(file).expect("readable");
    let at = bytes.windows(text.len()).position(|window| window == text).expect("the text is there");
    bytes[at..at + text.len()].reverse();
    std::fs::write(file, bytes).expect("writable");
}

#[test]
fn fjall_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut number = 0;
    conformance::examine(&mut || {
        number += 1;
        let path = folder.path().join(number.to_string());
        Box::new(FjallStore::open(path, Options::default()).expect("it opens"))
    });
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let opened = open(&path);
    put(&opened.store, b"a", b"1");
    opened.store.checkpoint().expect("a checkpoint");
    put(&opened.store, b"b", b"2");
    assert!(FjallStore::open(&path, Options::default()).is_err(), "a store is opened once");
    drop(opened);
    let opened = open(&path);
    assert!(opened.was_reset.is_none() && opened.was_repaired.is_none());
    assert_eq!(get(&opened.store, b"a"), Some(Bytes::from("1")));
    assert_eq!(get(&opened.store, b"b"), Some(Bytes::from("2")));
}

#[test]
fn a_journal_damaged_behind_the_checkpoint_is_cut_back_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let opened = open(&path);
    put(&opened.store, b"a", b"checkpointed");
    opened.store.checkpoint().expect("a checkpoint");
    put(&opened.store, b"b", b"only in the journal");
    drop(opened);
    damage(&journal(&path), b"only in the journal");
    let opened = open(&path);
    assert!(opened.was_reset.is_none());
    assert!(opened.was_repaired.is_some());
    assert_eq!(get(&opened.store, b"a"), Some(Bytes::from("checkpointed")));
    assert_eq!(get(&opened.store, b"b"), None);
    put(&opened.store, b"c", b"3");
    drop(opened);
    assert_eq!(get(&open(&path).store, b"c"), Some(Bytes::from("3")));
}

#[test]
fn a_store_damaged_before_the_checkpoint_is_moved_aside_as_a_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let opened = open(&path);
    put(&opened.store, b"a", b"written before the mark");
    opened.store.checkpoint().expect("a checkpoint");
    drop(opened);
    let journal = journal(&path);
    damage(&journal, b"written before the mark");
    let damaged = std::fs::read(&journal).expect("readable");
    let opened = open(&path);
    let reset = opened.was_reset.expect("it was reset");
    assert_eq!(reset.moved_to, folder.path().join("state.damaged-1"));
    let kept = std::fs::read(reset.moved_to.join(journal.file_name().expect("a name"))).expect("readable");
    assert!(kept.starts_with(damaged.trim_ascii_end()) || damaged.starts_with(&kept), "nothing is deleted");
    assert_eq!(get(&opened.store, b"a"), None);
}

#[test]
fn a_store_that_forgot_a_checkpoint_is_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let opened = open(&path);
    opened.store.checkpoint().expect("a checkpoint");
    drop(opened);
    std::fs::remove_dir_all(path.join("keyspaces")).expect("it can be removed");
    let opened = open(&path);
    assert!(opened.was_reset.is_some());
    put(&opened.store, b"a", b"1");
}

#[test]
fn a_full_disk_refuses_writes_and_goes_on_reading() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let store = open(&path).store;
    put(&store, b"a", b"1");
    drop(store);
    let greedy = Options { reserve_bytes: u64::MAX, ..Options::default() };
    let store = open_or_reset(&path, &greedy).expect("it opens").store;
    assert!(matches!(store.write(Batch::new()), Err(Error::Full { needed: u64::MAX, .. })));
    assert!(matches!(store.checkpoint(), Err(Error::Full { .. })));
    assert_eq!(get(&store, b"a"), Some(Bytes::from("1")));
}
