//! A partition against a model that is too simple to be wrong, over both stores.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use steward_model::document::UpdateAction;
use steward_model::update::{Change, Entry, Record, Update};
use steward_model::{Document, Link, Offset, Timestamp, Version};

use super::PartitionStore;
use super::examples::{document, link, partition, update, updated};
use crate::digest::{Buckets, bucket_of};
use crate::index::{EveryScalar, ValueRange};
use crate::state::{FjallStore, MemoryStore, Options, Order, StateStore};

#[derive(Debug, Clone, Copy)]
enum Step {
    Put { document: u8, value: i8, keep: Option<u8>, expires: u8 },
    Delete { document: u8 },
    Renew { document: u8 },
    Touch { document: u8 },
    Purge { document: u8 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let document = 0_u8..5;
    prop_oneof![
        8 => (document.clone(), any::<i8>(), prop::option::of(0_u8..4), 0_u8..3)
            .prop_map(|(document, value, keep, expires)| Step::Put { document, value, keep, expires }),
        2 => document.clone().prop_map(|document| Step::Delete { document }),
        1 => document.clone().prop_map(|document| Step::Renew { document }),
        1 => document.clone().prop_map(|document| Step::Touch { document }),
        1 => document.prop_map(|document| Step::Purge { document }),
    ]
}

/// One document: all versions of its life, oldest first, what may be shown of them, and its newest record.
#[derive(Default, Clone)]
struct Life {
    versions: Vec<Document>,
    keep: Option<u64>,
    touched: u64,
}

#[derive(Default)]
struct Model {
    lives: BTreeMap<Link, Life>,
}

impl Model {
    fn buckets(&self) -> Buckets {
        let mut buckets = Buckets::default();
        for (link, life) in &self.lives {
            let newest = life.versions.last().expect("a life has a version");
            buckets.add(bucket_of(link), &newest.digest());
        }
        buckets
    }

