//! What stands beside the documents of a run: effects that wait, answers that are remembered, and what is forgotten.
//!
//! All of it is counted in the digest, row by row: an effect by its name, which never comes again, an answer by all that
//! it says. What is forgotten follows from the log alone, so that every replica forgets the same at the same place:
//! answers and tombstones below horizons that records set, and of one document all answers but the newest
//! [`ANSWERS_MAX`], and [`ANSWER_BYTES_MAX`] of them, once there are [`ANSWERS_SLACK`] more, or [`ANSWER_BYTES_SLACK`].

use steward_model::mutation::{self, Mutation};
use steward_model::operation::EffectKey;
use steward_model::update::{PendingEffect, RememberedReply, RequestKey};
use steward_model::{Link, Offset, codec};

use super::apply::Run;
use super::{Current, Error};
use crate::digest::{self, Kind};
use crate::keys;
use crate::state::{Family, KeyRange, Order};

/// Answers that are remembered of one document, however many requests it answers. Far more than there are effects on their
/// way at one time, so that one that is sent again after a crash is recognised.
pub const ANSWERS_MAX: usize = 16 * 1024;

/// So many more are remembered before the oldest are forgotten, all at once: looking for them costs a scan.
pub const ANSWERS_SLACK: usize = 1024;

/// Bytes that the answers take which are remembered of one document: who has few documents must not fill the disk by asking much.
pub const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// So many more bytes are remembered before the oldest answers are forgotten.
pub const ANSWER_BYTES_SLACK: u64 = 1 << 20;

/// How many answers are remembered of one document, and how many bytes they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    count: u32,
    bytes: u64,
}

impl Tally {
    /// Returns true if there are no more than the bounds with so much beyond them.
    fn is_within(self, answers: usize, bytes: u64) -> bool {
        self.count as usize <= ANSWERS_MAX + answers && self.bytes <= ANSWER_BYTES_MAX + bytes
    }

    fn encode(self) -> Vec<u8> {
        [&self.count.to_be_bytes()[..], &self.bytes.to_be_bytes()].concat()
    }

    fn decode(row: &[u8]) -> Option<Tally> {
        let (count, bytes) = row.split_first_chunk()?;
        // A row without bytes counts none of what was remembered before it.
        let bytes = if bytes.is_empty() { 0 } else { u64::from_be_bytes(bytes.try_into().ok()?) };
        Some(Tally { count: u32::from_be_bytes(*count), bytes })
    }
}

/// Returns what is counted for an effect.
pub(super) fn effect_digest(key: &EffectKey) -> digest::Digest {
    let (epoch, offset) = (key.at.epoch.as_u64().to_be_bytes(), key.at.offset.0.to_be_bytes());
    digest::of_parts(Kind::Effect, &key.link, &[&epoch, &offset, &key.number.to_be_bytes()])
}

/// Returns what is counted for an answer, given its row.
pub(super) fn answer_digest(link: &Link, row: &[u8]) -> digest::Digest {
    digest::of_row(Kind::Answer, link, row)
}

