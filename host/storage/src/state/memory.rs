//! A state store in memory: for the volatile lane, and for simulation.
//!
//! Every key has a chain of values, each with the number of the batch that wrote it. Without readers a chain has one
//! value, and a write replaces it. While a view is open, the values that it sees are kept behind the newer ones. When a
//! view closes, the chains that grew meanwhile are cut.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::{Batch, Error, Family, KeyRange, Keys, Order, ReadView, Row, Rows, StateStore};

/// Rows that a scan takes under one lock.
const SCAN_ROWS: usize = 256;

/// A store that forgets everything with the process.
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<RwLock<State>>,
}

#[derive(Default)]
struct State {
    families: [BTreeMap<Bytes, Chain>; Family::ALL.len()],
    /// How many batches were written; the number of the newest one.
    newest: u64,
    /// Open views: the batch that they see, and how many see it.
    views: BTreeMap<u64, usize>,
    /// Keys whose chains may hold more than their newest value.
    grown: Vec<(Family, Bytes)>,
    bytes: u64,
}

/// The values of one key: the newest by itself, and older ones only while a view may see them.
struct Chain {
    newest: Cell,
    /// Oldest first; empty unless a view is open.
    older: Vec<Cell>,
}

struct Cell {
    batch: u64,
    /// None: the key was removed.
    value: Option<Bytes>,
}

impl Chain {
    fn at(&self, batch: u64) -> Option<&Bytes> {
        if self.newest.batch <= batch {
            return self.newest.value.as_ref();
        }
        self.older.iter().rev().find(|cell| cell.batch <= batch)?.value.as_ref()
    }
}

impl State {
    fn family(&self, family: Family) -> &BTreeMap<Bytes, Chain> {
        &self.families[family as usize - 1]
    }

    fn set(&mut self, family: Family, key: Bytes, value: Option<Bytes>) {
        let State { families, newest, views, grown, bytes } = self;
        let keep_older = !views.is_empty();
        let rows = &mut families[family as usize - 1];
        let cell = Cell { batch: *newest, value };
        let added = cell.value.as_ref().map_or(0, |value| (key.len() + value.len()) as u64);
        let Some(chain) = rows.get_mut(&key) else {
            if cell.value.is_some() {
                *bytes += added;
                rows.insert(key, Chain { newest: cell, older: Vec::new() });
            }
            return;
        };
        let removed = chain.newest.value.as_ref().map_or(0, |value| (key.len() + value.len()) as u64);
        *bytes = *bytes + added - removed;
        if keep_older {
            chain.older.push(std::mem::replace(&mut chain.newest, cell));
            grown.push((family, key));
        } else if cell.value.is_some() {
            chain.newest = cell;
            chain.older.clear();
        } else {
            rows.remove(&key);
        }
    }

    fn close_view(&mut self, batch: u64) {
        if let Some(count) = self.views.get_mut(&batch) {
            *count -= 1;
            if *count == 0 {
                self.views.remove(&batch);
            }
        }
        let oldest_seen = self.views.keys().next().copied().unwrap_or(u64::MAX);
        let families = &mut self.families;
        self.grown.retain(|(family, key)| {
            let rows = &mut families[*family as usize - 1];
            let Some(chain) = rows.get_mut(key) else { return false };
            let seen = match chain.newest.batch <= oldest_seen {
                true => chain.older.len(),
                // The newest of the values at or before the oldest view is still seen.
                false => chain.older.iter().rposition(|cell| cell.batch <= oldest_seen).unwrap_or(0),
            };
            chain.older.drain(..seen);
            if chain.older.is_empty() && chain.newest.value.is_none() {
                rows.remove(key);
                return false;
            }
            !chain.older.is_empty()
        });
    }
}

impl MemoryStore {
    /// Returns an empty store; it lives as long as the process.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    // A panic under these locks would be one of the allocator: nothing is half-done.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for MemoryStore {
    fn write(&self, batch: Batch) -> Result<(), Error> {
        batch.check(self.instance())?;
        let mut state = self.change();
        state.newest += 1;
        for (family, key, value) in batch.into_changes() {
            state.set(family, key.into(), value);
        }
        Ok(())
    }

    fn instance(&self) -> u64 {
        0
    }

    fn damage(&self) -> Option<String> {
        None
    }

    fn unusable(&self) -> Option<Error> {
        None
    }

