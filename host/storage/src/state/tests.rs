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

/// Has the engine fail, as after a failed write.
fn fail(store: &FjallStore) {
    let engine = store.engine().expect("it is open");
    store.give_up(engine, &Error::Unavailable("a write failed".into()));
}

#[test]
fn readers_open_a_store_that_gave_up_and_its_instance_is_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("state")).store;
    put(&store, b"a", b"1");
    let instance = store.instance();
    fail(&store);
    assert_eq!(get(&store, b"a"), Some(Bytes::from("1")));
    assert_eq!(store.instance(), instance + 1);
    let mut stale = Batch::after_reads_of(instance);
    stale.put(Family::Meta, b"b".to_vec(), "2");
    assert!(matches!(store.write(stale), Err(Error::Unavailable(_))));
    assert_eq!(get(&store, b"b"), None);
    fail(&store);
    put(&store, b"b", b"2");
    fail(&store);
    store.checkpoint().expect("a checkpoint");
    assert_eq!(store.instance(), instance + 3);
}

#[test]
fn a_store_that_gave_up_comes_back_once_its_readers_let_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("state")).store;
    put(&store, b"a", b"1");
    let view = store.view().expect("a view");
    fail(&store);
    assert!(matches!(store.get(Family::Meta, b"a"), Err(Error::Unavailable(_))));
    std::thread::scope(|scope| {
        // One of them waits for the reader, the others are told so at once.
        let reads: Vec<_> = (0..4).map(|_| scope.spawn(|| store.get(Family::Meta, b"a"))).collect();
        assert!(reads.into_iter().all(|read| matches!(read.join(), Ok(Err(Error::Unavailable(_))))));
    });
    assert_eq!(view.get(Family::Meta, b"a").expect("an open view goes on"), Some(Bytes::from("1")));
    drop(view);
    assert_eq!(get(&store, b"a"), Some(Bytes::from("1")));
}

fn is_lasting_error<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Lasting { .. }))
}

#[test]
fn nothing_opens_a_store_after_a_failed_fsync() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("state")).store;
    put(&store, b"a", b"1");
    assert!(store.unusable().is_none());
    let engine = store.engine().expect("it is open");
    store.give_up(engine, &Error::Lasting { source: std::io::Error::other("the disk refuses") });
    assert!(is_lasting_error(&store.get(Family::Meta, b"a")), "what memory says need not be on the disk");
    assert!(is_lasting_error(&store.write(Batch::new())) && is_lasting_error(&store.checkpoint()));
    assert!(store.unusable().is_some_and(|error| error.to_string().contains("the disk refuses")));
}

#[test]
fn a_reader_whose_opening_cannot_be_made_lasting_is_the_last_that_tries() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let store = open(&path).store;
    put(&store, b"a", b"1");
    fail(&store);
    // Journals are written and fsynced anew before they are read: a folder is no such file.
    std::fs::create_dir(path.join("999.jnl")).expect("a folder");
    assert!(is_lasting_error(&store.get(Family::Meta, b"a")));
    std::fs::remove_dir(path.join("999.jnl")).expect("it is empty");
    assert!(is_lasting_error(&store.get(Family::Meta, b"a")), "a second try may say that all is well");
    assert!(store.unusable().is_some());
    drop(store);
    assert_eq!(get(&open(&path).store, b"a"), Some(Bytes::from("1")));
}

#[test]
fn a_store_that_lost_a_checkpoint_when_it_was_opened_again_is_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let store = open(&path).store;
    put(&store, b"a", b"1");
    store.checkpoint().expect("a checkpoint");
    fail(&store);
    std::fs::remove_dir_all(path.join("keyspaces")).expect("it can be removed");
    assert!(matches!(store.get(Family::Meta, b"a"), Err(Error::Damaged(_))), "an empty store is not what it was");
    assert!(store.unusable().is_some_and(|error| error.is_damage()), "somebody looks after it");
    assert!(store.damage().is_none(), "and does not condemn what a start may repair");
}

#[test]
fn what_a_process_left_behind_is_written_once_more_unless_it_closed_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let store = open(&path).store;
    put(&store, b"a", b"1");
    drop(store);
    assert!(notes::take_closed(&path).expect("readable"), "an orderly end is noted");
    let store = open(&path).store;
    assert!(!notes::take_closed(&path).expect("readable"), "the note goes when the store is opened");
    assert_eq!(get(&store, b"a"), Some(Bytes::from("1")));
}

/// Returns a store with a value in a blob file, closed, and that file.
fn with_blob(path: &Path) -> std::path::PathBuf {
    let options = Options { write_buffer_bytes: 64 << 10, ..Options::default() };
    let store = FjallStore::open(path, options).expect("it opens");
    let blobs = || {
        let keyspaces = std::fs::read_dir(path.join("keyspaces")).expect("readable").flatten();
        let files = keyspaces.filter_map(|keyspace| std::fs::read_dir(keyspace.path().join("blobs")).ok());
        files.flatten().flatten().map(|file| file.path()).next()
    };
    let file = (0_u32..).find_map(|number| {
        put(&store, &number.to_be_bytes(), &[7; 20_000]);
        blobs()
    });
    store.checkpoint().expect("a checkpoint");
    file.expect("a full buffer is flushed")
}

fn first_damage(store: &FjallStore) -> Error {
    let view = store.view().expect("a view");
    let mut rows = view.scan(Family::Meta, KeyRange::prefix(&[]), Order::Ascending);
    let error = rows.find_map(Result::err).expect("a row is damaged");
    assert!(rows.next().is_none(), "nothing comes behind damage");
    error
}

#[test]
fn a_damaged_blob_is_damage_wherever_it_is_met() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let blob = with_blob(&path);
    damage_run(&blob);
    let opened = open(&path);
    assert!(first_damage(&opened.store).is_damage());
    assert!(opened.store.damage().is_some(), "damage is remembered");
    let met = (0_u32..100).find_map(|number| opened.store.get(Family::Meta, &number.to_be_bytes()).err());
    assert!(met.is_some_and(|error| error.is_damage()));
    put(&opened.store, b"other", b"goes on");
    assert_eq!(get(&opened.store, b"other"), Some(Bytes::from("goes on")));
}

/// Turns all bits of some bytes in the middle of a value around.
fn damage_run(file: &Path) {
    let mut bytes = std::fs::read(file).expect("readable");
    let at = bytes.windows(1000).position(|window| window.iter().all(|byte| *byte == 7)).expect("a value is there");
    bytes[at + 100..at + 200].fill(0);
    std::fs::write(file, bytes).expect("writable");
}

#[test]
fn a_removed_blob_folder_is_damage_and_no_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let blob = with_blob(&path);
    std::fs::remove_dir_all(blob.parent().expect("a folder")).expect("it can be removed");
    let opened = open(&path);
    if opened.was_reset.is_none() {
        assert!(first_damage(&opened.store).is_damage());
    }
}

#[test]
fn a_condemned_store_is_put_aside_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let opened = open(&path);
    put(&opened.store, b"a", b"1");
    opened.store.condemn("a blob is damaged").expect("it is noted");
    assert_eq!(get(&opened.store, b"a"), Some(Bytes::from("1")), "until then it goes on");
    drop(opened);
    let opened = open(&path);
    assert_eq!(opened.was_reset.expect("it was reset").reason, "a blob is damaged");
    assert_eq!(get(&opened.store, b"a"), None);
    drop(opened.store);
    assert!(open(&path).was_reset.is_none(), "once");
}
