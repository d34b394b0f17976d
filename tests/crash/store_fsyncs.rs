//! Fsyncs of the state store that share their kind of file with others: a disk that lies about the kind does not single them out.
//!
//! Here the store runs alone, on a disk that keeps its word and loses at a power cut all that was not fsynced. Each test fails
//! without the one call that it is about.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use rustix::io::Errno;
use steward_storage::state::{Batch, Error, Family, FjallStore, Opened, Options, StateStore, open_or_reset};
use steward_tests::disk::{Call, Disk, Fault, Survival, Wrong};

use crate::Random;

/// So large the engine makes a journal when it begins it.
const JOURNAL_BYTES: u64 = 64 << 20;

/// So long the tests hold a table up: longer than a checkpoint takes.
const TABLE_FSYNC: Duration = Duration::from_secs(2);

/// A disk with a store on it.
struct Bench {
    disk: Disk,
}

impl Bench {
    /// Returns one whose store is empty; none where no disk can be mounted.
    fn new() -> Option<Bench> {
        Disk::mount().map(|disk| Bench { disk })
    }

    fn path(&self) -> PathBuf {
        self.disk.path().join("state")
    }

    /// Seals the journal that is written to and begins another one, as the engine does for want of room: a thread of its own may do so
    /// in the moment between a failed fsync and the end of the process, and its own fsync says that all is well.
    fn begin_journal(&self, name: &str) {
        let file = File::create_new(self.path().join(name)).expect("no journal has this name");
        file.set_len(JOURNAL_BYTES).and_then(|()| file.sync_all()).expect("the disk works");
        File::open(self.path()).and_then(|folder| folder.sync_all()).expect("the disk works");
    }

    fn open(&self) -> Opened {
        open_or_reset(&self.path(), &Options::default()).expect("it opens")
    }

    /// Ends the process that has the store, with a power cut, and switches the power on again.
    fn cut_power(&mut self, store: FjallStore) {
        self.disk.power_off(Survival::NOTHING, &mut Random::new(1), || {});
        drop(store);
        self.disk.power_on().expect("the disk can be mounted again");
    }
}

fn put(store: &FjallStore, key: &[u8]) {
    let mut batch = Batch::new();
    batch.put(Family::Meta, key.to_vec(), "value");
    store.write(batch).expect("the store takes writes");
}

fn has(store: &FjallStore, key: &[u8]) -> bool {
    store.get(Family::Meta, key).expect("the store can be read") == Some(Bytes::from("value"))
}

#[test]
fn the_names_of_a_new_store_are_there_before_its_first_checkpoint_says_so() {
    let Some(mut bench) = Bench::new() else { return };
    let store = bench.open().store;
    put(&store, b"a");
    store.checkpoint().expect("the disk works");
    bench.cut_power(store);
    let opened = bench.open();
    assert!(opened.was_reset.is_none() && has(&opened.store, b"a"), "a checkpoint was lost: {:?}", opened.was_reset);
}

#[test]
fn a_store_that_was_condemned_stays_so() {
    let Some(mut bench) = Bench::new() else { return };
    let store = bench.open().store;
    store.checkpoint().expect("the disk works");
    store.condemn("a blob is damaged").expect("the disk works");
    bench.cut_power(store);
    let reset = bench.open().was_reset.expect("it must not be used");
    assert_eq!(reset.reason, "a blob is damaged");
}

#[test]
fn a_store_that_was_put_aside_does_not_come_back_in_the_place_of_the_new_one() {
    let Some(mut bench) = Bench::new() else { return };
    let store = bench.open().store;
    store.checkpoint().expect("the disk works");
    // As in a data folder, where files beside the store are made lasting meanwhile.
    File::open(bench.disk.path()).and_then(|folder| folder.sync_all()).expect("the disk works");
    store.condemn("a blob is damaged").expect("the disk works");
    drop(store);
    let opened = bench.open();
    assert!(opened.was_reset.is_some());
    put(&opened.store, b"a");
    opened.store.checkpoint().expect("the disk works");
    // From here on the log lets go of what the new store holds.
    bench.cut_power(opened.store);
    let opened = bench.open();
    assert!(opened.was_reset.is_none() && has(&opened.store, b"a"), "a checkpoint was lost: {:?}", opened.was_reset);
}

#[test]
fn what_a_start_reads_after_a_failed_fsync_is_there_after_a_power_cut() {
    let Some(mut bench) = Bench::new() else { return };
    let store = bench.open().store;
    store.checkpoint().expect("the disk works");
    put(&store, b"a");
    bench.disk.set_faults(vec![Fault::once(Call::SyncFile, "state/*.jnl", 0, Wrong::Fails(Errno::IO))]);
    let refused = store.checkpoint();
    assert!(matches!(refused, Err(Error::Lasting { .. })), "{refused:?}");
    drop(store);
    bench.disk.set_faults(Vec::new());
    let store = bench.open().store;
    // The system believes that it is on the disk: the next fsync would say that all is well, and write nothing.
    assert!(has(&store, b"a"), "its memory still has it");
    bench.cut_power(store);
    let opened = bench.open();
    assert!(opened.was_reset.is_none() && has(&opened.store, b"a"), "what was read is lost: {:?}", opened.was_reset);
}

#[test]
fn what_a_start_reads_of_a_journal_that_was_sealed_after_a_failed_fsync_is_there_after_a_power_cut() {
    let Some(mut bench) = Bench::new() else { return };
    let store = bench.open().store;
    store.checkpoint().expect("the disk works");
    drop(store);
    // The engine cuts and fsyncs a journal that it reads for the first time, and not one that ends where its last batch does.
    let store = bench.open().store;
    put(&store, b"a");
    bench.disk.set_faults(vec![Fault::once(Call::SyncFile, "state/*.jnl", 0, Wrong::Fails(Errno::IO))]);
    let refused = store.checkpoint();
    assert!(matches!(refused, Err(Error::Lasting { .. })), "{refused:?}");
    drop(store);
    bench.begin_journal("1.jnl");
    // Sealed, it is read and never fsynced by the engine again; only a table that has the same makes it needless.
    let slow = Wrong::Slow(TABLE_FSYNC);
    bench.disk.set_faults(vec![Fault::always(Call::SyncFile, "state/keyspaces/**", slow)]);
    let store = bench.open().store;
    assert!(has(&store, b"a"), "its memory still has it");
    store.checkpoint().expect("the disk works");
    bench.cut_power(store);
    let opened = bench.open();
    assert!(opened.was_reset.is_none() && has(&opened.store, b"a"), "a checkpoint was lost: {:?}", opened.was_reset);
}
