//! From records to one batch.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use steward_model::mutation::{self, Mutation};
use steward_model::update::{Change, Entry, Record, Update};
use steward_model::{Link, Offset, Position, Version, codec};

use super::tally::{Changes, Tally};
use super::{Applied, Current, Error, PartitionStore, Progress, Summary};
use crate::digest::{self, Digest, Kind, bucket_of};
use crate::index::{self, IndexPlan};
use crate::keys;
use crate::state::{Batch, Family, KeyRange, Order};

/// One document of a run.
#[derive(Default)]
struct Staged {
    /// As it is in the store.
    before: Option<Current>,
    /// As it will be.
    now: Option<Current>,
    /// What of it is counted in the digest.
    counted: Option<Digest>,
    /// `now` is not what is counted.
    is_dirty: bool,
}

/// Changes of one partition on their way into one batch.
pub(super) struct Run<'a> {
    pub(super) partition: &'a PartitionStore,
    index: &'a dyn IndexPlan,
    pub(super) batch: Batch,
    pub(super) summary: Summary,
    staged: BTreeMap<Link, Staged>,
    changed_buckets: BTreeSet<u8>,
    progressed: bool,
}

fn is_live(current: &Option<Current>) -> bool {
    current.as_ref().is_some_and(|current| !current.document.is_tombstone())
}

impl PartitionStore {
    /// Applies committed records, in the order of their offsets, in one batch.
    ///
    /// # Errors
    /// [`Error::Gap`] if the first record that is not applied does not follow the last that is. After an error of the store
    /// the run was applied as a whole or not at all; tried again, records that were applied are skipped.
    pub fn apply(&self, records: &[Record], index: &dyn IndexPlan) -> Result<Applied, Error> {
        self.change(index, |run| {
            let mut applied = Applied::default();
            for record in records {
                let next = run.progress().applied.map_or(Offset(0), |position| position.offset.next());
                // A run is tried again as a whole after an error, and recovery may begin too early: a record counts
                // once.
                if record.position.offset < next {
                    applied.skipped += 1;
                    continue;
                }
                // Applied beyond a gap the store would be the state at no offset at all (I13).
                if record.position.offset > next {
                    let (partition, found) = (self.partition, record.position.offset);
                    return Err(Error::Gap { partition, expected: next, found });
                }
                run.record(record)?;
                applied.applied += 1;
            }
            applied.through = run.progress().applied;
            Ok(applied)
        })
    }

