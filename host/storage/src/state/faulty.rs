//! A state store in memory that fails as stores on disks fail, and the same way for the same seed; for simulation.
//!
//! It holds what a [`MemoryStore`] holds. Batches since the last checkpoint are not lasting: a
//! [`crash`](FaultyStore::crash) keeps some of them, beginning with the oldest. A test asks for faults by calls, or has
//! them drawn with given [`Odds`]; else the store does not fail. If the sync of a checkpoint fails, later checkpoints
//! say that all is well and make nothing lasting, as an operating system does. So a node that goes on after
//! [`Error::Lasting`] loses data.
//!
//! Left out: damage that nobody is told of. What is damaged says so when it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use steward_model::splitmix::SplitMix;

use super::{Batch, Error, Family, KeyRange, Keys, MemoryStore, Order, ReadView, Rows, StateStore};

type Row = (Family, Vec<u8>);

/// How likely faults are: so many of 1,024 calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Odds {
    /// A write is refused and nothing happens.
    pub refused_writes: u32,
    /// A write fails, and whether it happened shows later.
    pub unknown_writes: u32,
    /// A read is refused, and the next may succeed.
    pub refused_reads: u32,
    /// A checkpoint is refused and makes nothing lasting; the next one may.
    pub refused_checkpoints: u32,
}

/// A seeded store in memory. Clones are handles to the same store.
#[derive(Clone)]
pub struct FaultyStore {
    state: Arc<Mutex<State>>,
}

struct State {
    random: SplitMix,
    now: MemoryStore,
    instance: u64,
    /// Rows as of the last checkpoint that made anything lasting: what survives every crash.
    lasting: BTreeMap<Row, Bytes>,
    /// Batches written since then, oldest first.
    unsynced: Vec<Batch>,
    odds: Odds,
    closed: bool,
    /// A reader now looks at what the store holds.
    is_calm: bool,
    /// How many calls of any kind are still refused.
    slow_calls: u32,
    failing_writes: u32,
    unknown_writes: u32,
    failing_syncs: u32,
    /// A sync failed: what later ones say is not true.
    lies: bool,
    space_bytes: u64,
    damaged: BTreeSet<Row>,
    found_damage: Option<String>,
    condemned: Option<String>,
}

impl State {
    /// Says no with the odds of `of_1024`; without odds nothing is drawn.
    fn unlucky(&mut self, of_1024: u32) -> bool {
        of_1024 > 0 && !self.is_calm && self.random.draw() % 1024 < u64::from(of_1024)
    }

    /// Refuses a call if the store is closed or slow.
    fn admit(&mut self) -> Result<(), Error> {
        if self.is_calm {
            return Ok(());
        }
        if self.closed {
            return Err(Error::Unavailable("it was closed".into()));
        }
        if take_one(&mut self.slow_calls) {
            return Err(Error::Unavailable("it is slow".into()));
        }
        Ok(())
    }

    fn admit_read(&mut self) -> Result<(), Error> {
        self.admit()?;
        match self.unlucky(self.odds.refused_reads) {
            true => Err(Error::Unavailable("it does not read now".into())),
            false => Ok(()),
        }
    }

    fn write(&mut self, batch: Batch) -> Result<(), Error> {
        self.admit()?;
        batch.check(self.instance)?;
        if self.now.bytes().saturating_add(batch.bytes()) > self.space_bytes {
            return Err(Error::Full { free: self.space_bytes.saturating_sub(self.now.bytes()), needed: batch.bytes() });
        }
        if take_one(&mut self.failing_writes) || self.unlucky(self.odds.refused_writes) {
            return Err(Error::Unavailable("a write was refused".into()));
        }
        if take_one(&mut self.unknown_writes) || self.unlucky(self.odds.unknown_writes) {
            // Readers from now on look at the store that was opened anew.
            self.instance += 1;
            if self.random.draw().is_multiple_of(2) {
                self.take(batch)?;
            }
            return Err(Error::Unavailable("a write failed half-way".into()));
        }
        self.take(batch)
    }

    fn take(&mut self, mut batch: Batch) -> Result<(), Error> {
        // Written over: the damage is gone.
        self.damaged.retain(|(family, key)| batch.get(*family, key).is_none());
        batch.instance = None;
        self.now.write(batch.clone())?;
        self.unsynced.push(batch);
        Ok(())
    }

    fn settle(lasting: &mut BTreeMap<Row, Bytes>, batches: impl Iterator<Item = Batch>) {
        for (family, key, value) in batches.flat_map(Batch::into_changes) {
            match value {
                Some(value) => lasting.insert((family, key), value),
                None => lasting.remove(&(family, key)),
            };
        }
    }

    fn meet(&mut self, family: Family, key: &[u8]) -> Result<(), Error> {
        if !self.damaged.contains(&(family, key.to_vec())) {
            return Ok(());
        }
        let reason = format!("a row of family {family} is not what was written");
        self.found_damage.get_or_insert_with(|| reason.clone());
        Err(Error::Damaged(reason))
    }
}