    fn report_damage(&self, reason: &str) {
        tracing::error!(reason, "state store in memory is damaged: a fault of this host or of its memory");
    }

    fn condemn(&self, _reason: &str) -> Result<(), Error> {
        // There is no next start for what is in memory.
        Ok(())
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(self.read().family(family).get(key).and_then(|chain| chain.newest.value.clone()))
    }

    fn view(&self) -> Result<Box<dyn ReadView>, Error> {
        let mut state = self.change();
        let batch = state.newest;
        *state.views.entry(batch).or_insert(0) += 1;
        drop(state);
        Ok(Box::new(View { store: self.clone(), batch }))
    }

    fn checkpoint(&self) -> Result<(), Error> {
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.read().bytes
    }
}

struct View {
    store: MemoryStore,
    batch: u64,
}

impl Drop for View {
    fn drop(&mut self) {
        self.store.change().close_view(self.batch);
    }
}

impl ReadView for View {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(self.store.read().family(family).get(key).and_then(|chain| chain.at(self.batch).cloned()))
    }

    fn scan(&self, family: Family, range: KeyRange, order: Order) -> Rows<'_> {
        let KeyRange { start, end } = range;
        let range = (start.map(Bytes::from), end.map(Bytes::from));
        Box::new(Scan { view: self, family, range, order, taken: Vec::new().into_iter(), done: false }.map(Ok))
    }

    fn scan_keys(&self, family: Family, range: KeyRange, order: Order) -> Keys<'_> {
        Box::new(self.scan(family, range, order).map(|row| row.map(|(key, _)| key)))
    }
}

struct Scan<'a> {
    view: &'a View,
    family: Family,
    range: (Bound<Bytes>, Bound<Bytes>),
    order: Order,
    taken: std::vec::IntoIter<Row>,
    done: bool,
}

impl Scan<'_> {
    /// Takes the next rows, and moves the range behind the last key looked at.
    fn take(&mut self) -> Vec<Row> {
        let state = self.view.store.read();
        if is_empty(&self.range) {
            self.done = true;
            return Vec::new();
        }
        let chains = state.family(self.family).range(self.range.clone());
        let batch = self.view.batch;
        let mut looked_at = None;
        let mut see = |(key, chain): (&Bytes, &Chain)| {
            looked_at = Some(key.clone());
            chain.at(batch).map(|value| (key.clone(), value.clone()))
        };
        let rows: Vec<Option<Row>> = match self.order {
            Order::Ascending => chains.take(SCAN_ROWS).map(&mut see).collect(),
            Order::Descending => chains.rev().take(SCAN_ROWS).map(&mut see).collect(),
        };
        match (looked_at, self.order) {
            (None, _) => self.done = true,
            (Some(key), Order::Ascending) => self.range.0 = Bound::Excluded(key),
            (Some(key), Order::Descending) => self.range.1 = Bound::Excluded(key),
        }
        rows.into_iter().flatten().collect()
    }
}

/// Returns true for a range that the standard library would panic at, or that nothing can be in.
fn is_empty(range: &(Bound<Bytes>, Bound<Bytes>)) -> bool {
    match range {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => start >= end,
    }
}

impl Iterator for Scan<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.taken.next() {
                return Some(row);
            }
            if self.done {
                return None;
            }
            self.taken = self.take().into_iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_conforms() {
        super::super::conformance::examine(&mut || Box::new(MemoryStore::new()));
    }

    #[test]
    fn values_that_no_view_sees_are_let_go() {
        let store = MemoryStore::new();
        let put = |value: &'static str| {
            let mut batch = Batch::new();
            batch.put(Family::Meta, vec![1], value);
            store.write(batch).expect("memory takes writes");
        };
        put("one");
        let first = store.view().expect("a view");
        put("two");
        let second = store.view().expect("a view");
        put("three");
        let older = || store.read().family(Family::Meta).values().map(|chain| chain.older.len()).sum::<usize>();
        assert_eq!(older(), 2);
        drop(first);
        assert_eq!(older(), 1);
        assert_eq!(second.get(Family::Meta, &[1]).expect("readable").as_deref(), Some(&b"two"[..]));
        drop(second);
        assert_eq!(older(), 0);
        assert!(store.read().grown.is_empty() && store.read().views.is_empty());
        assert_eq!(store.bytes(), 6);
    }
}
