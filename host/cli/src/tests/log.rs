//! Tests of `log`, on folders as a stopped node leaves them.

use std::path::{Path, PathBuf};

use steward_model::node::StoreId;
use steward_model::partition::SelectorId;
use steward_model::update::{Change, Entry, Origin, Record, RequestId, Update};
use steward_model::{Document, Epoch, Lane, Link, Lsn, Offset, PartitionId, Position, Version, codec};
use steward_replication::checkpoint::Row;
use steward_storage::format::DataFolder;
use steward_storage::log::{FileLedger, FolderDisk, Frame, FrameKind, Listener, Log, Options};

use super::*;

struct Deaf;

impl Listener for Deaf {
    fn persisted(&self, _through: Lsn, _ends: &[(PartitionId, Position)]) {}
}

fn silent(_: &str, _: &str) -> Reply {
    panic!("the command asks no host")
}

fn at(offset: u64) -> Position {
    Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(offset) }
}

fn partition() -> PartitionId {
    PartitionId { selector: SelectorId(0), lane: Lane::Persisted, index: 141 }
}

fn record(offset: u64, entry: Entry) -> Frame {
    let record = Record { position: at(offset), previous: Epoch::ZERO, entry };
    Frame::record(partition(), at(offset), codec::encode(&record).into())
}

fn update(offset: u64, link: &str) -> Frame {
    let document = Document {
        kind: "counter".into(),
        version: Version(offset),
        epoch: at(offset).epoch,
        offset: Offset(offset),
        state_version: 1,
        body: Bytes::from_static(b"{}"),
        ..Document::bare(Link::parse(link).expect("a valid link"), Timestamp(NOW))
    };
    let update = Update {
        change: Change::NewVersion,
        request: RequestId::of("r"),
        origin: Origin::default(),
        document,
        keep_versions: None,
        effects: vec![],
        settled: vec![],
        remembered: None,
    };
    record(offset, Entry::Update(Box::new(update)))
}

/// Returns a sandbox and in it the data folder of a node that was killed.
fn left_behind() -> (tempfile::TempDir, PathBuf) {
    let sandbox = tempfile::tempdir().expect("a folder");
    let path = sandbox.path().join("8000");
    let data = DataFolder::open(&path, Timestamp(NOW), StoreId(7)).expect("a new folder");
    let disk = Arc::new(FolderDisk::new(data.log_path()).expect("a folder"));
    let ledger = Arc::new(FileLedger::new(data.log_ledger_path()));
    let identity = data.log_identity();
    let options = Options { segment_bytes: 1 << 20, identity, ledger: Some(ledger), ..Options::default() };
    let log = Log::open(disk, options, &mut |_, _| Ok(())).expect("a new log").log;
    let promise = Frame::of_partition(FrameKind::Promise, partition(), codec::encode(&at(0).epoch).into());
    let rows =
        vec![Row { partition: partition(), promised: at(0).epoch, applied: Some(at(1)), latest: Timestamp(NOW) }];
    let checkpoint = Frame::of_node(FrameKind::Checkpoint, codec::encode(&rows).into());
    let long = "/core/counters/a-name-that-is-too-long-for-the-line";
    let groups = [vec![promise], vec![record(0, Entry::Marker), update(1, "/core/counters/clicks")], vec![checkpoint]];
    for group in groups.into_iter().chain([vec![update(2, long)]]) {
        log.append(&group).expect("there is space");
        log.drive(&Deaf).expect("the disk works");
    }
    (sandbox, path)
}

fn words<'a>(path: &'a Path, flags: &[&'a str]) -> Vec<&'a str> {
    let path = path.to_str().expect("UTF-8");
    ["log", path].into_iter().chain(flags.iter().copied()).collect()
}

fn segment(path: &Path) -> PathBuf {
    let data = DataFolder::look(path).expect("nobody uses it");
    data.log_path().join("0000000000000001.log")
}

#[tokio::test]
async fn segments_are_listed_in_80_columns() {
    let (_sandbox, path) = left_behind();
    let seen = run(&words(&path, &[]), silent).await;
    assert_eq!(seen.exit, 0, "{}", seen.talk);
    let expected = "\
SEGMENT      BYTES    USED  FIRST  LAST  STATE
      1  1,048,576  20,480      1     5  whole
      2  1,048,576   4,096      –     –  unused, made ahead
";
    assert_eq!(seen.data, expected);
    assert!(seen.talk.contains("5 frames; the ledger notes segments 1 to 2"), "{}", seen.talk);
    assert!(seen.requests.is_empty());
}

#[tokio::test]
async fn frames_say_what_they_hold_in_80_columns() {
    let (_sandbox, path) = left_behind();
    let seen = run(&words(&path, &["--frames"]), silent).await;
    let lines: Vec<_> = seen.data.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "     LSN  KIND        PART  POSITION      BYTES  SAYS",
            "       1  promise      141  –                37  epoch 1",
            "       2  record       141  1@0              42  marker, a reign begins",
            lines[3],
            "       4  checkpoint     –  –                55  partitions: 1, 1 with data",
            lines[5],
        ]
    );
    assert!(lines[3].ends_with("v1 patch /core/counters/clicks"), "{}", lines[3]);
    assert!(lines[5].ends_with("v2 patch …too-long-for-the-line"), "{}", lines[5]);
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{}", seen.data);
}