fn failed_sync() -> Error {
    Error::Lasting { source: std::io::Error::other("the disk refuses to sync") }
}

/// Counts down; returns false at zero.
fn take_one(count: &mut u32) -> bool {
    let is_due = *count > 0;
    *count = count.saturating_sub(1);
    is_due
}

impl FaultyStore {
    /// Returns an empty store that has no faults until they are asked for.
    pub fn new(seed: u64) -> FaultyStore {
        let state = State {
            random: SplitMix::new(seed),
            now: MemoryStore::new(),
            instance: 0,
            lasting: BTreeMap::new(),
            unsynced: Vec::new(),
            odds: Odds::default(),
            closed: false,
            is_calm: false,
            slow_calls: 0,
            failing_writes: 0,
            unknown_writes: 0,
            failing_syncs: 0,
            lies: false,
            space_bytes: u64::MAX,
            damaged: BTreeSet::new(),
            found_damage: None,
            condemned: None,
        };
        FaultyStore { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how likely faults are from now on.
    pub fn set_odds(&self, odds: Odds) {
        self.state().odds = odds;
    }

    /// Refuses the next `count` writes; nothing of them happens.
    pub fn fail_writes(&self, count: u32) {
        self.state().failing_writes = count;
    }

    /// Fails the next `count` writes after they have happened, or not: each is drawn. The store is another instance then.
    pub fn fail_writes_half_way(&self, count: u32) {
        self.state().unknown_writes = count;
    }

    /// Refuses the next `count` calls of any kind.
    pub fn refuse(&self, count: u32) {
        self.state().slow_calls = count;
    }

    /// Makes the syncs of the next `count` checkpoints fail. From then until a crash, checkpoints make nothing lasting,
    /// whatever they say.
    pub fn fail_syncs(&self, count: u32) {
        self.state().failing_syncs = count;
    }

    /// Limits the bytes of all keys and values; writes beyond that are refused as [`Error::Full`].
    pub fn limit_space(&self, bytes: u64) {
        self.state().space_bytes = bytes;
    }

    /// Refuses all calls until [`FaultyStore::reopen`].
    pub fn close(&self) {
        self.state().closed = true;
    }

    /// Opens a closed store anew: what it holds is the same, its instance is another.
    pub fn reopen(&self) {
        let mut state = self.state();
        state.closed = false;
        state.instance += 1;
    }

    /// Damages a row: a reader is told [`Error::Damaged`], until it is written over or the store is put aside.
    pub fn damage_row(&self, family: Family, key: &[u8]) {
        self.state().damaged.insert((family, key.to_vec()));
    }

    /// Lets `look` see what the store holds, as if it had no faults; for the judge of a test, and not for the judged.
    pub fn without_faults<T>(&self, look: impl FnOnce() -> T) -> T {
        self.state().is_calm = true;
        let seen = look();
        self.state().is_calm = false;
        seen
    }

    /// Ends the process and cuts the power: of the batches since the last checkpoint the first few survive, how many is
    /// drawn. Faults that were asked for are forgotten, odds, space and damage stay. Returns how many batches were lost.
    pub fn crash(&self) -> usize {
        let most = self.state().unsynced.len() as u64 + 1;
        let kept = self.state().random.draw() % most;
        self.crash_keeping(kept as usize)
    }

    /// Crashes as [`FaultyStore::crash`] does, keeping the first `kept` batches.
    pub fn crash_keeping(&self, kept: usize) -> usize {
        let mut state = self.state();
        let lost = state.unsynced.len().saturating_sub(kept);
        let batches = std::mem::take(&mut state.unsynced);
        State::settle(&mut state.lasting, batches.into_iter().take(kept));
        if state.condemned.take().is_some() {
            state.lasting.clear();
            state.damaged.clear();
        }
        let mut everything = Batch::new();
        for ((family, key), value) in &state.lasting {
            everything.put(*family, key.clone(), value.clone());
        }
        state.now = MemoryStore::new();
        // A store in memory refuses long keys only, and none is in it.
        state.now.write(everything).expect("what was taken once is taken again");
        state.instance = 0;
        (state.closed, state.lies, state.found_damage) = (false, false, None);
        (state.slow_calls, state.failing_writes, state.unknown_writes, state.failing_syncs) = (0, 0, 0, 0);
        lost
    }
}

impl StateStore for FaultyStore {
    fn write(&self, batch: Batch) -> Result<(), Error> {
        self.state().write(batch)
    }

    fn instance(&self) -> u64 {
        self.state().instance
    }

    fn damage(&self) -> Option<String> {
        self.state().found_damage.clone()
    }

    fn report_damage(&self, reason: &str) {
        self.state().found_damage.get_or_insert_with(|| reason.to_owned());
    }

    fn unusable(&self) -> Option<Error> {
        self.state().lies.then(failed_sync)
    }

    fn condemn(&self, reason: &str) -> Result<(), Error> {
        self.state().condemned = Some(reason.to_owned());
        Ok(())
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let mut state = self.state();
        state.admit_read()?;
        state.meet(family, key)?;
        state.now.get(family, key)
    }

    fn view(&self) -> Result<Box<dyn ReadView>, Error> {
        let mut state = self.state();
        state.admit_read()?;
        Ok(Box::new(View { store: self.clone(), view: state.now.view()? }))
    }

    fn checkpoint(&self) -> Result<(), Error> {
        let mut state = self.state();
        state.admit()?;
        let odds = state.odds;
        if state.unlucky(odds.refused_checkpoints) {
            return Err(Error::Unavailable("a checkpoint was refused".into()));
        }
        if take_one(&mut state.failing_syncs) {
            state.lies = true;
            return Err(failed_sync());
        }
        if !state.lies {
            let batches = std::mem::take(&mut state.unsynced);
            State::settle(&mut state.lasting, batches.into_iter());
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.state().now.bytes()
    }
}

struct View {
    store: FaultyStore,
    view: Box<dyn ReadView>,
}

impl ReadView for View {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.store.state().meet(family, key)?;
        self.view.get(family, key)
    }

    fn scan(&self, family: Family, range: KeyRange, order: Order) -> Rows<'_> {
        let rows = self.view.scan(family, range, order);
        Box::new(rows.map(move |row| {
            let (key, value) = row?;
            self.store.state().meet(family, &key)?;
            Ok((key, value))
        }))
    }

    fn scan_keys(&self, family: Family, range: KeyRange, order: Order) -> Keys<'_> {
        self.view.scan_keys(family, range, order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &FaultyStore, key: u8) -> Result<(), Error> {
        let mut batch = Batch::after_reads_of(store.instance());
        batch.put(Family::Meta, vec![key], vec![key]);
        store.write(batch)
    }

    fn found(store: &FaultyStore) -> Vec<u8> {
        (0..100).filter(|key| store.get(Family::Meta, &[*key]).expect("readable").is_some()).collect()
    }

    #[test]
    fn a_faulty_store_without_faults_conforms() {
        super::super::conformance::examine(&mut || Box::new(FaultyStore::new(1)));
    }

    #[test]
    fn a_crash_takes_back_the_newest_batches_since_the_checkpoint() {
        for seed in 0..50 {
            let store = FaultyStore::new(seed);
            (0..3).for_each(|key| put(&store, key).expect("taken"));
            store.checkpoint().expect("lasting");
            (3..8).for_each(|key| put(&store, key).expect("taken"));
            let lost = store.crash();
            assert_eq!(found(&store), (0..8 - lost as u8).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_write_that_fails_half_way_is_there_or_not_under_another_instance() {
        let outcomes: BTreeSet<bool> = (0..20)
            .map(|seed| {
                let store = FaultyStore::new(seed);
                let instance = store.instance();
                store.fail_writes_half_way(1);
                assert!(matches!(put(&store, 1), Err(Error::Unavailable(_))));
                assert_ne!(store.instance(), instance);
                found(&store).contains(&1)
            })
            .collect();
        assert_eq!(outcomes.len(), 2, "both happen");
    }

    #[test]
    fn a_checkpoint_after_a_failed_sync_makes_nothing_lasting() {
        let store = FaultyStore::new(1);
        put(&store, 1).expect("taken");
        store.fail_syncs(1);
        assert!(store.checkpoint().is_err_and(|error| error.is_fatal()));
        store.checkpoint().expect("it says so");
        store.crash_keeping(0);
        assert_eq!(found(&store), [0_u8; 0]);
        put(&store, 2).expect("taken");
        store.checkpoint().expect("lasting");
        store.crash_keeping(0);
        assert_eq!(found(&store), [2]);
    }

    #[test]
    fn refusals_come_as_they_were_asked_for() {
        let store = FaultyStore::new(1);
        store.fail_writes(1);
        assert!(put(&store, 1).is_err());
        put(&store, 1).expect("taken");
        store.refuse(2);
        assert!(put(&store, 2).is_err() && store.get(Family::Meta, &[1]).is_err());
        store.limit_space(store.bytes());
        assert!(matches!(put(&store, 2), Err(Error::Full { .. })));
        store.limit_space(u64::MAX);
        store.close();
        assert!(store.view().is_err() && store.checkpoint().is_err());
        store.reopen();
        assert_eq!(found(&store), [1]);
    }

    #[test]
    fn damage_is_met_by_readers_and_gone_with_a_condemned_store() {
        let store = FaultyStore::new(1);
        put(&store, 1).expect("taken");
        put(&store, 2).expect("taken");
        store.damage_row(Family::Meta, &[1]);
        assert_eq!(store.damage(), None);
        let view = store.view().expect("a view");
        assert_eq!(view.get(Family::Meta, &[2]).expect("readable"), Some(Bytes::from(vec![2])));
        let mut rows = view.scan(Family::Meta, KeyRange::prefix(&[]), Order::Ascending);
        assert!(rows.any(|row| row.is_err_and(|error| error.is_damage())));
        assert!(store.damage().is_some());
        store.condemn("damaged").expect("noted");
        store.crash();
        assert_eq!((found(&store), store.damage()), (vec![], None));
    }
}
