//! Which rows an answer has, of all documents that are shown.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use steward_model::{Document, Link, Moment};

use super::answer::{Error, Part, Row, Way};
use super::evaluate::{Effort, View};
use super::order::Rank;
use super::request::{Budget, Content, Request};
use super::source::Source;
use super::value::Value;

/// How many documents are read between two looks at the clock.
const READS_PER_LOOK: u64 = 64;

/// How many keys of indexes are.
const KEYS_PER_LOOK: u64 = 1024;

/// Keeps the first rows of all it is shown.
pub(super) struct Collector<'a, S: Source> {
    pub(super) request: &'a Request,
    pub(super) source: &'a S,
    pub(super) budget: &'a Budget,
    effort: Effort<'a>,
    /// What is shown comes in the order of ranks, so that whatever comes behind a full page is no row of it.
    pub(super) in_order: bool,
    /// Every row has to be seen, because nobody else knows how many there are.
    pub(super) counts: bool,
    /// The first rows so far; with the document if its content is wanted.
    rows: BTreeMap<Rank, Option<Document>>,
    /// How many rows there are in all, as far as is known.
    pub(super) matched: u64,
    scanned: u64,
    keys: u64,
    held: usize,
    more: bool,
    /// Which way the documents come.
    pub(super) way: Way,
}