    /// Collects changes in a run and writes them in one batch.
    pub(super) fn change<T>(
        &self,
        index: &dyn IndexPlan,
        collect: impl FnOnce(&mut Run<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut slot = self.summary();
        // Taken, not borrowed: after an error nothing of it is known to be true.
        let before = self.known(&mut slot)?;
        let mut run = Run::new(self, index, before);
        let answer = collect(&mut run)?;
        let (batch, after) = run.finish()?;
        if mutation::is(Mutation::SummaryKept) {
            *slot = Some(after.clone());
        }
        if !batch.is_empty() {
            self.store.write(batch)?;
        }
        *slot = Some(after);
        Ok(answer)
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(partition: &'a PartitionStore, index: &'a dyn IndexPlan, summary: Summary) -> Run<'a> {
        Run {
            partition,
            index,
            batch: Batch::after_reads_of(summary.instance),
            summary,
            staged: BTreeMap::new(),
            changed_buckets: BTreeSet::new(),
            progressed: false,
        }
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.summary.progress
    }

    /// Sets how far the partition has come.
    pub(super) fn set_progress(&mut self, progress: Progress) {
        self.summary.progress = progress;
        self.progressed = true;
    }

    /// Takes one record.
    pub(super) fn record(&mut self, record: &Record) -> Result<(), Error> {
        match &record.entry {
            Entry::Marker => {}
            Entry::Update(update) => self.update(record.position, update)?,
            Entry::Forget { tombstones_below, answers_below } => {
                self.forget_tombstones(*tombstones_below)?;
                self.forget_answers(*answers_below)?;
            }
        }
        self.summary.progress.reached(record.position);
        self.progressed = true;
        // At fixed offsets, so that copies which applied in runs of other lengths can be compared. What the run has
        // changed so far is counted first: a root is of everything below its offset (I15).
        if let Some(offset) = self.summary.progress.root_due() {
            self.count_all();
            let root = self.summary.buckets.root();
            self.summary.progress.remember_root(offset, root);
        }
        Ok(())
    }

    fn update(&mut self, position: Position, update: &Update) -> Result<(), Error> {
        let link = &update.document.link;
        let current = |history| Current {
            touched: position.offset,
            keep_versions: update.keep_versions,
            history,
            document: update.document.clone(),
        };
        match update.change {
            _ if update.document.is_tombstone() && mutation::is(Mutation::DeletionNotStored) => {}
            Change::NewVersion => {
                // Taken, not copied: it is replaced below, and after an error nothing of the run is kept.
                let new = match self.stage(link)?.now.take() {
                    Some(old) => {
                        // Encoded once: it becomes a part of the history, and a row of its own.
                        let row = codec::encode(&old.document);
                        let new = current(old.history_with(&row));
                        self.keep_version(&old, row, &new)?;
                        new
                    }
                    None => current(Digest::default()),
                };
                self.set(link, Some(new))?;
            }
            Change::Renewal => {
                self.remove_versions(link, Version(u64::MAX))?;
                self.set(link, Some(current(Digest::default())))?;
            }
            // The state stays as it is, so the record does not carry it. Without a document there is nothing that the
            // record could be about but effects and answers.
            Change::None => {
                let staged = self.stage(link)?;
                let is_passed = mutation::is(Mutation::TouchedByRun) && !staged.is_dirty;
                if let Some(now) = staged.now.as_mut().filter(|_| !is_passed) {
                    now.touched = position.offset;
                    staged.is_dirty = true;
                }
            }
        }
        update.effects.iter().try_for_each(|effect| self.issue(effect))?;
        update.settled.iter().try_for_each(|effect| self.settle(effect))?;
        update.remembered.iter().try_for_each(|reply| self.remember(link, reply))
    }

    fn stage(&mut self, link: &Link) -> Result<&mut Staged, Error> {
        if !self.staged.contains_key(link) {
            let staged = match self.partition.current_row(link)? {
                Some((row, before)) => Staged {
                    counted: (!before.document.is_tombstone()).then(|| digest::of_row(Kind::Document, link, &row)),
                    now: Some(before.clone()),
                    before: Some(before),
                    is_dirty: false,
                },
                None => Staged::default(),
            };
            self.staged.insert(link.clone(), staged);
        }
        Ok(self.staged.get_mut(link).expect("it is staged: it was there or has just been inserted"))
    }

    /// Returns a document as it is after what the run has done so far.
    pub(super) fn now(&mut self, link: &Link) -> Result<Option<&Current>, Error> {
        Ok(self.stage(link)?.now.as_ref())
    }

    /// Returns the documents that the run has changed so far.
    pub(super) fn staged_links(&self) -> Vec<Link> {
        self.staged.keys().cloned().collect()
    }

    /// Sets what a document will be.
    pub(super) fn set(&mut self, link: &Link, now: Option<Current>) -> Result<(), Error> {
        let staged = self.stage(link)?;
        (staged.now, staged.is_dirty) = (now, true);
        Ok(())
    }

    /// Counts a row in the digest, or takes it out of it.
    pub(super) fn count(&mut self, link: &Link, old: Option<Digest>, new: Option<Digest>) {
        let bucket = bucket_of(link);
        if let Some(old) = old.filter(|_| !mutation::is(Mutation::DigestOnlyGrows)) {
            self.summary.buckets.subtract(bucket, &old);
        }
        if let Some(new) = new {
            self.summary.buckets.add(bucket, &new);
        }
        self.changed_buckets.insert(bucket);
    }

    /// Brings the digest up to what the documents are now.
    fn count_all(&mut self) {
        let mut staged = std::mem::take(&mut self.staged);
        for (link, staged) in staged.iter_mut().filter(|(_, staged)| staged.is_dirty) {
            self.count_document(link, staged);
        }
        self.staged = staged;
    }

    /// Brings the digest up to what a document is now, and returns its row.
    fn count_document(&mut self, link: &Link, staged: &mut Staged) -> Option<Bytes> {
        let row = staged.now.as_ref().map(|current| Bytes::from(codec::encode(current)));
        let live = row.as_ref().filter(|_| is_live(&staged.now));
        let new = live.map(|row| digest::of_row(Kind::Document, link, row));
        self.count(link, std::mem::replace(&mut staged.counted, new), new);
        staged.is_dirty = false;
        row
    }

    /// Keeps the version that `new` replaces, whose row is `row`, and removes those that are too old now.
    fn keep_version(&mut self, old: &Current, row: Vec<u8>, new: &Current) -> Result<(), Error> {
        let (space, link) = (self.partition.copy(), &new.document.link);
        if new.keeps(old.document.version) {
            self.put_version(link, old.document.version, row);
        }
        let oldest = new.oldest_kept();
        let had = old.oldest_kept();
        // Usually one version falls out with each new one. If fewer are to be kept than before, it may be many.
        if oldest.0 > had.0 + 1 {
            return self.remove_versions(link, oldest);
        }
        if oldest > had && had < old.document.version {
            self.batch.remove(Family::Version, keys::version::encode(space, link, had));
        }
        Ok(())
    }

    /// Sets that there is no such document.
    pub(super) fn purge(&mut self, link: &Link) -> Result<(), Error> {
        self.remove_versions(link, Version(u64::MAX))?;
        self.set(link, None)
    }

    pub(super) fn put_version(&mut self, link: &Link, version: Version, row: Vec<u8>) {
        self.batch.put(Family::Version, keys::version::encode(self.partition.copy(), link, version), row);
    }

    /// Removes the older versions of a document below `oldest`.
    fn remove_versions(&mut self, link: &Link, oldest: Version) -> Result<(), Error> {
        for key in self.keys_with(Family::Version, &keys::version::of(self.partition.copy(), link))? {
            let (_, version) =
                keys::version::decode(&key).ok_or_else(|| self.partition.damaged(Family::Version, "no such key"))?;
            if version < oldest {
                self.batch.remove(Family::Version, key);
            }
        }
        Ok(())
    }

    /// Returns the keys of a range as they are after what the run has done so far.
    pub(super) fn keys_in(&self, family: Family, range: KeyRange) -> Result<BTreeSet<Vec<u8>>, Error> {
        let mut found = self.batch.keys_set(family, &range);
        let view = self.partition.store.view()?;
        for key in view.scan_keys(family, range, Order::Ascending) {
            let key = Vec::from(key?);
            if self.batch.get(family, &key).is_none() {
                found.insert(key);
            }
        }
        Ok(found)
    }

    /// Returns the keys with a prefix as they are after what the run has done so far.
    pub(super) fn keys_with(&self, family: Family, prefix: &[u8]) -> Result<BTreeSet<Vec<u8>>, Error> {
        self.keys_in(family, KeyRange::prefix(prefix))
    }

    /// Returns a row as it is after what the run has done so far.
    pub(super) fn row(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error> {
        match self.batch.get(family, key) {
            Some(changed) => Ok(changed.cloned()),
            None => Ok(self.partition.store.get(family, key)?),
        }
    }

    /// Returns the batch, and what is known once it is written.
    pub(super) fn finish(mut self) -> Result<(Batch, Summary), Error> {
        let space = self.partition.copy();
        let mut factories: BTreeMap<Link, Changes> = BTreeMap::new();
        // Documents first: writing them changes buckets, whose sums are written below.
        for (link, mut staged) in std::mem::take(&mut self.staged) {
            let fields = self.move_rows(&link, &mut staged);
            // Against the store, not against the last record: what came and went within the run was never counted.
            let came = i64::from(is_live(&staged.now)) - i64::from(is_live(&staged.before));
            if let Some(factory) = link.parent().filter(|_| came != 0 || fields.is_some()) {
                factories.entry(factory).or_default().take(came, fields);
            }
        }
        for (factory, changes) in factories {
            self.tally(&factory, &changes)?;
        }
        for bucket in std::mem::take(&mut self.changed_buckets) {
            let key = keys::meta::encode(space, &keys::meta::Key::Bucket(bucket));
            let sum = self.summary.buckets.bucket(bucket);
            match sum == Digest::default() {
                true => self.batch.remove(Family::Meta, key),
                false => self.batch.put(Family::Meta, key, sum.to_vec()),
            }
        }
        // I13: in the same batch as everything that it speaks of. Written apart, a crash between the two would have
        // records applied twice, or never.
        if self.progressed {
            let key = keys::meta::encode(space, &keys::meta::Key::Progress);
            self.batch.put(Family::Meta, key, codec::encode(&self.summary.progress));
        }
        Ok((self.batch, self.summary))
    }

    /// Changes what is kept of the living documents of a factory.
    fn tally(&mut self, factory: &Link, changes: &Changes) -> Result<(), Error> {
        let key = keys::factory::encode(factory, &keys::factory::Key::Tally(self.partition.copy()));
        let before = self.row(Family::Factory, &key)?;
        let known = before.as_deref().map_or(Ok(Tally::default()), Tally::read);
        let tally = changes.of(known.map_err(|reason| self.partition.damaged(Family::Factory, reason))?);
        // No row instead of a zero: equal states then have equal rows, whatever they came from.
        let after = (tally.count > 0).then(|| tally.row());
        match after {
            after if after.as_deref() == before.as_deref() => {}
            Some(row) => self.batch.put(Family::Factory, key, row),
            None => self.batch.remove(Family::Factory, key),
        }
        Ok(())
    }

    /// Writes one document, and moves its rows in sequence, tombstones, expiry, listing and index. Returns which fields it has in
    /// the index, if these are others than before.
    fn move_rows(&mut self, link: &Link, staged: &mut Staged) -> Option<BTreeSet<String>> {
        if staged.before == staged.now {
            // It may have been something else at a root in between, and be counted so.
            if staged.is_dirty {
                self.count_document(link, staged);
            }
            return None;
        }
        let space = self.partition.copy();
        let key = keys::document::encode(space, link);
        match self.count_document(link, staged) {
            Some(row) => self.batch.put(Family::Document, key, row),
            None => self.batch.remove(Family::Document, key),
        }
        let Staged { before, now, .. } = staged;
        let (before, now) = (before.as_ref(), now.as_ref());
        let place = |current: &Current| keys::sequence::encode(space, current.touched, link);
        self.move_row(Family::Sequence, before.map(place), now.map(place));
        let tombstone = |current: &Current| {
            current.document.is_tombstone().then(|| keys::tombstone::encode(space, current.touched, link))
        };
        self.move_row(Family::Tombstone, before.and_then(tombstone), now.and_then(tombstone));
        let expiry = |current: &Current| {
            let document = &current.document;
            // Tombstones go by the horizon that the primary sets, in the order of the log.
            let expires = document.expires.0 != 0 && !document.is_tombstone();
            expires.then(|| keys::expiry::encode(space, document.expires, link))
        };
        self.move_row(Family::Expiry, before.and_then(expiry), now.and_then(expiry));
        self.move_listing(link, before, now);
        self.move_index(link, before, now)
    }

    fn move_listing(&mut self, link: &Link, before: Option<&Current>, now: Option<&Current>) {
        let lists = |current: Option<&Current>| {
            let living = current.filter(|current| !current.document.is_tombstone());
            living.map(|current| keys::listing::value(current.document.expires))
        };
        let (old, new) = (lists(before), lists(now));
        if old == new {
            return;
        }
        let key = keys::listing::encode(self.partition.copy(), link);
        match new {
            Some(value) => {
                if !value.is_empty() {
                    self.flag(link, &keys::factory::Key::Expiring);
                }
                self.batch.put(Family::Listing, key, value);
            }
            None => self.batch.remove(Family::Listing, key),
        }
    }

    fn move_index(&mut self, link: &Link, before: Option<&Current>, now: Option<&Current>) -> Option<BTreeSet<String>> {
        let indexes = |current: Option<&Current>| {
            let living = current.map(|current| &current.document).filter(|document| !document.is_tombstone());
            living.map(|document| document.body.clone())
        };
        let (was, is) = (indexes(before), indexes(now));
        if was == is {
            return None;
        }
        let fields = self.index.fields(link);
        let rows = |current: Option<&Current>| {
            current.map(|current| index::rows_of(self.partition.copy(), &current.document, &fields)).unwrap_or_default()
        };
        let (mut old, new) = (rows(before), rows(now));
        if new.is_partial && !old.is_partial {
            self.flag(link, &keys::factory::Key::Partial);
        }
        for (key, is_one_of_several) in new.keys {
            if old.keys.remove(&key) != Some(is_one_of_several) {
                self.batch.put(Family::Index, key, index::row_value(is_one_of_several));
            }
        }
        let is_left = mutation::is(Mutation::IndexKeepsRemoved);
        old.keys.into_keys().filter(|_| !is_left).for_each(|key| self.batch.remove(Family::Index, key));
        (is.is_some() && (was.is_none() || old.fields != new.fields)).then_some(new.fields)
    }

    /// Says something of the factory of a document, for good.
    fn flag(&mut self, link: &Link, what: &keys::factory::Key) {
        if let Some(factory) = link.parent() {
            self.batch.put(Family::Factory, keys::factory::encode(&factory, what), Vec::new());
        }
    }

    fn move_row(&mut self, family: Family, old: Option<Vec<u8>>, new: Option<Vec<u8>>) {
        if old == new {
            return;
        }
        if let Some(key) = old {
            self.batch.remove(family, key);
        }
        if let Some(key) = new {
            self.batch.put(family, key, Vec::new());
        }
    }
}
