//! Making a copy of a partition anew out of another one, beside what is here.
//!
//! Problem: a copy that lacks more than any log still has takes all documents of another copy, and that takes a while in which
//! this node may stop, the store may fail, and the copy that is here must stay what it is. Promise: the new copy grows in a key
//! space of its own, that nobody looks into, and takes the place of the old one in a single batch, and only if it is, row for row
//! that counts, what the other one was at one position. Before that batch the old copy is whole, after it the new one.
//!
//! ```text
//!  other:  view at one position ─► head, portions of pages ─┐
//!  here:   generation 1, the copy that counts               │
//!          generation 2, grows  ◄───────────────────────────┘   then: progress of 2 in, progress of 1 out, in one batch
//! ```
//!
//! There are two generations, which take turns: the one that has a position counts. What is left of the other one is removed by
//! [`Sweep`](super::Sweep), and no copy grows among such rows.
//!
//! Left out: who has what copied, and how portions travel.

use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::{Link, PartitionId, Timestamp, codec};

use super::{Base, Error, Page, PartitionStore, Progress};
use crate::index::IndexPlan;
use crate::keys::{self, Space};
use crate::state::{self, Family, KeyRange, Keys, Order, ReadView, StateStore};

/// The generation of a partition's first copy, and the one that is built beside it.
const GENERATIONS: [u32; 2] = [1, 2];

/// Reads from a key which document its row is about.
type LinkOf = fn(&[u8]) -> Option<Link>;

/// The families whose rows begin with the document that they are about.
const BY_LINK: [(Family, LinkOf); 3] = [
    (Family::Document, keys::document::decode),
    (Family::Outbox, |key| Some(keys::outbox::decode(key)?.link)),
    (Family::Reply, |key| Some(keys::reply::decode(key)?.0)),
];

/// What is known of a copy as a whole, for whoever becomes what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How far it has come.
    pub progress: Progress,
    /// The digest over everything in it.
    pub root: [u8; 16],
    /// No update in it is later.
    pub latest: Timestamp,
}

impl Format for Head {
    const NAME: &'static str = "head of a copy";
}

/// Some documents of a copy, in the order of their links.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Portion {
    /// Everything about each of them.
    pub pages: Vec<Page>,
    /// There are no others behind them.
    pub is_last: bool,
}

impl Format for Portion {
    // It changes with the pages in it.
    const VERSION: u8 = Page::VERSION;
    const READABLE_FROM: u8 = Page::READABLE_FROM;
    const NAME: &'static str = "portion of a copy";
}