impl Run<'_> {
    /// Has an effect wait.
    pub(super) fn issue(&mut self, effect: &PendingEffect) -> Result<(), Error> {
        let key = keys::outbox::encode(self.partition.copy(), &effect.key);
        if self.row(Family::Outbox, &key)?.is_none() {
            self.count(&effect.key.link, None, Some(effect_digest(&effect.key)));
        }
        self.batch.put(Family::Outbox, key, codec::encode(effect));
        Ok(())
    }

    /// Has an effect wait no longer.
    pub(super) fn settle(&mut self, effect: &EffectKey) -> Result<(), Error> {
        let key = keys::outbox::encode(self.partition.copy(), effect);
        // It may have been settled before.
        if self.row(Family::Outbox, &key)?.is_some() {
            self.count(&effect.link, Some(effect_digest(effect)), None);
            self.batch.remove(Family::Outbox, key);
        }
        Ok(())
    }

    /// Remembers an answer, in place of an earlier one to the same request, and forgets the oldest if there are too many.
    pub(super) fn remember(&mut self, link: &Link, reply: &RememberedReply) -> Result<(), Error> {
        let space = self.partition.copy();
        // Else the earlier answer would stay counted, and be found by its own offset when that is forgotten.
        self.forget_answer(link, &reply.key)?;
        let (row, offset) = (codec::encode(reply), reply.at.offset);
        let bytes = row.len() as u64;
        self.count(link, None, Some(answer_digest(link, &row)));
        self.batch.put(Family::Reply, keys::reply::encode(space, link, &reply.key), row);
        self.batch.put(Family::Answered, keys::answered::encode(space, offset, link, &reply.key), Vec::new());
        self.batch.put(Family::Answers, keys::answers::encode(space, link, offset, &reply.key), Vec::new());
        let Tally { count, bytes: others } = self.tally_of_answers(link)?;
        let tally = Tally { count: count + 1, bytes: others + bytes };
        self.set_tally_of_answers(link, tally);
        if tally.is_within(ANSWERS_SLACK, ANSWER_BYTES_SLACK) {
            return Ok(());
        }
        for request in self.answers_of(link)? {
            if self.tally_of_answers(link)?.is_within(0, 0) {
                break;
            }
            self.forget_answer(link, &request)?;
        }
        Ok(())
    }

    fn tally_of_answers(&self, link: &Link) -> Result<Tally, Error> {
        match self.row(Family::Answers, &keys::answers::of(self.partition.copy(), link))? {
            None => Ok(Tally::default()),
            Some(row) => {
                Tally::decode(&row).ok_or_else(|| self.partition.damaged(Family::Answers, "tally of another size"))
            }
        }
    }

    fn set_tally_of_answers(&mut self, link: &Link, tally: Tally) {
        let key = keys::answers::of(self.partition.copy(), link);
        match tally.count {
            0 => self.batch.remove(Family::Answers, key),
            _ => self.batch.put(Family::Answers, key, tally.encode()),
        }
    }

    /// Returns the requests on a document whose answers are remembered, oldest answer first.
    pub(super) fn answers_of(&self, link: &Link) -> Result<Vec<RequestKey>, Error> {
        // Behind the tally, whose key is what all others begin with.
        let prefix = keys::answers::of(self.partition.copy(), link);
        let found = self.keys_in(Family::Answers, KeyRange::prefix_after(&prefix, prefix.clone()))?;
        let request = |key: Vec<u8>| {
            let decoded = keys::answers::decode(&key);
            decoded.map(|(.., request)| request).ok_or_else(|| self.partition.damaged(Family::Answers, "no such key"))
        };
        found.into_iter().map(request).collect()
    }

    pub(super) fn forget_answer(&mut self, link: &Link, request: &RequestKey) -> Result<(), Error> {
        let space = self.partition.copy();
        let key = keys::reply::encode(space, link, request);
        let Some(row) = self.row(Family::Reply, &key)? else { return Ok(()) };
        let reply: RememberedReply = self.partition.decode(Family::Reply, &row)?;
        self.count(link, Some(answer_digest(link, &row)), None);
        self.batch.remove(Family::Reply, key);
        self.batch.remove(Family::Answered, keys::answered::encode(space, reply.at.offset, link, request));
        self.batch.remove(Family::Answers, keys::answers::encode(space, link, reply.at.offset, request));
        let Tally { count, bytes } = self.tally_of_answers(link)?;
        let left = Tally { count: count.saturating_sub(1), bytes: bytes.saturating_sub(row.len() as u64) };
        self.set_tally_of_answers(link, left);
        Ok(())
    }

    /// Forgets all answers that were given below an offset.
    pub(super) fn forget_answers(&mut self, below: Offset) -> Result<(), Error> {
        let space = self.partition.copy();
        let start = std::ops::Bound::Included(space.prefix().to_vec());
        let end = std::ops::Bound::Excluded(keys::answered::at(space, below));
        for key in self.keys_in(Family::Answered, KeyRange { start, end })? {
            let (_, link, request) =
                keys::answered::decode(&key).ok_or_else(|| self.partition.damaged(Family::Answered, "no such key"))?;
            self.forget_answer(&link, &request)?;
        }
        Ok(())
    }

    /// Removes all tombstones whose newest record stands below an offset.
    pub(super) fn forget_tombstones(&mut self, below: Offset) -> Result<(), Error> {
        let space = self.partition.copy();
        let start = std::ops::Bound::Included(space.prefix().to_vec());
        let end = std::ops::Bound::Excluded(keys::tombstone::at(space, below));
        // A tombstone that this run made has no row yet, and one whose row is seen below may have changed in it: both
        // are asked anew.
        let mut links = self.staged_links();
        let view = self.partition.store.view()?;
        for key in view.scan_keys(Family::Tombstone, KeyRange { start, end }, Order::Ascending) {
            let (_, link) = keys::tombstone::decode(&key?)
                .ok_or_else(|| self.partition.damaged(Family::Tombstone, "no such key"))?;
            links.push(link);
        }
        for link in links {
            // It may have come to life, or have been touched, in this run.
            let is_old = |current: &&Current| current.document.is_tombstone() && current.touched < below;
            if self.now(&link)?.filter(is_old).is_some() && !mutation::is(Mutation::TombstonesKept) {
                self.purge(&link)?;
            }
        }
        // No tombstone is left: a copy that has not passed this offset cannot tell such a document from one that never was. Whether or
        // not one was found, all copies must say the same at this offset (I17).
        let floor = &mut self.summary.progress.delta_floor;
        *floor = below.max(*floor);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use steward_model::update::{Change, Record, RememberedBody, Update};

    use super::super::PartitionStore;
    use super::super::examples::{document, link, partition, reply, update, updated};
    use super::*;
    use crate::index::EveryScalar;
    use crate::state::MemoryStore;

    const BODY_BYTES: usize = 16 << 10;

    #[test]
    fn of_one_document_no_more_bytes_of_answers_are_remembered() {
        let store = || PartitionStore::new(Arc::new(MemoryStore::new()), 1, partition());
        let (slow, fast) = (store(), store());
        let answered = |number: u64| {
            let body = RememberedBody::Json(Bytes::from(vec![b'1'; BODY_BYTES]));
            let reply = RememberedReply { body, ..reply(&number.to_string(), 1) };
            let change = if number == 0 { Change::NewVersion } else { Change::None };
            updated(number, Update { change, remembered: Some(reply), ..update(document("/f/a", 0, "{}")) })
        };
        let fit = (ANSWER_BYTES_MAX + ANSWER_BYTES_SLACK) / BODY_BYTES as u64;
        let records: Vec<Record> = (0..=fit).map(answered).collect();
        for run in records.chunks(100) {
            slow.apply(run, &EveryScalar).expect("applied");
        }
        fast.apply(&records, &EveryScalar).expect("applied");
        for store in [&slow, &fast] {
            let page = store.page(&*store.view().expect("a view"), &link("/f/a")).expect("readable");
            let bytes: usize = page.answers.iter().map(|reply| codec::encode(reply).len()).sum();
            let least = ANSWER_BYTES_MAX as usize - 2 * BODY_BYTES;
            let most = (ANSWER_BYTES_MAX + ANSWER_BYTES_SLACK) as usize;
            assert!((least..=most).contains(&bytes), "{bytes} bytes of {} answers", page.answers.len());
            let is_remembered = |number: u64| {
                let found = store.remembered(&link("/f/a"), &RequestKey::of(&number.to_string()));
                found.expect("readable").is_some()
            };
            assert!(is_remembered(fit) && !is_remembered(0), "the newest stay");
        }
        assert_eq!(slow.meta().expect("readable"), fast.meta().expect("readable"), "wherever runs end");
    }

    #[test]
    fn a_tally_is_read_as_it_was_written() {
        let tally = Tally { count: 7, bytes: 1 << 40 };
        assert_eq!(Tally::decode(&tally.encode()), Some(tally));
        assert_eq!(Tally::decode(&7_u32.to_be_bytes()), Some(Tally { count: 7, bytes: 0 }));
        assert_eq!([Tally::decode(&[]), Tally::decode(&[0; 5]), Tally::decode(&[0; 13])], [None; 3]);
    }
}