impl<'a, S: Source> Collector<'a, S> {
    /// Returns a collector that has been shown nothing.
    pub(super) fn new(
        request: &'a Request,
        source: &'a S,
        budget: &'a Budget,
        clock: &'a dyn Fn() -> Moment,
    ) -> Collector<'a, S> {
        Collector {
            request,
            source,
            budget,
            effort: Effort::until(budget.deadline, clock),
            in_order: request.is_in_order_of_links(),
            counts: request.total,
            rows: BTreeMap::new(),
            matched: 0,
            scanned: 0,
            keys: 0,
            held: 0,
            more: false,
            way: Way::None,
        }
    }

    /// Forgets all rows, to be shown everything in another way. What was read is paid for.
    pub(super) fn begin_anew(&mut self) {
        self.rows.clear();
        (self.matched, self.held, self.more) = (0, 0, false);
        (self.in_order, self.counts) = (self.request.is_in_order_of_links(), self.request.total);
    }

    /// Returns true if there are rows for a full page, and at least one behind it.
    pub(super) fn is_full(&self) -> bool {
        self.more
    }

    /// Looks at the document called `link`, if there is one.
    pub(super) fn read(&mut self, link: &Link) -> Result<ControlFlow<()>, Error<S::Error>> {
        match self.source.document(link).map_err(Error::Source)? {
            Some(document) => self.consider(document),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    /// Looks at the document called `link`, if there is one and `value` is what it is sorted by.
    pub(super) fn read_at(&mut self, link: &Link, value: &Value) -> Result<ControlFlow<()>, Error<S::Error>> {
        match self.source.document(link).map_err(Error::Source)? {
            Some(document) => self.offer(document, Some(value)),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    /// Takes a document for a row that is known to match without being read, and of which only the link is wanted.
    pub(super) fn take(&mut self, rank: Rank) -> Result<ControlFlow<()>, Error<S::Error>> {
        self.place(rank, None)
    }

    /// Looks at one document, given its newest state, and at its versions if they are wanted.
    pub(super) fn consider(&mut self, newest: Document) -> Result<ControlFlow<()>, Error<S::Error>> {
        let outside = self.request.factory.is_some() && newest.link.parent() != self.request.factory;
        if outside {
            self.spend()?;
            return Ok(ControlFlow::Continue(()));
        }
        if !self.request.all_versions {
            return self.offer(newest, None);
        }
        for version in self.source.versions(&newest.link).map_err(Error::Source)? {
            if self.offer(version, None)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes one state for a row if it matches and stands among the first; if a value is given, only at that place.
    fn offer(&mut self, state: Document, at: Option<&Value>) -> Result<ControlFlow<()>, Error<S::Error>> {
        self.spend()?;
        let gone = !state.is_there(self.budget.now);
        if gone && !self.request.deleted {
            return Ok(ControlFlow::Continue(()));
        }
        let view = View::new(&state, self.source.owner(&state.link)).within(&self.effort);
        let matches = view.satisfies(&self.request.condition);
        if self.effort.is_over() {
            return Err(Error::Deadline { scanned: self.scanned });
        }
        if !matches {
            return Ok(ControlFlow::Continue(()));
        }
        let rank = Rank::of(&state, &view, &self.request.order);
        if at.is_some_and(|at| rank.first_value() != Some(at)) {
            return Ok(ControlFlow::Continue(()));
        }
        let document = match self.request.content {
            Content::Links => None,
            Content::Full | Content::Builtin | Content::Fields(_) => Some(state),
        };
        self.place(rank, document)
    }

    /// Counts a row, and keeps it if it belongs to the page.
    fn place(&mut self, rank: Rank, document: Option<Document>) -> Result<ControlFlow<()>, Error<S::Error>> {
        self.matched += 1;
        if self.request.wanted() == 0 || self.request.after.as_ref().is_some_and(|after| rank <= *after) {
            return Ok(ControlFlow::Continue(()));
        }
        self.keep(rank, document)
    }

    fn keep(&mut self, rank: Rank, document: Option<Document>) -> Result<ControlFlow<()>, Error<S::Error>> {
        let (wanted, in_order) = (self.request.wanted(), self.in_order);
        if self.rows.len() >= wanted && self.rows.last_key_value().is_none_or(|(last, _)| rank > *last) {
            self.more = true;
            let done = in_order && !self.counts;
            return Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
        }
        let bytes = document.as_ref().map_or(0, |document| document.body.len());
        if self.held + bytes > self.budget.held_bytes_max && !self.rows.is_empty() {
            // A page may end early, for the next one goes on where it ended; other answers may not.
            if in_order && self.request.skip == 0 && !self.counts {
                self.more = true;
                return Ok(ControlFlow::Break(()));
            }
            return Err(Error::Held { max: self.budget.held_bytes_max });
        }
        self.held += bytes;
        self.rows.insert(rank, document);
        if self.rows.len() > wanted {
            self.more = true;
            let dropped = self.rows.pop_last().and_then(|(_, document)| document);
            self.held -= dropped.map_or(0, |document| document.body.len());
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Accounts for one document version read.
    fn spend(&mut self) -> Result<(), Error<S::Error>> {
        self.scanned += 1;
        if self.scanned > self.budget.scanned_max {
            return Err(Error::Scanned { max: self.budget.scanned_max });
        }
        self.check_reads()?;
        if self.scanned % READS_PER_LOOK == 1 && self.effort.look() {
            return Err(Error::Deadline { scanned: self.scanned });
        }
        Ok(())
    }

    /// Accounts for one key of an index read.
    pub(super) fn spend_key(&mut self) -> Result<(), Error<S::Error>> {
        self.keys += 1;
        self.check_reads()?;
        if self.keys.is_multiple_of(KEYS_PER_LOOK) && self.effort.look() {
            return Err(Error::Deadline { scanned: self.scanned });
        }
        Ok(())
    }

    fn check_reads(&self) -> Result<(), Error<S::Error>> {
        match self.scanned + self.keys > self.budget.reads_max {
            true => Err(Error::Long { max: self.budget.reads_max }),
            false => Ok(()),
        }
    }

    /// Returns what was collected.
    pub(super) fn finish(self) -> Part {
        let rows = self.rows.into_iter().map(|(rank, document)| {
            let content = document.map_or_else(Bytes::new, |document| {
                self.request.content.render(&document, self.source.owner(&document.link))
            });
            Row { rank, content }
        });
        let total = self.request.total.then_some(self.matched);
        Part { rows: rows.collect(), more: self.more, total, scanned: self.scanned, keys: self.keys, way: self.way }
    }
}