impl PartitionStore {
    /// Finds the copy of `partition` in `store` that counts; the first one, without any documents, if there is none.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn find(store: Arc<dyn StateStore>, partition: PartitionId) -> Result<PartitionStore, Error> {
        let [first, second] =
            GENERATIONS.map(|generation| PartitionStore::new(Arc::clone(&store), generation, partition));
        Ok(if second.counts()? { second } else { first })
    }

    /// Returns the copy that takes the place of this one if it is made anew.
    pub fn beside(&self) -> PartitionStore {
        let [first, second] = GENERATIONS;
        let generation = if self.copy().generation == first { second } else { first };
        PartitionStore::new(Arc::clone(&self.store), generation, self.partition)
    }

    /// Returns this copy, as it is called now, for a reader that stays with it.
    pub fn fixed(&self) -> PartitionStore {
        PartitionStore::new(Arc::clone(&self.store), self.copy().generation, self.partition)
    }

    /// Returns true if the copy has a position: of two it is the one that counts.
    fn counts(&self) -> Result<bool, Error> {
        Ok(self.store.get(Family::Meta, &self.progress_key())?.is_some())
    }

    fn progress_key(&self) -> Vec<u8> {
        keys::meta::encode(self.copy(), &keys::meta::Key::Progress)
    }

    /// Returns true if nothing stands in the key space of this copy, so that another may begin there. The order in which a
    /// sweep goes makes it enough to look where rows begin with the space.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn is_vacant(&self) -> Result<bool, Error> {
        let view = self.store.view()?;
        for family in Family::ALL.into_iter().filter(|family| super::sweep::walked(*family).is_none()) {
            if let Some(key) = view.scan_keys(family, KeyRange::prefix(&self.copy().prefix()), Order::Ascending).next()
            {
                key?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns what a view shows of this copy as a whole; `latest` comes with it.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn head(&self, view: &dyn ReadView, latest: Timestamp) -> Result<Head, Error> {
        let summary = self.summary_in(self.store.instance(), view)?;
        Ok(Head { progress: summary.progress, root: summary.buckets.root(), latest })
    }

    /// Returns the pages of the documents behind `after` that a view shows, tombstones and documents of which only effects or
    /// answers are left included; no further one once they take about `bytes_max`.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn portion(&self, view: &dyn ReadView, after: Option<&Link>, bytes_max: usize) -> Result<Portion, Error> {
        let mut links = Links::new(self.copy(), view, after);
        let (mut portion, mut bytes) = (Portion::default(), 0);
        while bytes < bytes_max {
            let Some(link) = links.next(self)? else {
                portion.is_last = true;
                break;
            };
            let page = self.page(view, &link)?;
            bytes += codec::encode(&page).len();
            portion.pages.push(page);
        }
        Ok(portion)
    }

    /// Puts this copy, which was built beside `old` out of pages of `head`'s copy, in its place, in one batch. `instance` is the
    /// store's from before the first page: one that was opened anew since may have lost some. Afterwards `old` is this copy.
    ///
    /// # Errors
    /// [`Error::Differs`] if this is not what the other copy was; nothing has happened. [`Error::State`]: nobody knows;
    /// [`PartitionStore::look_again`] does, once the store works.
    pub fn replace(
        &self,
        old: &PartitionStore,
        head: &Head,
        instance: u64,
        index: &dyn IndexPlan,
    ) -> Result<(), Error> {
        let differs = || Error::Differs { partition: self.partition };
        let at = head.progress.applied.ok_or_else(differs)?;
        self.change(index, |run| {
            if run.summary.instance != instance {
                return Err(state::Error::Unavailable("it was opened anew since the copy was begun".to_owned()).into());
            }
            if run.summary.buckets.root() != head.root {
                return Err(differs());
            }
            run.set_progress(head.progress.clone());
            let base = Base { at, latest: head.latest };
            run.summary.base = Some(base);
            let base_key = |store: &PartitionStore| keys::meta::encode(store.copy(), &keys::meta::Key::Base);
            run.batch.put(Family::Meta, base_key(self), codec::encode(&base));
            run.batch.remove(Family::Meta, base_key(old));
            run.batch.remove(Family::Meta, old.progress_key());
            Ok(())
        })?;
        old.become_copy(self);
        Ok(())
    }

    /// Finds out whether a replacement that ended in an error has happened all the same: returns true if `new` counts, and is this
    /// copy from now on.
    ///
    /// # Errors
    /// [`Error::State`]: it is still not known.
    pub fn look_again(&self, new: &PartitionStore) -> Result<bool, Error> {
        let has_happened = new.counts()?;
        if has_happened {
            self.become_copy(new);
        }
        Ok(has_happened)
    }

    fn become_copy(&self, other: &PartitionStore) {
        // Under the summary, so that a batch is made for one copy as a whole.
        let mut summary = self.summary();
        *summary = None;
        self.generation.store(other.copy().generation, Ordering::Release);
    }
}

/// The links of everything that a view shows of a copy, each once, in their order.
struct Links<'a>(Vec<(Family, LinkOf, Peekable<Keys<'a>>)>);

