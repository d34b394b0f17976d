use bytes::Bytes;
use steward_model::Epoch;
use steward_model::document::UpdateAction;
use steward_model::update::{Change, Entry, Update};

use super::examples::{at, document, effect, link, partition, record, reply, update, updated};
use super::*;
use crate::index::{EveryScalar, ValueRange};
use crate::keys::index::Value;
use crate::state::{Batch, MemoryStore};

pub(super) fn fresh() -> PartitionStore {
    PartitionStore::new(Arc::new(MemoryStore::new()), 1, partition())
}

fn apply(store: &PartitionStore, records: &[Record]) -> Applied {
    store.apply(records, &EveryScalar).expect("the records follow")
}

fn put(link_text: &str, version: u64) -> Update {
    update(document(link_text, version, &format!(r#"{{"n":{version}}}"#)))
}

fn with(change: Change, link_text: &str, version: u64) -> Update {
    Update { change, ..put(link_text, version) }
}

fn indexed(store: &PartitionStore, path: &str, range: &ValueRange) -> Vec<String> {
    let view = store.view().expect("a view");
    let found = store.index_scan(view.as_ref(), path, range, Order::Ascending);
    found.map(|entry| entry.expect("readable").link.to_string()).collect()
}

fn changed(store: &PartitionStore, after: Option<u64>) -> Vec<(u64, String)> {
    let view = store.view().expect("a view");
    let changes = store.changed_since(view.as_ref(), after.map(Offset));
    changes.map(|change| change.expect("readable")).map(|(offset, link)| (offset.0, link.to_string())).collect()
}

fn version_numbers(store: &PartitionStore, link_text: &str) -> Vec<u64> {
    let versions = store.versions(&link(link_text), 1000).expect("readable");
    versions.iter().map(|document| document.version.0).collect()
}

#[test]
fn a_document_is_found_by_link_version_value_and_sequence() {
    let store = fresh();
    let applied = apply(&store, &[updated(0, put("/f/a", 0)), updated(1, put("/f/b", 0)), updated(2, put("/f/a", 1))]);
    assert_eq!(applied, Applied { through: Some(at(2)), applied: 3, skipped: 0 });
    let newest = store.document(&link("/f/a")).expect("readable").expect("it is there");
    assert_eq!((newest.version, newest.offset), (Version(1), Offset(2)));
    assert_eq!(store.version(&link("/f/a"), Version(0)).expect("readable").map(|it| it.offset), Some(Offset(0)));
    assert_eq!(store.version(&link("/f/a"), Version(2)).expect("readable"), None);
    assert_eq!(version_numbers(&store, "/f/a"), [1, 0]);
    assert_eq!(store.versions(&link("/f/a"), 1).expect("readable").len(), 1);
    assert_eq!(changed(&store, None), [(1, "/f/b".into()), (2, "/f/a".into())]);
    assert_eq!(changed(&store, Some(1)), [(2, "/f/a".into())]);
    let number = |value: i64| ValueRange::Exactly(Value::number(&value.into()));
    assert_eq!(indexed(&store, "n", &number(0)), ["/f/b"]);
    assert_eq!(indexed(&store, "n", &number(1)), ["/f/a"]);
    assert_eq!(indexed(&store, "documentKind", &ValueRange::Exactly(Value::text("kind"))), ["/f/a", "/f/b"]);
    let meta = store.meta().expect("readable");
    assert_eq!((meta.applied, meta.counts), (Some(at(2)), BTreeMap::from([(link("/f"), 2)])));
}

#[test]
fn applied_records_are_skipped_and_missing_ones_are_noticed() {
    let store = fresh();
    let records: Vec<_> = (0..6).map(|offset| updated(offset, put("/f/a", offset))).collect();
    apply(&store, &records[..4]);
    let before = store.meta().expect("readable");
    assert_eq!(apply(&store, &records[..4]), Applied { through: Some(at(3)), skipped: 4, ..Applied::default() });
    assert_eq!(store.meta().expect("readable"), before);
    let gap = store.apply(&records[5..], &EveryScalar);
    assert!(matches!(gap, Err(Error::Gap { expected: Offset(4), found: Offset(5), .. })), "{gap:?}");
    assert_eq!(store.meta().expect("readable"), before);
    let applied = apply(&store, &records[2..]);
    assert_eq!((applied.skipped, applied.applied), (2, 2));
}

#[test]
fn a_deleted_document_stays_as_a_tombstone_and_is_neither_counted_nor_indexed() {
    let store = fresh();
    let mut tombstone = put("/f/a", 1);
    tombstone.document.action = UpdateAction::Delete;
    apply(&store, &[updated(0, put("/f/a", 0)), updated(1, tombstone)]);
    assert!(store.document(&link("/f/a")).expect("readable").expect("it is there").is_tombstone());
    assert_eq!(version_numbers(&store, "/f/a"), [1, 0]);
    assert!(indexed(&store, "n", &ValueRange::Any).is_empty());
    assert!(store.meta().expect("readable").counts.is_empty());
    apply(&store, &[updated(2, with(Change::Renewal, "/f/a", 2))]);
    assert_eq!(version_numbers(&store, "/f/a"), [2]);
    assert_eq!(store.meta().expect("readable").counts[&link("/f")], 1);
}

#[test]
fn a_purged_document_leaves_nothing_but_the_delta_floor() {
    let store = fresh();
    apply(&store, &[updated(0, put("/f/a", 0)), updated(1, put("/f/a", 1))]);
    apply(&store, &[updated(2, put("/f/a", 2)), updated(3, with(Change::Purge, "/f/a", 2))]);
    assert_eq!(store.document(&link("/f/a")).expect("readable"), None);
    assert!(version_numbers(&store, "/f/a").is_empty() && changed(&store, None).is_empty());
    let meta = store.meta().expect("readable");
    assert_eq!((meta.delta_floor, meta.buckets), (Offset(4), Buckets::default()));
    apply(&store, &[updated(4, with(Change::None, "/f/a", 2))]);
    assert_eq!(store.document(&link("/f/a")).expect("readable"), None);
    let view = store.view().expect("a view");
    for family in [Family::Document, Family::Version, Family::Sequence, Family::Index] {
        assert_eq!(view.scan_keys(family, KeyRange::prefix(&[]), Order::Ascending).count(), 0, "{family:?}");
    }
}

#[test]
fn no_more_versions_are_kept_or_shown_than_allowed() {
    let store = fresh();
    let version = |version, keep| Update { keep_versions: keep, ..put("/f/a", version) };
    let stored = || {
        let view = store.view().expect("a view");
        view.scan_keys(Family::Version, KeyRange::prefix(&[]), Order::Ascending).count()
    };
    (0..10).for_each(|number| drop(apply(&store, &[updated(number, version(number, None))])));
    assert_eq!((version_numbers(&store, "/f/a").len(), stored()), (10, 9));
    apply(&store, &[updated(10, version(10, Some(3)))]);
    assert_eq!((version_numbers(&store, "/f/a"), stored()), (vec![10, 9, 8, 7], 3));
    apply(&store, &[updated(11, version(11, Some(3)))]);
    assert_eq!((version_numbers(&store, "/f/a"), stored()), (vec![11, 10, 9, 8], 3));
    assert_eq!(store.version(&link("/f/a"), Version(7)).expect("readable"), None);
    let run: Vec<_> = (12..20).map(|number| updated(number, version(number, Some(2)))).collect();
    apply(&store, &run);
    assert_eq!((version_numbers(&store, "/f/a"), stored()), (vec![19, 18, 17], 2));
    apply(&store, &[updated(20, version(20, Some(0))), updated(21, version(21, Some(0)))]);
    assert_eq!((version_numbers(&store, "/f/a"), stored()), (vec![21], 0));
}

#[test]
fn effects_wait_in_order_until_they_are_settled() {
    let store = fresh();
    let issuing = |link_text: &str, version| Update {
        effects: vec![effect(link_text, version, 1), effect(link_text, version, 0)],
        ..put(link_text, version)
    };
    apply(&store, &[updated(0, issuing("/f/b", 0)), updated(1, issuing("/f/a", 0)), updated(2, issuing("/f/a", 1))]);
    let names = |effects: Vec<PendingEffect>| effects.iter().map(|it| it.key.to_string()).collect::<Vec<_>>();
    let all = ["/f/a@0#0", "/f/a@0#1", "/f/a@1#0", "/f/a@1#1", "/f/b@0#0", "/f/b@0#1"];
    assert_eq!(names(store.outbox(None, 100).expect("readable")), all);
    assert_eq!(names(store.outbox_of(&link("/f/a")).expect("readable")), all[..4]);
    let after = effect("/f/a", 1, 0).key;
    assert_eq!(names(store.outbox(Some(&after), 2).expect("readable")), all[3..5]);
    let settled =
        Update { settled: vec![effect("/f/a", 0, 0).key, effect("/f/a", 1, 1).key], ..with(Change::None, "/f/a", 1) };
    apply(&store, &[updated(3, settled)]);
    assert_eq!(names(store.outbox_of(&link("/f/a")).expect("readable")), all[1..3]);
    assert_eq!(changed(&store, Some(2)), [(3, "/f/a".into())]);
    assert_eq!(version_numbers(&store, "/f/a"), [1, 0], "a record without a new version makes none");
}

#[test]
fn answers_are_remembered_for_a_day() {
    const HOUR: i64 = 3_600_000_000;
    let store = fresh();
    let answering = |version, key: &str, answered| {
        let mut update = put("/f/a", version);
        update.document.updated = Timestamp(answered);
        update.remembered = Some(reply(key, answered));
        update
    };
    let is_remembered = |key| store.remembered(&link("/f/a"), &RequestKey::of(key)).expect("readable").is_some();
    apply(&store, &[updated(0, answering(0, "one", 0)), updated(1, answering(1, "two", HOUR))]);
    assert!(is_remembered("one") && is_remembered("two") && !is_remembered("three"));
    apply(&store, &[updated(2, answering(2, "three", 24 * HOUR))]);
    assert!(is_remembered("one"));
    apply(&store, &[updated(3, answering(3, "two", 24 * HOUR + 1))]);
    assert!(!is_remembered("one") && is_remembered("two"));
    apply(&store, &[updated(4, answering(4, "four", 26 * HOUR))]);
    assert!(is_remembered("two"), "it was answered again since");
    let view = store.view().expect("a view");
    assert_eq!(view.scan_keys(Family::Answered, KeyRange::prefix(&[]), Order::Ascending).count(), 3);
}

#[test]
fn documents_and_tombstones_expire_in_order() {
    let store = fresh();
    let expiring = |link_text: &str, version, expires| {
        let mut update = put(link_text, version);
        update.document.expires = Timestamp(expires);
        update
    };
    let mut deleted = expiring("/f/c", 1, 50);
    deleted.document.action = UpdateAction::Delete;
    let updates =
        [expiring("/f/a", 0, 30), expiring("/f/b", 0, 20), expiring("/f/c", 0, 10), deleted, expiring("/f/d", 0, 0)];
    let records: Vec<_> = (0..).zip(updates).map(|(offset, update)| updated(offset, update)).collect();
    apply(&store, &records);
    let expired = |before, limit| store.expired(Timestamp(before), limit).expect("readable");
    assert_eq!(expired(19, 10), []);
    assert_eq!(expired(30, 10), [(Timestamp(20), link("/f/b")), (Timestamp(30), link("/f/a"))]);
    assert_eq!(expired(30, 1), [(Timestamp(20), link("/f/b"))]);
    assert_eq!(expired(50, 10).last(), Some(&(Timestamp(50), link("/f/c"))));
    apply(&store, &[updated(5, expiring("/f/b", 1, 40))]);
    assert_eq!(expired(30, 10), [(Timestamp(30), link("/f/a"))]);
}

#[test]
fn the_lineage_follows_from_the_epochs_of_the_records() {
    let store = fresh();
    let lineage = vec![(Epoch::ZERO.next_ownership(), Offset(0))];
    apply(&store, &[record(0, Entry::Marker)]);
    let meta = store.meta().expect("readable");
    assert_eq!((meta.lineage, meta.applied), (lineage, Some(at(0))));
}

#[test]
fn damaged_rows_are_named() {
    let store = fresh();
    apply(&store, &[updated(0, put("/f/a", 0))]);
    let mut batch = Batch::new();
    batch.put(Family::Document, keys::document::encode(store.space, &link("/f/a")), vec![9, 9]);
    store.store.write(batch).expect("memory takes writes");
    let error = store.document(&link("/f/a")).expect_err("it is damaged");
    assert!(error.is_damage());
    let text = error.to_string();
    assert!(text.contains("Document") && text.contains("0/persisted/3"), "{text}");
    assert!(store.apply(&[updated(1, put("/f/a", 1))], &EveryScalar).is_err());
    assert_eq!(store.meta().expect("readable").applied, Some(at(0)));
}

#[test]
fn a_copy_made_of_pages_equals_its_source() {
    let source = fresh();
    let answering = Update { remembered: Some(reply("one", 5)), effects: vec![effect("/f/b", 0, 0)], ..put("/f/b", 0) };
    apply(&source, &[updated(0, put("/f/a", 0)), updated(1, answering), updated(2, put("/f/a", 1))]);
    let copy = PartitionStore::new(Arc::clone(source.store()), 2, partition());
    let view = source.view().expect("a view");
    let meta = source.meta().expect("readable");
    let documents: Result<Vec<_>, _> = source.currents(view.as_ref(), &link("/"), None).collect();
    let page = Page {
        documents: documents.expect("readable"),
        versions: source.versions(&link("/f/a"), 9).expect("readable").split_off(1),
        effects: source.outbox(None, 9).expect("readable"),
        replies: vec![(link("/f/b"), reply("one", 5))],
        removed: vec![],
        progress: Some(Progress { applied: meta.applied, lineage: vec![], delta_floor: Offset(0) }),
    };
    copy.adopt(&page, &EveryScalar).expect("it is taken");
    assert_eq!(copy.meta().expect("readable"), meta);
    assert_eq!(version_numbers(&copy, "/f/a"), [1, 0]);
    assert_eq!(changed(&copy, None), changed(&source, None));
    assert_eq!(copy.outbox(None, 9).expect("readable").len(), 1);
    assert!(copy.remembered(&link("/f/b"), &RequestKey::of("one")).expect("readable").is_some());
    drop(view);
    assert!(source.drop_generation().expect("it is written") > 0);
    assert_eq!(source.meta().expect("readable").applied, None);
    assert_eq!(copy.meta().expect("readable"), meta);
    let newer = Current { touched: Offset(7), keep_versions: Some(1), document: document("/f/a", 4, "{}") };
    let page = Page { documents: vec![newer], removed: vec![link("/f/b")], ..Page::default() };
    copy.adopt(&page, &EveryScalar).expect("it is taken");
    assert_eq!(version_numbers(&copy, "/f/a"), [4]);
    assert_eq!(copy.meta().expect("readable").counts[&link("/f")], 1);
}

#[test]
fn a_plan_that_lists_no_field_indexes_the_kind_alone() {
    struct Nothing;
    impl IndexPlan for Nothing {
        fn fields(&self, _link: &Link) -> crate::index::IndexFields {
            crate::index::IndexFields::Listed(Arc::new([]))
        }
    }
    let store = fresh();
    let records: Vec<_> = (0..10).map(|number| updated(number, put(&format!("/f/{number}"), 0))).collect();
    store.apply(&records, &Nothing).expect("the records follow");
    assert!(indexed(&store, "n", &ValueRange::Any).is_empty());
    assert_eq!(indexed(&store, "documentKind", &ValueRange::Any).len(), 10);
}

#[test]
fn documents_are_listed_below_a_factory_and_behind_a_link() {
    let store = fresh();
    let names = ["/f/a", "/f/b", "/f/b/c", "/f-g/a", "/g/a"];
    let records: Vec<_> = (0..).zip(names).map(|(offset, name)| updated(offset, put(name, 0))).collect();
    apply(&store, &records);
    let view = store.view().expect("a view");
    let links = |below: &str, after: Option<&str>| {
        let after = after.map(link);
        let documents: Vec<_> = store
            .documents(view.as_ref(), &link(below), after.as_ref())
            .map(|document| document.expect("readable").link.to_string())
            .collect();
        let links: Vec<_> = store
            .links(view.as_ref(), &link(below), after.as_ref())
            .map(|link| link.expect("readable").to_string())
            .collect();
        assert_eq!(documents, links);
        links
    };
    assert_eq!(links("/f", None), ["/f/a", "/f/b", "/f/b/c"]);
    assert_eq!(links("/f", Some("/f/a")), ["/f/b", "/f/b/c"]);
    assert_eq!(links("/", None).len(), 5);
    assert_eq!(Bytes::from_static(b"{\"n\":0}"), store.document(&link("/g/a")).expect("readable").expect("there").body);
}
