//! The examination that every implementation of [`StateStore`] has to pass.
//!
//! [`examine`] is for the tests of a store; it panics with the sentence that does not hold.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::{Batch, Error, Family, KEY_BYTES_MAX, KeyRange, Order, ReadView, StateStore};

type Model = BTreeMap<Vec<u8>, Bytes>;

/// Examines the stores that `fresh` makes; each must be empty.
///
/// # Panics
/// If a store does not do what [`StateStore`] promises.
pub fn examine(fresh: &mut dyn FnMut() -> Box<dyn StateStore>) {
    values_are_found_in_their_family(fresh().as_ref());
    the_last_change_in_a_batch_wins(fresh().as_ref());
    scans_are_sorted_and_bounded(fresh().as_ref());
    views_do_not_change(fresh().as_ref());
    long_keys_are_refused_with_the_whole_batch(fresh().as_ref());
    batches_made_of_reads_of_another_instance_are_refused(fresh().as_ref());
    a_long_history_gives_what_a_map_gives(fresh().as_ref());
}

fn put(store: &dyn StateStore, family: Family, key: &[u8], value: &[u8]) {
    let mut batch = Batch::new();
    batch.put(family, key.to_vec(), value.to_vec());
    store.write(batch).expect("the store takes writes");
}

fn rows(view: &dyn ReadView, family: Family, range: KeyRange, order: Order) -> Vec<(Vec<u8>, Bytes)> {
    let rows: Vec<_> = view
        .scan(family, range.clone(), order)
        .map(|row| row.expect("the store can be read"))
        .map(|(key, value)| (key.to_vec(), value))
        .collect();
    let keys: Vec<_> =
        view.scan_keys(family, range, order).map(|key| key.expect("the store can be read").to_vec()).collect();
    assert_eq!(keys, rows.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), "keys are those of the rows");
    rows
}

fn everything() -> KeyRange {
    KeyRange { start: Bound::Unbounded, end: Bound::Unbounded }
}

fn values_are_found_in_their_family(store: &dyn StateStore) {
    for family in Family::ALL {
        assert_eq!(store.get(family, b"k").expect("the store can be read"), None, "a fresh store is empty");
        put(store, family, b"k", &[family as u8]);
    }
    let view = store.view().expect("a view");
    for family in Family::ALL {
        let value = Some(Bytes::copy_from_slice(&[family as u8]));
        assert_eq!(store.get(family, b"k").expect("the store can be read"), value, "families are apart");
        assert_eq!(view.get(family, b"k").expect("the store can be read"), value, "a view sees what was there");
        assert_eq!(rows(view.as_ref(), family, everything(), Order::Ascending).len(), 1, "scans stay in their family");
    }
    put(store, Family::Meta, b"empty", b"");
    assert_eq!(store.get(Family::Meta, b"empty").expect("the store can be read"), Some(Bytes::new()));
    store.checkpoint().expect("a checkpoint");
}

fn the_last_change_in_a_batch_wins(store: &dyn StateStore) {
    let mut batch = Batch::new();
    batch.put(Family::Meta, b"a".to_vec(), "1");
    batch.remove(Family::Meta, b"a".to_vec());
    batch.remove(Family::Meta, b"b".to_vec());
    batch.put(Family::Meta, b"b".to_vec(), "2");
    store.write(batch).expect("the store takes writes");
    assert_eq!(store.get(Family::Meta, b"a").expect("the store can be read"), None);
    assert_eq!(store.get(Family::Meta, b"b").expect("the store can be read"), Some(Bytes::from("2")));
    store.write(Batch::new()).expect("an empty batch is no error");
}

fn scans_are_sorted_and_bounded(store: &dyn StateStore) {
    let mut batch = Batch::new();
    for key in 0..1000_u16 {
        batch.put(Family::Index, key.to_be_bytes().to_vec(), key.to_string());
    }
    store.write(batch).expect("the store takes writes");
    let view = store.view().expect("a view");
    let scan = |start: Bound<u16>, end: Bound<u16>, order| {
        let bytes = |bound: Bound<u16>| bound.map(|key| key.to_be_bytes().to_vec());
        let range = KeyRange { start: bytes(start), end: bytes(end) };
        let found = rows(view.as_ref(), Family::Index, range, order);
        found.iter().map(|(key, _)| u16::from_be_bytes([key[0], key[1]])).collect::<Vec<u16>>()
    };
    let all: Vec<u16> = (0..1000).collect();
    assert_eq!(scan(Bound::Unbounded, Bound::Unbounded, Order::Ascending), all);
    assert_eq!(
        scan(Bound::Unbounded, Bound::Unbounded, Order::Descending),
        all.iter().rev().copied().collect::<Vec<_>>()
    );
    assert_eq!(scan(Bound::Included(10), Bound::Excluded(13), Order::Ascending), [10, 11, 12]);
    assert_eq!(scan(Bound::Excluded(10), Bound::Included(13), Order::Descending), [13, 12, 11]);
    assert_eq!(scan(Bound::Included(13), Bound::Excluded(13), Order::Ascending), [0; 0], "an empty range is empty");
    assert_eq!(scan(Bound::Included(14), Bound::Excluded(13), Order::Ascending), [0; 0], "a turned range is empty");
    assert_eq!(rows(view.as_ref(), Family::Index, KeyRange::prefix(&[1]), Order::Ascending).len(), 256);
    let after = KeyRange::prefix_after(&[1], vec![1, 250]);
    assert_eq!(rows(view.as_ref(), Family::Index, after, Order::Ascending).len(), 5);
}

