//! A partition against a model that is too simple to be wrong, over both stores.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use steward_model::document::UpdateAction;
use steward_model::update::{Change, Entry, Record, RequestKey, Update};
use steward_model::{Document, Link, Offset, Timestamp, Version};

use super::examples::{alone, at, document, effect, link, partition, record, reply, sequence, update, updated};
use super::{Across, Listed, PartitionStore};
use crate::index::EveryScalar;
use crate::state::{FjallStore, MemoryStore, Options, StateStore};

#[derive(Debug, Clone, Copy)]
enum Step {
    Put { document: u8, value: i8, keep: Option<u8>, expires: u8 },
    Delete { document: u8 },
    Renew { document: u8 },
    Touch { document: u8 },
    Forget { below: u8 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let document = 0_u8..5;
    prop_oneof![
        8 => (document.clone(), any::<i8>(), prop::option::of(0_u8..4), 0_u8..3)
            .prop_map(|(document, value, keep, expires)| Step::Put { document, value, keep, expires }),
        2 => document.clone().prop_map(|document| Step::Delete { document }),
        1 => document.clone().prop_map(|document| Step::Renew { document }),
        1 => document.prop_map(|document| Step::Touch { document }),
        1 => any::<u8>().prop_map(|below| Step::Forget { below }),
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
    /// At which offsets the effects that wait were issued.
    effects: BTreeMap<Link, Vec<u64>>,
    /// At which offset which request was answered.
    answers: BTreeMap<(Link, u64), u64>,
}

impl Model {
    /// Returns the record of a step, and keeps what it amounts to.
    fn record(&mut self, offset: u64, step: Step) -> Record {
        let name = |number: u8| format!("/{}/{number}", if number < 3 { "f" } else { "g" });
        let next = |life: Option<&Life>| life.and_then(|life| life.versions.last()).map_or(0, |it| it.version.0 + 1);
        let (mut change, number, body, keep) = match step {
            Step::Put { document, value, keep, .. } => {
                let also = if value < 0 { r#","m":1"# } else { "" };
                (Change::NewVersion, document, format!(r#"{{"n":{value}{also}}}"#), keep.map(u64::from))
            }
            Step::Delete { document } => (Change::NewVersion, document, "{}".to_owned(), Some(3)),
            Step::Renew { document } => (Change::Renewal, document, r#"{"n":0}"#.to_owned(), Some(3)),
            Step::Touch { document } => (Change::None, document, String::new(), Some(3)),
            Step::Forget { below } => return self.forget(offset, u64::from(below) % (offset + 1)),
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
            Step::Put { expires, value, .. } => {
                new.expires = Timestamp(expires.into());
                if value % 2 == 0 {
                    new.recording = Bytes::from(format!("what made {value}"));
                }
            }
            Step::Delete { .. } => (new.action, new.expires) = (UpdateAction::Delete, Timestamp(9)),
            // What changes no state does not carry it.
            Step::Touch { .. } if change == Change::None => new.body = Bytes::new(),
            Step::Renew { .. } | Step::Touch { .. } | Step::Forget { .. } => {}
        }
        // Every other update has an effect, and settles the one before; every third is remembered.
        let effects: Vec<_> = offset.is_multiple_of(2).then(|| effect(link.as_str(), offset, 0)).into_iter().collect();
        let waiting = self.effects.entry(link.clone()).or_default();
        let settled: Vec<_> = waiting.pop().map(|at| effect(link.as_str(), at, 0).key).into_iter().collect();
        waiting.extend(offset.is_multiple_of(2).then_some(offset));
        let remembered = offset.is_multiple_of(3).then(|| reply(&(offset % 4).to_string(), 0));
        if remembered.is_some() {
            self.answers.insert((link.clone(), offset % 4), offset);
        }
        let made = updated(offset, Update { change, keep_versions: keep, effects, settled, remembered, ..update(new) });
        let Entry::Update(update) = &made.entry else { unreachable!("it is one") };
        self.live(update, offset);
        made
    }

    fn forget(&mut self, offset: u64, below: u64) -> Record {
        let is_old = |life: &Life| life.touched < below && life.versions.last().is_some_and(Document::is_tombstone);
        self.lives.retain(|_, life| !is_old(life));
        self.answers.retain(|_, at| *at >= below);
        let (tombstones_below, answers_below) = (Offset(below), Offset(below));
        record(offset, Entry::Forget { tombstones_below, answers_below })
    }

    fn live(&mut self, update: &Update, offset: u64) {
        let link = update.document.link.clone();
        let mut life = self.lives.remove(&link);
        match update.change {
            Change::NewVersion => life.get_or_insert_default().versions.push(update.document.clone()),
            Change::Renewal => life = Some(Life { versions: vec![update.document.clone()], ..Life::default() }),
            Change::None => {}
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

    fn compare_beside(&self, store: &PartitionStore) {
        let waiting = store.outbox(None, usize::MAX).expect("readable");
        let waiting: Vec<_> = waiting.into_iter().map(|effect| (effect.key.link, effect.key.at.offset.0)).collect();
        let effects = self.effects.iter().flat_map(|(link, at)| at.iter().map(move |at| (link.clone(), *at)));
        assert_eq!(waiting, effects.collect::<Vec<_>>());
        for (link, request) in self.effects.keys().flat_map(|link| (0..4).map(move |request| (link.clone(), request))) {
            let key = RequestKey::of(&request.to_string());
            let found = store.remembered(&link, &key).expect("readable").map(|reply| reply.at);
            assert_eq!(found, self.answers.get(&(link, request)).map(|offset| at(*offset)));
        }
    }

    fn compare(&self, store: &PartitionStore, through: u64) {
        self.compare_beside(store);
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
        let mut places: Vec<_> = self.lives.iter().map(|(link, life)| (Offset(life.touched), link.clone())).collect();
        places.sort();
        assert_eq!(sequence(store), places);
        let live = || newest.iter().filter(|document| !document.is_tombstone());
        let mut expiring: Vec<_> = newest
            .iter()
            .filter(|document| document.expires.0 != 0 && !document.is_tombstone())
            .map(|document| (document.expires, document.link.clone()))
            .collect();
        expiring.sort();
        assert_eq!(store.expired(Timestamp(i64::MAX), usize::MAX).expect("readable"), expiring);
        let copies = alone(store);
        let across = Across::new(store.store().as_ref(), view.as_ref(), &copies);
        let mut factories: BTreeMap<Link, Vec<&Document>> = BTreeMap::new();
        let factory_of = |link: &Link| link.parent().expect("a document of a factory");
        for link in self.lives.keys() {
            factories.entry(factory_of(link)).or_default();
        }
        live().for_each(|document| factories.entry(factory_of(&document.link)).or_default().push(document));
        for (factory, documents) in factories {
            let links: Vec<&Link> = documents.iter().map(|document| &document.link).collect();
            let listed: Vec<Listed> = across.listed(&factory, None).map(|listed| listed.expect("readable")).collect();
            assert_eq!(listed.iter().map(|listed| &listed.link).collect::<Vec<_>>(), links);
            let expires: Vec<Timestamp> = documents.iter().map(|document| document.expires).collect();
            assert_eq!(listed.iter().map(|listed| listed.expires).collect::<Vec<_>>(), expires);
            assert_eq!(across.count(&factory).expect("readable"), links.len() as u64);
            let everywhere = |path: &str| across.is_everywhere(&factory, path).expect("readable");
            let lacks = |document: &&Document| !document.body.windows(3).any(|part| part == br#""m""#);
            assert!(documents.is_empty() || !documents.iter().any(lacks) || !everywhere("m"), "{documents:?}");
            assert!(everywhere("n"), "every state has one, {documents:?}");
            assert_eq!(everywhere("x"), documents.is_empty());
        }
        let meta = store.meta().expect("readable");
        assert_eq!(meta.applied.map(|position| position.offset), through.checked_sub(1).map(Offset));
        assert_eq!(store.recompute_digest(view.as_ref()).expect("readable"), meta.buckets);
    }
}

/// Applies the steps in runs; between two runs the store is opened anew, and some records come again.
fn run(steps: &[(Step, bool)], reopen: &mut dyn FnMut(Option<PartitionStore>) -> PartitionStore) {
    let mut model = Model::default();
    let mut store = reopen(None);
    // Takes the records one by one: how they are gathered changes nothing.
    let single = PartitionStore::new(Arc::new(MemoryStore::new()), 1, partition());
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
        for record in &records {
            single.apply(std::slice::from_ref(record), &EveryScalar).expect("it follows");
        }
        assert_eq!(store.progress().expect("readable"), single.progress().expect("readable"));
        assert_eq!(store.meta().expect("readable"), single.meta().expect("readable"));
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
