//! A partition over a store that fails.

use std::sync::Arc;

use proptest::prelude::*;
use steward_model::update::{Change, Record, Update};

use super::examples::{document, link, partition, update, updated};
use super::{Error, Link, PartitionStore};
use crate::index::{EveryScalar, ROWS_MAX, ValueRange};
use crate::keys;
use crate::keys::index::Value;
use crate::state::faulty::Odds;
use crate::state::{self, Family, FaultyStore, MemoryStore, Order};

fn over(store: &FaultyStore) -> PartitionStore {
    PartitionStore::new(Arc::new(store.clone()), 1, partition())
}

/// Applies a run, however often the store fails.
fn apply_in_the_end(store: &PartitionStore, records: &[Record]) {
    for _ in 0..1000 {
        match store.apply(records, &EveryScalar) {
            Ok(_) => return,
            Err(Error::State(state::Error::Unavailable(_))) => {}
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the store never works");
}

fn records(steps: &[(u8, u8)]) -> Vec<Record> {
    let mut versions = [0; 4];
    let record = |(offset, (name, kind)): (u64, &(u8, u8))| {
        let name = name % 4;
        let version = &mut versions[usize::from(name)];
        let text = format!("/f/{name}");
        let changed = Update {
            change: if kind % 4 == 0 { Change::Renewal } else { Change::NewVersion },
            ..update(document(&text, *version, &format!(r#"{{"n":{offset}}}"#)))
        };
        *version += 1;
        updated(offset, changed)
    };
    (0..).zip(steps).map(record).collect()
}

/// Compares with a store that never failed.
fn compare(store: &PartitionStore, records: &[Record]) {
    let sound = PartitionStore::new(Arc::new(MemoryStore::new()), 1, partition());
    sound.apply(records, &EveryScalar).expect("memory takes everything");
    let (found, expected) = (store.meta().expect("readable"), sound.meta().expect("readable"));
    assert_eq!(found, expected);
    let view = store.view().expect("a view");
    assert_eq!(store.recompute_digest(view.as_ref()).expect("readable"), expected.buckets);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_write_of_unknown_outcome_is_counted_twice(
        seed in any::<u64>(),
        steps in prop::collection::vec((any::<u8>(), any::<u8>()), 1..40),
        run in 1_usize..6,
    ) {
        let faulty = FaultyStore::new(seed);
        faulty.set_odds(Odds { unknown_writes: 400, refused_writes: 100, refused_reads: 50, ..Odds::default() });
        let store = over(&faulty);
        let records = records(&steps);
        records.chunks(run).for_each(|run| apply_in_the_end(&store, run));
        faulty.set_odds(Odds::default());
        compare(&store, &records);
    }

    #[test]
    fn what_a_crash_took_back_is_applied_again(
        seed in any::<u64>(),
        steps in prop::collection::vec((any::<u8>(), any::<u8>()), 1..40),
        checkpoint in any::<prop::sample::Index>(),
    ) {
        let faulty = FaultyStore::new(seed);
        let records = records(&steps);
        let store = over(&faulty);
        for (number, run) in records.chunks(3).enumerate() {
            apply_in_the_end(&store, run);
            if number == checkpoint.index(records.len().div_ceil(3)) {
                state::StateStore::checkpoint(&faulty).expect("lasting");
            }
        }
        faulty.crash();
        let store = over(&faulty);
        apply_in_the_end(&store, &records);
        compare(&store, &records);
    }
}

#[test]
fn what_was_known_is_forgotten_when_another_partition_had_the_store_opened_anew() {
    let faulty = FaultyStore::new(1);
    let store = over(&faulty);
    let records = records(&[(0, 2), (1, 2), (0, 2)]);
    apply_in_the_end(&store, &records[..2]);
    // The store loses a batch: what the partition remembers is not there.
    faulty.crash_keeping(0);
    faulty.reopen();
    assert!(matches!(store.apply(&records[2..], &EveryScalar), Err(Error::Gap { .. })));
    apply_in_the_end(&store, &records);
    compare(&store, &records);
}

#[test]
fn damage_is_told_apart_from_what_passes() {
    let faulty = FaultyStore::new(1);
    let store = over(&faulty);
    let records = records(&[(0, 2), (0, 2)]);
    apply_in_the_end(&store, &records[..1]);
    faulty.damage_row(Family::Document, &keys::document::encode(store.copy(), &link("/f/0")));
    let error = store.apply(&records[1..], &EveryScalar).expect_err("it reads the document before");
    assert!(error.is_damage() && !error.is_fatal());
    faulty.refuse(1);
    let error = store.meta().expect_err("it is refused");
    assert!(!error.is_damage());
}

fn found(store: &PartitionStore, path: &str, value: i64) -> Vec<Link> {
    let view = store.view().expect("a view");
    let range = ValueRange::Exactly(Value::number(&value.into()));
    let copies = super::examples::alone(store);
    let across = super::Across::new(store.store().as_ref(), view.as_ref(), &copies);
    let found = across.indexed(&link("/f"), path, &range).expect("readable");
    found.map(|entry| entry.expect("readable").link).collect()
}

#[test]
fn fields_of_any_name_and_number_are_applied_and_found() {
    let store = over(&FaultyStore::new(1));
    let long = "k".repeat(70_000);
    let many: Vec<String> = (0..80_000).map(|value| value.to_string()).collect();
    let bodies = [
        ("/f/long", format!(r#"{{"{long}":5}}"#)),
        ("/f/many", format!(r#"{{"tags":[{}]}}"#, many.join(","))),
        ("/f/plain", r#"{"tags":[79999]}"#.to_owned()),
    ];
    let put = |(offset, (name, body)): (u64, &(&str, String))| updated(offset, update(document(name, 0, body)));
    let records: Vec<Record> = (0..).zip(&bodies).map(put).collect();
    let applied = store.apply(&records, &EveryScalar).expect("every document can be applied");
    assert_eq!(applied.applied, 3);
    assert!(found(&store, &long, 5).contains(&link("/f/long")));
    assert!(found(&store, "tags", 79_999).contains(&link("/f/many")));
    assert!(found(&store, "tags", 79_999).contains(&link("/f/plain")));
    let view = store.view().expect("a view");
    let rows = view.scan_keys(Family::Index, state::KeyRange::prefix(&[]), Order::Ascending);
    assert!(rows.count() < ROWS_MAX + 20);
    let shrunk = updated(3, update(document("/f/many", 1, "{}")));
    assert_eq!(store.apply(&[shrunk], &EveryScalar).expect("applied").applied, 1);
    assert!(!found(&store, "tags", 79_999).contains(&link("/f/many")));
}