fn views_do_not_change(store: &dyn StateStore) {
    (0..600_u16).for_each(|key| put(store, Family::Document, &key.to_be_bytes(), b"old"));
    let view = store.view().expect("a view");
    let mut scan = view.scan(Family::Document, everything(), Order::Ascending);
    assert!(scan.next().is_some());
    let mut batch = Batch::new();
    for key in 0..600_u16 {
        match key % 3 {
            0 => batch.put(Family::Document, key.to_be_bytes().to_vec(), "new"),
            1 => batch.remove(Family::Document, key.to_be_bytes().to_vec()),
            _ => batch.put(Family::Document, [&[0xee][..], &key.to_be_bytes()].concat(), "new"),
        }
    }
    store.write(batch).expect("the store takes writes");
    let seen: Vec<_> = scan.map(|row| row.expect("the store can be read").1).collect();
    assert_eq!(seen, vec![Bytes::from("old"); 599], "a scan that has begun goes on as it began");
    assert_eq!(rows(view.as_ref(), Family::Document, everything(), Order::Descending).len(), 600);
    assert_eq!(view.get(Family::Document, &1_u16.to_be_bytes()).expect("readable"), Some(Bytes::from("old")));
    drop(view);
    let now = store.view().expect("a view");
    assert_eq!(rows(now.as_ref(), Family::Document, everything(), Order::Ascending).len(), 600);
    assert_eq!(now.get(Family::Document, &1_u16.to_be_bytes()).expect("readable"), None);
}

fn long_keys_are_refused_with_the_whole_batch(store: &dyn StateStore) {
    for family in Family::ALL {
        let mut batch = Batch::new();
        batch.put(family, vec![1], "short");
        batch.put(family, vec![7; KEY_BYTES_MAX + 1], "long");
        let refused = store.write(batch);
        let is_right = matches!(&refused, Err(Error::KeyTooLong { bytes, max: KEY_BYTES_MAX, .. })
            if *bytes == KEY_BYTES_MAX + 1);
        assert!(is_right, "{refused:?}");
        assert_eq!(store.get(family, &[1]).expect("the store can be read"), None, "nothing of the batch is there");
        let mut batch = Batch::new();
        batch.remove(family, vec![7; KEY_BYTES_MAX + 1]);
        assert!(matches!(store.write(batch), Err(Error::KeyTooLong { .. })));
        put(store, family, &[7; KEY_BYTES_MAX], b"the longest");
        let found = store.get(family, &[7; KEY_BYTES_MAX]).expect("the store can be read");
        assert_eq!(found, Some(Bytes::from("the longest")));
        assert_eq!(store.get(family, &[7; 70_000]).expect("the store can be read"), None);
        let view = store.view().expect("a view");
        assert_eq!(view.get(family, &[7; 70_000]).expect("the store can be read"), None);
        let (short, long) = (vec![7; KEY_BYTES_MAX], vec![7; 70_000]);
        let count = |start, end| rows(view.as_ref(), family, KeyRange { start, end }, Order::Ascending).len();
        assert_eq!(count(Bound::Included(short.clone()), Bound::Included(long.clone())), 1);
        assert_eq!(count(Bound::Included(short), Bound::Excluded(long.clone())), 1);
        assert_eq!(count(Bound::Included(long.clone()), Bound::Unbounded), 0);
        assert_eq!(count(Bound::Excluded(long.clone()), Bound::Unbounded), 0);
        assert_eq!(rows(view.as_ref(), family, KeyRange::prefix(&long), Order::Descending).len(), 0);
    }
    assert_eq!(store.damage(), None);
    assert!(store.bytes() > 0);
}

fn batches_made_of_reads_of_another_instance_are_refused(store: &dyn StateStore) {
    let instance = store.instance();
    for (wanted, value) in [(instance, Some(Bytes::from("x"))), (instance + 1, None)] {
        let key = wanted.to_be_bytes();
        let mut batch = Batch::after_reads_of(wanted);
        batch.put(Family::Meta, key.to_vec(), "x");
        let written = store.write(batch);
        assert!(written.is_ok() == value.is_some() || matches!(written, Err(Error::Unavailable(_))), "{written:?}");
        assert_eq!(store.get(Family::Meta, &key).expect("the store can be read"), value);
    }
    assert_eq!(store.instance(), instance, "a refused batch changes nothing");
}

fn a_long_history_gives_what_a_map_gives(store: &dyn StateStore) {
    let mut model = Model::new();
    let mut kept: Vec<(Box<dyn ReadView>, Model)> = Vec::new();
    let mut number = 1_u64;
    for round in 0..400_u64 {
        let mut batch = Batch::new();
        for _ in 0..10 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = ((number >> 40) % 200).to_be_bytes().to_vec();
            if number >> 62 == 0 {
                model.remove(&key);
                batch.remove(Family::Sequence, key);
            } else {
                let value = Bytes::from(number.to_string());
                model.insert(key.clone(), value.clone());
                batch.put(Family::Sequence, key, value);
            }
        }
        store.write(batch).expect("the store takes writes");
        if round % 40 == 0 {
            kept.push((store.view().expect("a view"), model.clone()));
        }
        if round % 100 == 99 {
            kept.remove(0);
            store.checkpoint().expect("a checkpoint");
        }
    }
    kept.push((store.view().expect("a view"), model));
    for (view, model) in kept {
        let expected: Vec<_> = model.into_iter().collect();
        assert_eq!(rows(view.as_ref(), Family::Sequence, everything(), Order::Ascending), expected);
    }
}
