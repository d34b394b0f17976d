//! From records to one batch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steward_model::document::ContentDigest;
use steward_model::mutation::{self, Mutation};
use steward_model::update::{Change, Entry, PendingEffect, Record, RememberedReply, Update};
use steward_model::{Link, Position, Timestamp, Version, codec};

use super::{Current, Error, PartitionStore, Progress, Summary};
use crate::digest::{BUCKET_BYTES, bucket_of};
use crate::index::{self, IndexPlan};
use crate::keys;
use crate::state::{Batch, Family, KeyRange, Order};

/// How long answers are remembered.
pub(super) const ANSWER_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How many old answers one batch forgets at the most.
const FORGOTTEN_ANSWERS_MAX: usize = 1024;

/// One document of a run.
#[derive(Default)]
struct Staged {
    /// As it is in the store.
    before: Option<Current>,
    /// As it will be.
    now: Option<Current>,
    /// The digest of `now`.
    digest: Option<ContentDigest>,
}

/// Changes of one partition on their way into one batch.
pub(super) struct Run<'a> {
    partition: &'a PartitionStore,
    index: &'a dyn IndexPlan,
    batch: Batch,
    summary: Summary,
    staged: BTreeMap<Link, Staged>,
    changed_buckets: BTreeSet<u8>,
    progressed: bool,
    newest_time: Timestamp,
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
            newest_time: Timestamp(i64::MIN),
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
            Entry::Update(update) => self.update(record.position, update)?,
            Entry::Marker | Entry::Forget { .. } => {}
        }
        self.summary.progress.reached(record.position);
        self.progressed = true;
        Ok(())
    }

    fn update(&mut self, position: Position, update: &Update) -> Result<(), Error> {
        let link = &update.document.link;
        let current = || Current {
            touched: position.offset,
            keep_versions: update.keep_versions,
            document: update.document.clone(),
        };
        let old = self.stage(link)?.now.clone();
        match update.change {
            Change::NewVersion => {
                let new = current();
                if let Some(old) = &old {
                    self.keep_version(old, &new)?;
                }
                self.set(link, Some(new))?;
            }
            Change::Renewal => {
                self.remove_all_versions(link)?;
                self.set(link, Some(current()))?;
            }
            // The state stays as it is, so the record does not carry it. Without a document there is nothing that the
            // record could be about but effects and answers.
            Change::None => {
                if let Some(Current { keep_versions, document, .. }) = old {
                    self.set(link, Some(Current { touched: position.offset, keep_versions, document }))?;
                }
            }
            Change::Purge if mutation::is(Mutation::PurgeIgnored) => {}
            Change::Purge => {
                self.purge(link)?;
                self.summary.progress.delta_floor = position.offset.next();
            }
        }
        self.newest_time = self.newest_time.max(update.document.updated);
        update.effects.iter().for_each(|effect| self.issue(effect));
        for effect in &update.settled {
            self.batch.remove(Family::Outbox, keys::outbox::encode(self.partition.space, effect));
        }
        if let Some(reply) = &update.remembered {
            self.remember(link, reply);
        }
        Ok(())
    }

    pub(super) fn issue(&mut self, effect: &PendingEffect) {
        let key = keys::outbox::encode(self.partition.space, &effect.key);
        self.batch.put(Family::Outbox, key, codec::encode(effect));
    }

    pub(super) fn remember(&mut self, link: &Link, reply: &RememberedReply) {
        let space = self.partition.space;
        self.batch.put(Family::Reply, keys::reply::encode(space, link, &reply.key), codec::encode(reply));
        self.batch.put(Family::Answered, keys::answered::encode(space, reply.answered, link, &reply.key), Vec::new());
        self.summary.oldest_answer = self.summary.oldest_answer.map(|oldest| oldest.min(reply.answered));
        self.newest_time = self.newest_time.max(reply.answered);
    }

    fn stage(&mut self, link: &Link) -> Result<&mut Staged, Error> {
        if !self.staged.contains_key(link) {
            let before = self.partition.current(link)?;
            let digest = before.as_ref().map(|current| current.document.digest());
            self.staged.insert(link.clone(), Staged { now: before.clone(), before, digest });
        }
        Ok(self.staged.get_mut(link).expect("it is staged: it was there or has just been inserted"))
    }

    /// Sets what a document will be, and counts it in the digest at once: a later mark of the run is compared with it.
    fn set(&mut self, link: &Link, now: Option<Current>) -> Result<(), Error> {
        let digest = now.as_ref().map(|current| current.document.digest());
        let staged = self.stage(link)?;
        staged.now = now;
        let old_digest = std::mem::replace(&mut staged.digest, digest);
        let bucket = bucket_of(link);
        if let Some(old) = old_digest.filter(|_| !mutation::is(Mutation::DigestOnlyGrows)) {
            self.summary.buckets.subtract(bucket, &old);
        }
        if let Some(new) = digest {
            self.summary.buckets.add(bucket, &new);
        }
        self.changed_buckets.insert(bucket);
        Ok(())
    }

    /// Keeps the version that `new` replaces, and removes those that are too old now.
    fn keep_version(&mut self, old: &Current, new: &Current) -> Result<(), Error> {
        let (space, link) = (self.partition.space, &new.document.link);
        if new.keeps(old.document.version) {
            self.put_version(&old.document);
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

    /// Sets a document as another replica has it. What is older here stays, unless it contradicts the new version.
    pub(super) fn replace(&mut self, new: &Current) -> Result<(), Error> {
        let link = &new.document.link;
        match self.stage(link)?.now.clone() {
            Some(old) if old.document.version < new.document.version => self.keep_version(&old, new)?,
            Some(old) if old.document.digest() != new.document.digest() => self.remove_all_versions(link)?,
            Some(_) | None => {}
        }
        self.set(link, Some(new.clone()))
    }

    /// Sets that there is no such document.
    pub(super) fn purge(&mut self, link: &Link) -> Result<(), Error> {
        self.remove_all_versions(link)?;
        self.set(link, None)
    }

    fn remove_all_versions(&mut self, link: &Link) -> Result<(), Error> {
        self.remove_versions(link, Version(u64::MAX))
    }

    pub(super) fn put_version(&mut self, document: &steward_model::Document) {
        let key = keys::version::encode(self.partition.space, &document.link, document.version);
        self.batch.put(Family::Version, key, codec::encode(document));
    }

    /// Removes the older versions of a document below `oldest`.
    fn remove_versions(&mut self, link: &Link, oldest: Version) -> Result<(), Error> {
        let prefix = keys::version::of(self.partition.space, link);
        let view = self.partition.store.view()?;
        let mut found = self.batch.keys_set(Family::Version, &prefix);
        for key in view.scan_keys(Family::Version, KeyRange::prefix(&prefix), Order::Ascending) {
            found.push(key?.into());
        }
        for key in found {
            let (_, version) =
                keys::version::decode(&key).ok_or_else(|| self.partition.damaged(Family::Version, "no such key"))?;
            if version < oldest {
                self.batch.remove(Family::Version, key);
            }
        }
        Ok(())
    }

    /// Returns the batch, and what is known once it is written.
    pub(super) fn finish(mut self) -> Result<(Batch, Summary), Error> {
        let space = self.partition.space;
        let mut changed_counts = BTreeSet::new();
        for (link, staged) in std::mem::take(&mut self.staged) {
            self.move_rows(&link, &staged);
            let is_live = |current: &Option<Current>| current.as_ref().is_some_and(|it| !it.document.is_tombstone());
            let (was, is) = (is_live(&staged.before), is_live(&staged.now));
            if let Some(parent) = link.parent().filter(|_| was != is) {
                let count = self.summary.counts.entry(parent.clone()).or_insert(0);
                *count = if is { *count + 1 } else { count.saturating_sub(1) };
                changed_counts.insert(parent);
            }
        }
        for factory in changed_counts {
            let key = keys::meta::encode(space, &keys::meta::Key::Count(factory.clone()));
            match self.summary.counts.get(&factory) {
                Some(0) | None => {
                    self.summary.counts.remove(&factory);
                    self.batch.remove(Family::Meta, key);
                }
                Some(count) => self.batch.put(Family::Meta, key, count.to_be_bytes().to_vec()),
            }
        }
        for bucket in std::mem::take(&mut self.changed_buckets) {
            let sum: [u8; BUCKET_BYTES] = self.summary.buckets.bucket(bucket);
            let key = keys::meta::encode(space, &keys::meta::Key::Bucket(bucket));
            self.batch.put(Family::Meta, key, sum.to_vec());
        }
        self.forget_old_answers()?;
        if self.progressed {
            let key = keys::meta::encode(space, &keys::meta::Key::Progress);
            self.batch.put(Family::Meta, key, codec::encode(&self.summary.progress));
        }
        Ok((self.batch, self.summary))
    }

    /// Writes one document, and moves its rows in sequence, expiry and index.
    fn move_rows(&mut self, link: &Link, staged: &Staged) {
        let space = self.partition.space;
        let Staged { before, now, .. } = staged;
        let key = keys::document::encode(space, link);
        match now {
            Some(current) => self.batch.put(Family::Document, key, codec::encode(current)),
            None if before.is_some() => self.batch.remove(Family::Document, key),
            None => {}
        }
        let place = |current: &Current| keys::sequence::encode(space, current.touched);
        self.move_row(Family::Sequence, before.as_ref().map(place), now.as_ref().map(place), link.as_str());
        let expiry = |current: &Current| {
            let document = &current.document;
            (document.expires.0 != 0).then(|| keys::expiry::encode(space, document.expires, link))
        };
        self.move_row(Family::Expiry, before.as_ref().and_then(expiry), now.as_ref().and_then(expiry), "");
        let fields = self.index.fields(link);
        let index_keys = |current: &Option<Current>| {
            current.as_ref().map(|current| index::keys_of(space, &current.document, &fields)).unwrap_or_default()
        };
        let (old, new) = (index_keys(before), index_keys(now));
        let is_left = mutation::is(Mutation::IndexKeepsRemoved);
        old.difference(&new).filter(|_| !is_left).for_each(|key| self.batch.remove(Family::Index, key.clone()));
        new.difference(&old).for_each(|key| self.batch.put(Family::Index, key.clone(), Vec::new()));
    }

    fn move_row(&mut self, family: Family, old: Option<Vec<u8>>, new: Option<Vec<u8>>, value: &str) {
        if old == new {
            return;
        }
        if let Some(key) = old {
            self.batch.remove(family, key);
        }
        if let Some(key) = new {
            self.batch.put(family, key, value.as_bytes().to_vec());
        }
    }

    /// Forgets answers that are a day older than the newest time of the run.
    fn forget_old_answers(&mut self) -> Result<(), Error> {
        let forgotten_before = Timestamp(self.newest_time.0.saturating_sub(ANSWER_KEPT.as_micros() as i64));
        if self.summary.oldest_answer.is_some_and(|oldest| oldest >= forgotten_before) || self.batch.is_empty() {
            return Ok(());
        }
        let space = self.partition.space;
        let view = self.partition.store.view()?;
        let mut oldest = Timestamp(i64::MAX);
        for (count, key) in
            view.scan_keys(Family::Answered, KeyRange::prefix(&space.prefix()), Order::Ascending).enumerate()
        {
            let key = key?;
            let (answered, link, request) =
                keys::answered::decode(&key).ok_or_else(|| self.partition.damaged(Family::Answered, "no such key"))?;
            if answered >= forgotten_before || count == FORGOTTEN_ANSWERS_MAX {
                oldest = answered;
                break;
            }
            self.batch.remove(Family::Answered, key.into());
            // The same request may have been answered again since.
            let reply = keys::reply::encode(space, &link, &request);
            let is_newer = self.batch.get(Family::Reply, &reply).is_some_and(|change| change.is_some())
                || self.partition.remembered(&link, &request)?.is_some_and(|newer| newer.answered > answered);
            if !is_newer {
                self.batch.remove(Family::Reply, reply);
            }
        }
        for key in self.batch.keys_set(Family::Answered, &space.prefix()) {
            oldest = keys::answered::decode(&key).map_or(oldest, |(answered, ..)| oldest.min(answered));
        }
        self.summary.oldest_answer = Some(oldest);
        Ok(())
    }
}