impl<'a> Links<'a> {
    fn new(copy: Space, view: &'a dyn ReadView, after: Option<&Link>) -> Links<'a> {
        let mut range = KeyRange::prefix(&copy.prefix());
        if let Some(after) = after {
            // Behind the link, and behind every key that begins with it and the zero byte that ends it there.
            let mut start = keys::document::encode(copy, after);
            start.push(1);
            range.start = Bound::Included(start);
        }
        let keys =
            |(family, link_of)| (family, link_of, view.scan_keys(family, range.clone(), Order::Ascending).peekable());
        Links(BY_LINK.into_iter().map(keys).collect())
    }

    fn next(&mut self, of: &PartitionStore) -> Result<Option<Link>, Error> {
        let mut least: Option<Link> = None;
        for (family, link_of, keys) in &mut self.0 {
            // Taken, because errors cannot be copied: whoever gets one stops.
            if let Some(Err(error)) = keys.next_if(Result::is_err) {
                return Err(error.into());
            }
            let Some(Ok(key)) = keys.peek() else { continue };
            let link = link_of(key).ok_or_else(|| of.damaged(*family, "no such key"))?;
            least = Some(least.map_or(link.clone(), |least| least.min(link)));
        }
        let Some(least) = least else { return Ok(None) };
        for (_, link_of, keys) in &mut self.0 {
            let is_about = |key: &Result<Bytes, _>| key.as_ref().is_ok_and(|key| link_of(key).as_ref() == Some(&least));
            while keys.next_if(is_about).is_some() {}
        }
        Ok(Some(least))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use steward_model::document::UpdateAction;
    use steward_model::update::Update;

    use super::super::Sweep;
    use super::super::examples::{document, effect, partition, reply, update, updated};
    use super::*;
    use crate::index::EveryScalar;
    use crate::state::MemoryStore;

    /// Documents of several ages, some deleted, with effects and answers.
    fn fill(store: &PartitionStore, count: u64) {
        for offset in 0..count {
            let mut changed = document(&format!("/f/d{}", offset % 12), offset / 12, &format!(r#"{{"n":{offset}}}"#));
            changed.expires = Timestamp(if offset % 3 == 0 { 7 } else { 0 });
            if offset % 12 == 5 {
                changed.action = UpdateAction::Delete;
            }
            let name = changed.link.to_string();
            let remembered = Some(reply(&offset.to_string(), 1));
            let full = Update { effects: vec![effect(&name, offset, 0)], remembered, ..update(changed) };
            store.apply(&[updated(offset, full)], &EveryScalar).expect("the records follow");
        }
    }

    /// Everything of a store, as if its copies were of one generation.
    fn rows(store: &dyn StateStore) -> BTreeMap<(Family, Vec<u8>), Bytes> {
        let view = store.view().expect("a view");
        let all = |family| view.scan(family, KeyRange::prefix(&[]), Order::Ascending).map(move |row| (family, row));
        let [first, second] = GENERATIONS.map(|generation| Space { generation, partition: partition() }.prefix());
        let one = |key: &[u8]| {
            let at = key.windows(second.len()).position(|part| part == second);
            let mut key = key.to_vec();
            at.into_iter().for_each(|at| key[at..at + first.len()].copy_from_slice(&first));
            key
        };
        let found = Family::ALL.into_iter().flat_map(all).map(|(family, row)| {
            let (key, value) = row.expect("readable");
            ((family, one(&key)), value)
        });
        found
            .filter(|((family, key), _)| {
                *family != Family::Meta || keys::meta::decode(key) != Some(keys::meta::Key::Base)
            })
            .collect()
    }

    fn copied(from: &PartitionStore, to: &PartitionStore, bytes_max: usize) -> Head {
        let view = from.view().expect("a view");
        let mut after = None;
        loop {
            let portion = from.portion(&*view, after.as_ref(), bytes_max).expect("readable");
            to.adopt(&portion.pages, None, &EveryScalar).expect("memory takes writes");
            after = portion.pages.last().map(|page| page.link.clone()).or(after);
            if portion.is_last {
                return from.head(&*view, Timestamp(9)).expect("readable");
            }
        }
    }

    fn stores() -> (PartitionStore, PartitionStore) {
        let store = || Arc::new(MemoryStore::new()) as Arc<dyn StateStore>;
        let find = || PartitionStore::find(store(), partition()).expect("readable");
        (find(), find())
    }

    #[test]
    fn a_copy_that_is_made_anew_has_every_row_of_the_other_one() {
        for bytes_max in [1, 700, 1 << 20] {
            let (from, here) = stores();
            fill(&from, 40);
            fill(&here, 7);
            let new = here.beside();
            assert!(new.is_vacant().expect("readable") && !here.is_vacant().expect("readable"));
            let head = copied(&from, &new, bytes_max);
            assert_eq!(here.meta().expect("readable").applied.map(|at| at.offset.0), Some(6), "it is what it was");
            new.replace(&here, &head, 0, &EveryScalar).expect("it is what the other one was");
            assert_eq!((here.copy(), here.progress().expect("readable")), (new.copy(), head.progress));
            assert_eq!(here.meta().expect("readable").base.map(|base| base.latest), Some(Timestamp(9)));
            let (mut sweep, kept) = (Sweep::default(), here.copy());
            while !sweep.is_done() {
                sweep.step(&**here.store(), &|copy| copy == kept, 10).expect("memory takes writes");
            }
            assert_eq!(rows(&**here.store()), rows(&**from.store()));
            let found = PartitionStore::find(Arc::clone(here.store()), partition()).expect("readable");
            assert_eq!(found.copy(), new.copy(), "a start finds it");
            assert!(here.beside().is_vacant().expect("readable"), "the next one can be built");
        }
    }

    #[test]
    fn a_copy_that_lacks_something_or_was_begun_in_another_store_takes_nobodys_place() {
        let (from, here) = stores();
        fill(&from, 40);
        fill(&here, 7);
        let new = here.beside();
        let head = copied(&from, &new, 1 << 20);
        let lacking = new.page(&*new.view().expect("a view"), &document("/f/d1", 0, "{}").link).expect("readable");
        let gone = Page { current: None, versions: vec![], effects: vec![], answers: vec![], ..lacking.clone() };
        new.adopt(&[gone], None, &EveryScalar).expect("memory takes writes");
        let refused = new.replace(&here, &head, 0, &EveryScalar);
        assert!(matches!(refused, Err(Error::Differs { .. })), "{refused:?}");
        new.adopt(&[lacking], None, &EveryScalar).expect("memory takes writes");
        let refused = new.replace(&here, &head, 1, &EveryScalar);
        assert!(matches!(refused, Err(Error::State(state::Error::Unavailable(_)))), "{refused:?}");
        assert!(!here.look_again(&new).expect("readable"));
        assert_eq!(here.meta().expect("readable").applied.map(|at| at.offset.0), Some(6));
        new.replace(&here, &head, 0, &EveryScalar).expect("it is what the other one was");
        assert!(here.look_again(&new).expect("readable"));
    }
}
