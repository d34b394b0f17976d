//! Documents, versions, field index, counts, outbox, remembered answers, digest and applied offset of a store
//! agree with one another and with the log, after any crash.

use std::collections::{BTreeMap, BTreeSet};

use steward_model::{Link, PartitionId};
use steward_storage::documents::{Across, Copies, Error, PartitionStore};
use steward_storage::index::ValueRange;

use crate::facts::Fact;
use crate::model::Model;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for fact in facts {
        let Fact::LookAtStore(partition) = fact else { continue };
        let store = world.documents(*partition);
        let looked = world.machine.store.without_faults(|| look(world, *partition, &store));
        looked.map_err(|error| format!("{partition} cannot be read: {error}"))??;
    }
    Ok(())
}

fn look(world: &World, partition: PartitionId, store: &PartitionStore) -> Result<Result<(), String>, Error> {
    let Some(known) = world.oracle.about(partition) else { return Ok(Ok(())) };
    let meta = store.meta()?;
    if meta.applied > known.committed_end() {
        return Ok(Err(format!("{partition} holds {:?}, committed is {:?}", meta.applied, known.committed_end())));
    }
    // A write that failed may have been made: then the store is ahead of what it said.
    let followed = world.stored.get(&partition).filter(|model| model.applied == meta.applied);
    let model = followed.cloned().unwrap_or_else(|| known.model_at(meta.applied));
    let wrong = |what: &str, found: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
        Err(format!("{partition} at {:?}: {what} {found:?}, the log makes {expected:?}", meta.applied))
    };
    if meta.applied != model.applied || meta.lineage != model.lineage {
        return Ok(wrong("lineage", &(meta.applied, &meta.lineage), &(model.applied, &model.lineage)));
    }
    if let Err(error) = documents(world, partition, store, &model)? {
        return Ok(Err(format!("{partition} at {:?}: {error}", meta.applied)));
    }
    let view = store.view()?;
    let digest = store.recompute_digest(view.as_ref())?;
    if digest != meta.buckets {
        return Ok(wrong("digest", &meta.buckets, &digest));
    }
    let outbox = store.outbox(None, usize::MAX)?;
    let outbox: BTreeMap<_, _> = outbox.into_iter().map(|effect| (effect.key.clone(), effect)).collect();
    if outbox != model.outbox {
        return Ok(wrong("outbox", &outbox, &model.outbox));
    }
    if let Err((what, found, expected)) = across(world, store, &model)? {
        return Ok(wrong(&what, &found, &expected));
    }
    Ok(Ok(()))
}

/// What differs: its name, what was found, what is expected.
type Differs = (String, BTreeSet<Link>, BTreeSet<Link>);

/// Looks at what is kept by factory, for all partitions together.
fn across(world: &World, store: &PartitionStore, model: &Model) -> Result<Result<(), Differs>, Error> {
    let mut factories: BTreeMap<Link, BTreeSet<Link>> = BTreeMap::new();
    for (link, held) in &model.documents {
        let live = factories.entry(link.parent().unwrap_or_else(|| link.clone())).or_default();
        if !held.document.is_tombstone() {
            live.insert(link.clone());
        }
    }
    let view = store.view()?;
    let mut copies = Copies::none(store.partition().lane);
    copies.add(store.copy());
    let across = Across::new(store.store().as_ref(), view.as_ref(), &copies);
    let counts = model.counts();
    for (factory, live) in factories {
        let count = across.count(&factory)?;
        let listed: BTreeSet<Link> =
            across.listed(&factory, None).map(|row| Ok(row?.link)).collect::<Result<_, Error>>()?;
        if listed != live || count != counts.get(&factory).copied().unwrap_or(0) {
            return Ok(Err((format!("listing, with a count of {count},"), listed, live)));
        }
        if world.index.has_changed {
            continue;
        }
        let indexed = across.indexed(&factory, "by", &ValueRange::Any)?;
        let indexed: BTreeSet<Link> = indexed.map(|row| Ok(row?.link)).collect::<Result<_, Error>>()?;
        if indexed != live {
            return Ok(Err(("index".to_owned(), indexed, live)));
        }
    }
    Ok(Ok(()))
}

fn documents(
    world: &World,
    partition: PartitionId,
    store: &PartitionStore,
    model: &Model,
) -> Result<Result<(), String>, Error> {
    for link in world.clients.links().iter().filter(|link| crate::tasks::place(link) == partition) {
        let mut found = store.versions(link, usize::MAX)?;
        found.reverse();
        let mut expected = Vec::new();
        if let Some(held) = model.documents.get(link) {
            expected.clone_from(&held.older);
            expected.push(held.document.clone());
        }
        if found != expected {
            return Ok(Err(format!("{link} has {found:?}, the log makes {expected:?}")));
        }
    }
    for ((link, key), expected) in &model.replies {
        let found = store.remembered(link, key)?;
        if found.as_ref() != Some(expected) {
            return Ok(Err(format!("{link} remembers {found:?}, the log makes {expected:?}")));
        }
    }
    Ok(Ok(()))
}
