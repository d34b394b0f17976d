use std::collections::BTreeMap;

use bytes::Bytes;
use steward_model::document::UpdateAction;
use steward_model::update::{Change, Entry, PendingEffect, Record, Update};
use steward_model::{Epoch, Timestamp};

use super::examples::{
    alone, at, counted, document, effect, link, listed, partition, record, reply, sequence, update, updated,
};
use super::*;
use crate::index::{EveryScalar, IndexPlan, ValueRange};
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
    let copies = alone(store);
    let across = Across::new(store.store().as_ref(), view.as_ref(), &copies);
    let found = across.indexed(&link("/f"), path, range).expect("readable");
    found.map(|entry| entry.expect("readable").link.to_string()).collect()
}

fn changed(store: &PartitionStore, after: Option<u64>) -> Vec<(u64, String)> {
    let is_behind = |(offset, _): &(Offset, Link)| after.is_none_or(|after| offset.0 > after);
    sequence(store).into_iter().filter(is_behind).map(|(offset, link)| (offset.0, link.to_string())).collect()
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
    assert_eq!(listed(&store), ["/f/a", "/f/b"]);
    assert_eq!((store.meta().expect("readable").applied, counted(&store)), (Some(at(2)), 2));
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
    assert_eq!((counted(&store), listed(&store)), (0, vec![]));
    apply(&store, &[updated(2, with(Change::Renewal, "/f/a", 2))]);
    assert_eq!(version_numbers(&store, "/f/a"), [2]);
    assert_eq!((counted(&store), listed(&store)), (1, vec!["/f/a".to_owned()]));
}