    /// Returns the record of a step, and keeps what it amounts to.
    fn record(&mut self, offset: u64, step: Step) -> Record {
        let name = |number: u8| format!("/{}/{number}", if number < 3 { "f" } else { "g" });
        let next = |life: Option<&Life>| life.and_then(|life| life.versions.last()).map_or(0, |it| it.version.0 + 1);
        let (mut change, number, body, keep) = match step {
            Step::Put { document, value, keep, .. } => {
                (Change::NewVersion, document, format!(r#"{{"n":{value}}}"#), keep.map(u64::from))
            }
            Step::Delete { document } => (Change::NewVersion, document, "{}".to_owned(), Some(3)),
            Step::Renew { document } => (Change::Renewal, document, r#"{"n":0}"#.to_owned(), Some(3)),
            Step::Touch { document } => (Change::None, document, String::new(), Some(3)),
            Step::Purge { document } => (Change::Purge, document, "{}".to_owned(), None),
        };
        let link = link(&name(number));
        let life = self.lives.get(&link).cloned();
        if matches!(step, Step::Delete { .. } | Step::Touch { .. }) && life.is_none() {
            change = Change::None;
        }
        let mut new = match (change, &life) {
            (Change::None, Some(life)) => life.versions.last().expect("a life has a version").clone(),
            _ => document(link.as_str(), next(life.as_ref()), &body),
        };
        match step {
            Step::Put { expires, .. } => new.expires = Timestamp(expires.into()),
            Step::Delete { .. } => (new.action, new.expires) = (UpdateAction::Delete, Timestamp(9)),
            // What changes no state does not carry it.
            Step::Touch { .. } if change == Change::None => new.body = Bytes::new(),
            Step::Renew { .. } | Step::Touch { .. } | Step::Purge { .. } => {}
        }
        let made = updated(offset, Update { change, keep_versions: keep, ..update(new) });
        let Entry::Update(update) = &made.entry else { unreachable!("it is one") };
        self.live(update, offset);
        made
    }

    fn live(&mut self, update: &Update, offset: u64) {
        let link = update.document.link.clone();
        let mut life = self.lives.remove(&link);
        match update.change {
            Change::NewVersion => life.get_or_insert_default().versions.push(update.document.clone()),
            Change::Renewal => life = Some(Life { versions: vec![update.document.clone()], ..Life::default() }),
            Change::None => {}
            Change::Purge => life = None,
        }
        if let Some(mut life) = life {
            if update.change != Change::None {
                life.keep = update.keep_versions;
            }
            life.touched = offset;
            // What may not be shown once is gone for good.
            let shown = life.keep.map_or(usize::MAX, |keep| keep as usize + 1);
            let hidden = life.versions.len().saturating_sub(shown);
            life.versions.drain(..hidden);
            self.lives.insert(link, life);
        }
    }

    fn compare(&self, store: &PartitionStore, through: u64) {
        let view = store.view().expect("a view");
        let found: Vec<Document> =
            store.documents(view.as_ref(), &link("/"), None).map(|document| document.expect("readable")).collect();
        let newest: Vec<Document> = self.lives.values().filter_map(|life| life.versions.last().cloned()).collect();
        assert_eq!(found, newest);
        for (link, life) in &self.lives {
            let mut expected = life.versions.clone();
            expected.reverse();
            assert_eq!(store.versions(link, usize::MAX).expect("readable"), expected, "{link}");
            for document in &expected {
                assert_eq!(store.version(link, document.version).expect("readable").as_ref(), Some(document));
            }
            let below = expected.last().and_then(|oldest| oldest.version.0.checked_sub(1));
            if let Some(below) = below {
                assert_eq!(store.version(link, Version(below)).expect("readable"), None);
            }
        }
        let mut sequence: Vec<_> = self.lives.iter().map(|(link, life)| (Offset(life.touched), link.clone())).collect();
        sequence.sort();
        let changes: Vec<_> =
            store.changed_since(view.as_ref(), None).map(|change| change.expect("readable")).collect();
        assert_eq!(changes, sequence);
        let live = || newest.iter().filter(|document| !document.is_tombstone());
        let mut expiring: Vec<_> = newest
            .iter()
            .filter(|document| document.expires.0 != 0)
            .map(|document| (document.expires, document.link.clone()))
            .collect();
        expiring.sort();
        assert_eq!(store.expired(Timestamp(i64::MAX), usize::MAX).expect("readable"), expiring);
        let mut indexed: Vec<Link> = store
            .index_scan(view.as_ref(), "documentKind", &ValueRange::Any, Order::Ascending)
            .map(|entry| entry.expect("readable").link)
            .collect();
        indexed.sort();
        assert_eq!(indexed, live().map(|document| document.link.clone()).collect::<Vec<_>>());
        let meta = store.meta().expect("readable");
        let mut counts = BTreeMap::new();
        live().filter_map(|it| it.link.parent()).for_each(|parent| *counts.entry(parent).or_insert(0) += 1);
        assert_eq!(meta.counts, counts);
        assert_eq!(meta.buckets, self.buckets());
        assert_eq!(meta.applied.map(|position| position.offset), through.checked_sub(1).map(Offset));
        assert_eq!(store.recompute_digest(view.as_ref()).expect("readable"), meta.buckets);
    }
}

/// Applies the steps in runs; between two runs the store is opened anew, and some records come again.
fn run(steps: &[(Step, bool)], reopen: &mut dyn FnMut(Option<PartitionStore>) -> PartitionStore) {
    let mut model = Model::default();
    let mut store = reopen(None);
    let mut waiting: Vec<Record> = Vec::new();
    let mut again: Vec<Record> = Vec::new();
    for (offset, (step, ends_run)) in (0..).zip(steps) {
        waiting.push(model.record(offset, *step));
        if !ends_run {
            continue;
        }
        let records = [std::mem::take(&mut again), std::mem::take(&mut waiting)].concat();
        store.apply(&records, &EveryScalar).expect("the records follow");
        model.compare(&store, offset + 1);
        store = reopen(Some(store));
        again = records[records.len() / 2..].to_vec();
    }
    model.compare(&reopen(Some(store)), steps.iter().rposition(|(_, ends)| *ends).map_or(0, |at| at as u64 + 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_partition_is_what_its_records_amount_to(
        mut steps in prop::collection::vec((any_step(), prop::bool::weighted(0.3)), 1..60),
    ) {
        steps.last_mut().expect("there is a step").1 = true;
        let memory: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
        run(&steps, &mut |_| PartitionStore::new(Arc::clone(&memory), 1, partition()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    #[test]
    fn a_partition_on_disk_survives_every_restart(
        mut steps in prop::collection::vec((any_step(), prop::bool::weighted(0.2)), 1..30),
    ) {
        steps.last_mut().expect("there is a step").1 = true;
        let folder = tempfile::tempdir().expect("a folder");
        run(&steps, &mut |closed| {
            drop(closed);
            let store = FjallStore::open(folder.path().join("state"), Options::default()).expect("it opens");
            PartitionStore::new(Arc::new(store), 1, partition())
        });
    }
}