#[tokio::test]
async fn frames_are_chosen_by_place_partition_and_document() {
    let (_sandbox, path) = left_behind();
    for (flags, lsns) in [
        (&["--from", "4"][..], &[4, 5][..]),
        (&["--partition", "141"], &[1, 2, 3, 4, 5]),
        (&["--partition", "0/persisted/7"], &[]),
        (&["--link", "/core/counters/clicks"], &[3]),
    ] {
        let seen = run(&words(&path, &[&["-o", "json"], flags].concat()), silent).await;
        assert_eq!(seen.exit, 0, "{}", seen.talk);
        let objects: Vec<Value> =
            seen.data.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
        let found: Vec<u64> = objects.iter().filter_map(|object| object["lsn"].as_u64()).collect();
        assert_eq!(found, lsns, "{flags:?}");
        assert_eq!(objects.iter().filter(|object| object["type"] == "segment").count(), 2);
    }
    let seen = run(&words(&path, &["--link", "/core/counters/clicks", "-o", "json"]), silent).await;
    let first: Value = serde_json::from_str(seen.data.lines().next().expect("a line")).expect("an object");
    assert_eq!((&first["says"]["change"], &first["says"]["version"]), (&json!("PATCH"), &json!(1)));
    let seen = run(&words(&path, &["--partition", "141", "--from", "4"]), silent).await;
    assert!(seen.data.contains("applied 1@1, promised 1"), "{}", seen.data);
}

#[tokio::test]
async fn a_damaged_log_is_shown_and_fails_the_command() {
    let (_sandbox, path) = left_behind();
    let segment = segment(&path);
    let mut bytes = std::fs::read(&segment).expect("a segment");
    bytes[2 * 4096 + 100] ^= 1;
    std::fs::write(&segment, bytes).expect("writable");
    let seen = run(&words(&path, &["--frames"]), silent).await;
    assert_eq!(seen.exit, 1);
    assert!(seen.data.contains("damaged at byte 8192"), "{}", seen.data);
    assert!(seen.data.contains("checkpoint"), "what stands behind is shown: {}", seen.data);
    assert!(seen.talk.contains("a frame was changed after it was written"), "{}", seen.talk);
}

#[tokio::test]
async fn folders_that_are_none_are_refused_with_a_way_out() {
    let (sandbox, path) = left_behind();
    let held = DataFolder::open(&path, Timestamp(NOW), StoreId(7)).expect("it is free");
    let seen = run(&words(&path, &[]), silent).await;
    assert_eq!((seen.exit, seen.data.as_str()), (8, ""));
    assert!(seen.talk.contains("error[folder-in-use]") && seen.talk.contains("stop it first"), "{}", seen.talk);
    drop(held);
    let seen = run(&words(sandbox.path(), &[]), silent).await;
    assert_eq!(seen.exit, 5);
    assert!(seen.talk.contains("steward log") && seen.talk.contains("8000"), "{}", seen.talk);
    let seen = run(&words(&path, &["--system"]), silent).await;
    assert_eq!(seen.exit, 5);
    assert!(seen.talk.contains("no system group has begun"), "{}", seen.talk);
    let data = DataFolder::look(&path).expect("nobody uses it");
    std::fs::remove_dir_all(data.log_path()).expect("removable");
    std::fs::remove_file(data.log_ledger_path()).expect("removable");
    drop(data);
    let seen = run(&words(&path, &[]), silent).await;
    assert_eq!(seen.exit, 5);
    assert!(seen.talk.contains("there is no commit log"), "{}", seen.talk);
}