#[test]
fn a_forgotten_document_leaves_nothing_but_the_delta_floor() {
    let store = fresh();
    apply(&store, &[updated(0, put("/f/a", 0)), updated(1, put("/f/a", 1))]);
    let below = Entry::Forget { tombstones_below: Offset(4), answers_below: Offset(0) };
    apply(&store, &[updated(2, put("/f/a", 2)), updated(3, deleted("/f/a", 3, 9)), record(4, below)]);
    assert_eq!(store.document(&link("/f/a")).expect("readable"), None);
    assert!(version_numbers(&store, "/f/a").is_empty() && changed(&store, None).is_empty());
    let meta = store.meta().expect("readable");
    assert_eq!((meta.delta_floor, meta.buckets), (Offset(4), Buckets::default()));
    apply(&store, &[updated(5, with(Change::None, "/f/a", 3))]);
    assert_eq!(store.document(&link("/f/a")).expect("readable"), None);
    let view = store.view().expect("a view");
    for family in [Family::Document, Family::Version, Family::Sequence, Family::Index, Family::Listing, Family::Factory]
    {
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
    for number in 0..10 {
        apply(&store, &[updated(number, version(number, None))]);
    }
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
    let name = |link_text: &str, offset, number| effect(link_text, offset, number).key.to_string();
    let all = [("/f/a", 0), ("/f/a", 1), ("/f/b", 0)].map(|(link, offset)| [0, 1].map(|it| name(link, offset, it)));
    let all = all.concat();
    let of_a = |store: &PartitionStore| {
        let view = store.view().expect("a view");
        names(store.page(view.as_ref(), &link("/f/a")).expect("readable").effects)
    };
    assert_eq!(names(store.outbox(None, 100).expect("readable")), all);
    assert_eq!(of_a(&store), all[..4]);
    let after = effect("/f/a", 1, 0).key;
    assert_eq!(names(store.outbox(Some(&after), 2).expect("readable")), all[3..5]);
    let settled =
        Update { settled: vec![effect("/f/a", 0, 0).key, effect("/f/a", 1, 1).key], ..with(Change::None, "/f/a", 1) };
    apply(&store, &[updated(3, settled)]);
    assert_eq!(of_a(&store), all[1..3]);
    assert_eq!(changed(&store, Some(2)), [(3, "/f/a".into())]);
    assert_eq!(version_numbers(&store, "/f/a"), [1, 0], "a record without a new version makes none");
}

fn answering(link_text: &str, version: u64, key: &str) -> Update {
    Update { remembered: Some(reply(key, version as i64)), ..put(link_text, version) }
}

fn is_remembered(store: &PartitionStore, key: &str) -> bool {
    store.remembered(&link("/f/a"), &RequestKey::of(key)).expect("readable").is_some()
}

fn forget(tombstones_below: u64, answers_below: u64) -> Entry {
    Entry::Forget { tombstones_below: Offset(tombstones_below), answers_below: Offset(answers_below) }
}

fn count(store: &PartitionStore, family: Family) -> usize {
    let view = store.view().expect("a view");
    view.scan_keys(family, KeyRange::prefix(&[]), Order::Ascending).count()
}

#[test]
fn answers_are_remembered_until_a_record_says_otherwise() {
    let store = fresh();
    let answers = [answering("/f/a", 0, "one"), answering("/f/a", 1, "two"), answering("/f/a", 2, "three")];
    let records: Vec<_> = (0..).zip(answers).map(|(offset, update)| updated(offset, update)).collect();
    apply(&store, &records);
    assert!(is_remembered(&store, "one") && is_remembered(&store, "two") && !is_remembered(&store, "four"));
    // Answered again: it is as old as the last answer.
    apply(&store, &[updated(3, answering("/f/a", 3, "one")), record(4, forget(0, 2))]);
    assert!(is_remembered(&store, "one") && !is_remembered(&store, "two") && is_remembered(&store, "three"));
    let again = [updated(5, answering("/f/a", 4, "two")), record(6, forget(0, 6)), record(7, forget(0, 3))];
    apply(&store, &again);
    assert!(!is_remembered(&store, "one") && !is_remembered(&store, "two"));
    for family in [Family::Reply, Family::Answered, Family::Answers] {
        assert_eq!(count(&store, family), 0, "{family:?}");
    }
}

#[test]
fn of_one_document_the_newest_answers_are_remembered() {
    let (slow, fast) = (fresh(), fresh());
    let most = (ANSWERS_MAX + ANSWERS_SLACK) as u64;
    let answered = |number: u64| {
        let unchanged = Update { change: Change::None, ..answering("/f/a", 0, &number.to_string()) };
        updated(number, if number == 0 { answering("/f/a", 0, "0") } else { unchanged })
    };
    let records: Vec<_> = (0..=most).map(answered).collect();
    records.chunks(1000).for_each(|run| assert_eq!(apply(&slow, run).applied, run.len()));
    apply(&fast, &records[..most as usize]);
    assert_eq!(count(&fast, Family::Answered), ANSWERS_MAX + ANSWERS_SLACK);
    apply(&fast, &records[most as usize..]);
    for store in [&slow, &fast] {
        let oldest = most + 1 - ANSWERS_MAX as u64;
        assert!(!is_remembered(store, &(oldest - 1).to_string()) && is_remembered(store, &oldest.to_string()));
        assert_eq!(count(store, Family::Answered), ANSWERS_MAX);
    }
    assert_eq!(slow.meta().expect("readable"), fast.meta().expect("readable"));
}

fn deleted(link_text: &str, version: u64, expires: i64) -> Update {
    let mut update = put(link_text, version);
    (update.document.action, update.document.expires) = (UpdateAction::Delete, Timestamp(expires));
    update
}

#[test]
fn tombstones_below_a_horizon_are_forgotten_and_count_in_no_digest() {
    let store = fresh();
    let updates = [put("/f/a", 0), put("/f/b", 0), deleted("/f/a", 1, 5), deleted("/f/b", 1, 5), put("/f/c", 0)];
    let records: Vec<_> = (0..).zip(updates).map(|(offset, update)| updated(offset, update)).collect();
    apply(&store, &records);
    let before = store.meta().expect("readable").buckets;
    apply(&store, &[record(5, forget(3, 0))]);
    let meta = store.meta().expect("readable");
    assert_eq!((meta.delta_floor, meta.buckets), (Offset(3), before));
    assert_eq!(store.document(&link("/f/a")).expect("readable"), None);
    assert!(version_numbers(&store, "/f/a").is_empty());
    assert!(store.document(&link("/f/b")).expect("readable").is_some(), "it was deleted behind the horizon");
    // In one run: one comes to life, one dies and is forgotten at once.
    let records =
        [updated(6, with(Change::Renewal, "/f/b", 2)), updated(7, deleted("/f/c", 1, 5)), record(8, forget(8, 0))];
    apply(&store, &records);
    assert!(store.document(&link("/f/b")).expect("readable").is_some_and(|it| !it.is_tombstone()));
    assert_eq!(store.document(&link("/f/c")).expect("readable"), None);
    assert_eq!(count(&store, Family::Tombstone), 0);
    assert_eq!(store.meta().expect("readable").delta_floor, Offset(8));
}

#[test]
fn horizons_reach_to_the_first_that_is_too_young() {
    let store = fresh();
    let updates =
        [answering("/f/a", 0, "one"), deleted("/f/b", 0, 10), deleted("/f/c", 0, 20), answering("/f/a", 1, "two")];
    let records: Vec<_> = (0..).zip(updates).map(|(offset, update)| updated(offset, update)).collect();
    apply(&store, &records);
    let horizons = |expired, answered, limit| {
        let found = store.forgettable(Timestamp(expired), Timestamp(answered), limit).expect("readable");
        found.map(|it| (it.tombstones_below.0, it.answers_below.0, it.is_all))
    };
    assert_eq!(horizons(9, 0, 10), None);
    assert_eq!(horizons(10, 0, 10), Some((2, 0, true)));
    assert_eq!(horizons(20, 1, 10), Some((3, 1, true)));
    assert_eq!(horizons(20, 2, 10), Some((3, 4, true)));
    assert_eq!(horizons(20, 2, 1), Some((2, 1, false)), "more is old enough");
}

#[test]
fn roots_are_remembered_where_every_replica_passes() {
    let (slow, fast) = (fresh(), fresh());
    let record = |number: u64| updated(number, put(&format!("/f/{}", number % 7), number / 7));
    let records: Vec<_> = (0..3 * ROOT_SPACING).map(record).collect();
    apply(&fast, &records);
    for run in records.chunks(700) {
        apply(&slow, run);
    }
    let half = fresh();
    apply(&half, &records[..ROOT_SPACING as usize]);
    let root = half.meta().expect("readable").buckets.root();
    for store in [&slow, &fast, &half] {
        assert_eq!(store.root_at(Offset(ROOT_SPACING)).expect("readable"), Some(root));
        assert_eq!(store.root_at(Offset(ROOT_SPACING + 1)).expect("readable"), None);
    }
    let last = Offset(3 * ROOT_SPACING);
    assert_eq!(slow.root_at(last).expect("readable"), fast.root_at(last).expect("readable"));
    assert_eq!(fast.root_at(last).expect("readable"), Some(fast.meta().expect("readable").buckets.root()));
    assert_eq!(half.root_at(last).expect("readable"), None);
}

#[test]
fn everything_that_a_page_carries_is_in_the_digest() {
    type Alter = fn(&mut Update);
    let alterations: [Alter; 7] = [
        |update| update.document.expires = Timestamp(7),
        |update| update.document.kind = "other".into(),
        |update| update.document.state_version = 9,
        |update| update.document.updated = Timestamp(77),
        |update| update.keep_versions = Some(3),
        |update| update.effects = vec![effect("/f/a", 0, 1)],
        |update| update.remembered = Some(reply("other", 1)),
    ];
    let root = |alter: Alter| {
        let store = fresh();
        let mut first = answering("/f/a", 0, "one");
        first.effects = vec![effect("/f/a", 0, 0)];
        alter(&mut first);
        apply(&store, &[updated(0, first.clone())]);
        let alone = store.meta().expect("readable").buckets.root();
        // As an older version, too, as far as it is one.
        apply(&store, &[updated(1, put("/f/a", 1))]);
        (alone, store.meta().expect("readable").buckets.root())
    };
    let (alone, followed) = root(|_| {});
    for (number, alter) in alterations.into_iter().enumerate() {
        let (altered, altered_followed) = root(alter);
        assert_ne!(altered, alone, "{number}");
        assert_eq!(altered_followed == followed, number == 4, "{number}");
    }
}

#[test]
fn a_lineage_is_as_long_as_it_may_be() {
    let store = fresh();
    let mut epoch = Epoch::ZERO;
    for offset in 0..2 * LINEAGE_MAX as u64 {
        epoch = epoch.next_ownership();
        let position = Position { epoch, offset: Offset(offset) };
        apply(&store, &[Record { position, previous: Epoch::ZERO, entry: Entry::Marker }]);
    }
    let lineage = store.meta().expect("readable").lineage;
    assert_eq!((lineage.len(), lineage.last()), (LINEAGE_MAX, Some(&(epoch, Offset(2 * LINEAGE_MAX as u64 - 1)))));
}

#[test]
fn documents_expire_in_order_and_tombstones_do_not() {
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
    assert_eq!(expired(50, 10).last(), Some(&(Timestamp(30), link("/f/a"))), "a tombstone goes by the horizon");
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
    batch.put(Family::Document, keys::document::encode(store.copy(), &link("/f/a")), vec![9, 9]);
    store.store.write(batch).expect("memory takes writes");
    let error = store.document(&link("/f/a")).expect_err("it is damaged");
    assert!(error.is_damage());
    let text = error.to_string();
    assert!(text.contains("document") && text.contains("0/persisted/3"), "{text}");
    assert!(store.apply(&[updated(1, put("/f/a", 1))], &EveryScalar).is_err());
    assert_eq!(store.meta().expect("readable").applied, Some(at(0)));
}

/// Returns the pages of all documents, and of those in `others`.
fn pages(store: &PartitionStore, others: &[&str]) -> Vec<Page> {
    let view = store.view().expect("a view");
    let links = store.links(view.as_ref(), &link("/"), None).map(|link| link.expect("readable"));
    let links: Vec<Link> = links.chain(others.iter().map(|text| link(text))).collect();
    links.iter().map(|link| store.page(view.as_ref(), link).expect("readable")).collect()
}

fn digests(store: &PartitionStore) -> BTreeMap<Link, Digest> {
    store.digests(store.view().expect("a view").as_ref(), &|_| true).expect("readable")
}

#[test]
fn a_copy_made_of_pages_equals_its_source_whatever_it_held_before() {
    let (source, copy) = (fresh(), fresh());
    let answering = |text: &str, version| Update {
        effects: vec![effect(text, version, 0)],
        ..answering(text, version, &format!("{text} {version}"))
    };
    apply(&source, &[updated(0, answering("/f/a", 0)), updated(1, answering("/f/b", 0)), updated(2, put("/f/a", 1))]);
    // The copy has what the source has settled, forgotten, and never had.
    let others = [answering("/f/a", 7), put("/f/a", 8), answering("/f/b", 3), answering("/f/z", 0)];
    let others: Vec<_> = (0..).zip(others).map(|(offset, update)| updated(offset, update)).collect();
    apply(&copy, &others);
    let settled = Update { settled: vec![effect("/f/b", 0, 0).key], ..with(Change::None, "/f/b", 0) };
    apply(&source, &[updated(3, settled), updated(4, deleted("/f/c", 0, 9))]);
    assert_ne!(digests(&copy), digests(&source));
    let progress = source.progress().expect("readable");
    copy.adopt(&pages(&source, &["/f/z"]), Some(&progress), &EveryScalar).expect("it is taken");
    assert_eq!(copy.meta().expect("readable"), source.meta().expect("readable"));
    assert_eq!((digests(&copy), sequence(&copy)), (digests(&source), sequence(&source)));
    assert_eq!(pages(&copy, &["/f/z"]), pages(&source, &["/f/z"]));
    assert_eq!(version_numbers(&copy, "/f/a"), [1, 0]);
    for family in Family::ALL {
        assert_eq!(count(&copy, family), count(&source, family), "{family:?}");
    }
    let view = copy.view().expect("a view");
    assert_eq!(copy.recompute_digest(view.as_ref()).expect("readable"), copy.meta().expect("readable").buckets);
    drop(view);
    let next = updated(5, put("/f/a", 2));
    assert_eq!(apply(&copy, std::slice::from_ref(&next)), apply(&source, &[next]));
    assert_eq!(copy.meta().expect("readable"), source.meta().expect("readable"));
}

#[test]
fn digests_name_the_documents_of_the_buckets_that_differ() {
    let (one, other) = (fresh(), fresh());
    let records: Vec<_> = (0..50).map(|number| updated(number, put(&format!("/f/{number}"), 0))).collect();
    apply(&one, &records);
    apply(&other, &records);
    apply(&other, &[updated(50, put("/f/7", 1))]);
    let (left, right) = (one.meta().expect("readable").buckets, other.meta().expect("readable").buckets);
    let differs = |bucket: u8| left.bucket(bucket) != right.bucket(bucket);
    let found =
        |store: &PartitionStore| store.digests(store.view().expect("a view").as_ref(), &differs).expect("readable");
    let (here, there) = (found(&one), found(&other));
    let names: Vec<&Link> =
        here.iter().filter(|(link, digest)| there.get(*link) != Some(*digest)).map(|it| it.0).collect();
    assert_eq!(names, [&link("/f/7")]);
    let bucket = crate::digest::bucket_of(&link("/f/7"));
    let sum = there.values().copied().reduce(crate::digest::sum).expect("there is one");
    assert_eq!(sum, right.bucket(bucket));
}

#[test]
fn a_plan_that_lists_no_field_indexes_nothing() {
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
    assert_eq!(listed(&store).len(), 10);
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
