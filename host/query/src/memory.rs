//! A source in memory, for tests.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use steward_model::document::UpdateAction;
use steward_model::{Document, Link, Timestamp, Version};

use super::evaluate::View;
use super::path::Path;
use super::source::{Candidate, Certainty, Listed, Ranked, Source, Stream};
use super::value::{Value, ValueRange};

/// The factory whose documents are listed and counted, if any field is indexed.
const FACTORY: &str = "/core/examples";

/// The kind of documents made by [`document`].
pub(super) const KIND: &str = "com:vmware:xenon:services:common:ExampleService:ExampleServiceState";

/// Returns version 0 of a document.
pub(super) fn document(link: &str, body: &str) -> Document {
    Document {
        kind: KIND.to_owned(),
        action: UpdateAction::Post,
        state_version: 1,
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..Document::bare(Link::parse(link).expect("a valid link"), Timestamp(1_795_251_253_081_000))
    }
}

/// Documents with all their versions, oldest first, and the fields that are indexed.
#[derive(Debug, Default)]
pub(super) struct Memory {
    documents: BTreeMap<Link, Vec<Document>>,
    indexed: Vec<String>,
    /// How many documents were read by [`Source::documents`].
    pub(super) scanned: Cell<usize>,
}

impl Memory {
    pub(super) fn with_index(mut self, path: &str) -> Memory {
        self.indexed.push(path.to_owned());
        self
    }

    /// Adds a version, numbered after the last one.
    pub(super) fn put(&mut self, link: &str, body: &str) {
        self.push(document(link, body));
    }

    pub(super) fn push(&mut self, mut document: Document) {
        let versions = self.documents.entry(document.link.clone()).or_default();
        document.version = Version(versions.len() as u64);
        versions.push(document);
    }

    /// Returns true if the document exists or existed.
    pub(super) fn has(&self, link: &Link) -> bool {
        self.documents.contains_key(link)
    }

    /// Adds a tombstone.
    pub(super) fn delete(&mut self, link: &str) {
        let last = self.documents[&Link::parse(link).expect("a valid link")].last().expect("a version").clone();
        self.push(Document { action: UpdateAction::Delete, ..last });
    }

    /// Returns the examples `n0` to `n<count - 1>`, with `name` and `counter`.
    pub(super) fn examples(count: usize) -> Memory {
        let mut memory = Memory::default();
        for n in 0..count {
            memory.put(&format!("/core/examples/n{n}"), &format!(r#"{{"name":"n{n}","counter":{n}}}"#));
        }
        memory
    }
}

/// A value of a field as it sorts.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Turned {
    Up(Value),
    Down(Reverse<Value>),
}

impl Memory {
    fn is_indexed(&self, path: &Path) -> bool {
        self.indexed.iter().any(|field| field == path.as_str())
    }

    fn living(&self) -> impl Iterator<Item = &Document> {
        self.documents.values().filter_map(|versions| versions.last()).filter(|document| !document.is_tombstone())
    }

    /// Returns the living documents of the only factory that has an index.
    fn children(&self) -> impl Iterator<Item = &Document> {
        self.living().filter(|document| document.link.parent().is_some_and(|parent| parent.as_str() == FACTORY))
    }

    /// Returns what the index of a field says, certain where a document has one value and never expires.
    fn rows<'a>(&'a self, path: &'a Path, range: Option<&'a ValueRange>) -> impl Iterator<Item = Candidate> + 'a {
        self.living().flat_map(move |document| {
            let values = View::new(document, "h").values(path);
            let is_whole = values.len() == 1 && document.expires.0 == 0;
            let certainty = if is_whole { Certainty::Whole } else { Certainty::Value };
            let within =
                values.into_iter().filter(move |value| range.is_none_or(|range| range.holds(value.as_scalar())));
            within.map(move |value| Candidate { link: document.link.clone(), value, certainty })
        })
    }
}

impl Source for Memory {
    type Error = Infallible;

    fn documents<'a>(
        &'a self,
        below: Option<&Link>,
        after: Option<&Link>,
        deleted: bool,
    ) -> Stream<'a, Document, Infallible> {
        let (below, after) = (below.cloned(), after.cloned());
        let newest = self.documents.values().filter_map(|versions| versions.last());
        let wanted = newest.filter(move |document| {
            below.as_ref().is_none_or(|below| document.link.is_within(below) && document.link != *below)
                && after.as_ref().is_none_or(|after| document.link > *after)
                && (deleted || !document.is_tombstone())
        });
        Box::new(wanted.map(|document| {
            self.scanned.set(self.scanned.get() + 1);
            Ok(document.clone())
        }))
    }

    fn versions(&self, link: &Link) -> Result<Vec<Document>, Infallible> {
        Ok(self.documents.get(link).into_iter().flatten().rev().cloned().collect())
    }

    fn document(&self, link: &Link) -> Result<Option<Document>, Infallible> {
        Ok(self.documents.get(link).and_then(|versions| versions.last()).cloned())
    }

    fn indexed<'a>(
        &'a self,
        path: &Path,
        range: &ValueRange,
    ) -> Result<Option<Stream<'a, Candidate, Infallible>>, Infallible> {
        if !self.is_indexed(path) {
            return Ok(None);
        }
        let found: Vec<Candidate> = self.rows(path, Some(range)).collect();
        Ok(Some(Box::new(found.into_iter().map(Ok))))
    }

    fn ranked<'a>(
        &'a self,
        path: &Path,
        range: Option<&ValueRange>,
        descending: bool,
        after: Option<(&Value, &Link)>,
    ) -> Result<Option<Ranked<'a, Infallible>>, Infallible> {
        if !self.is_indexed(path) {
            return Ok(None);
        }
        let place = |value: &Value, link: &Link| {
            let turned = if descending { Turned::Down(Reverse(value.clone())) } else { Turned::Up(value.clone()) };
            (turned, link.clone())
        };
        let mut found: Vec<Candidate> = self.rows(path, range).collect();
        found.sort_by_key(|found| place(&found.value, &found.link));
        let after = after.map(|(value, link)| place(value, link));
        found.retain(|found| after.as_ref().is_none_or(|after| place(&found.value, &found.link) > *after));
        let is_whole = self.living().all(|document| View::new(document, "h").sort_key(path).is_some());
        let is_single = self.living().all(|document| View::new(document, "h").values(path).len() <= 1);
        Ok(Some(Ranked { candidates: Box::new(found.into_iter().map(Ok)), is_whole, is_single }))
    }

    fn listed<'a>(&'a self, after: Option<&Link>) -> Result<Option<Stream<'a, Listed, Infallible>>, Infallible> {
        if self.indexed.is_empty() {
            return Ok(None);
        }
        let after = after.cloned();
        let behind = self.children().filter(move |child| after.as_ref().is_none_or(|after| child.link > *after));
        Ok(Some(Box::new(behind.map(|child| Ok(Listed { link: child.link.clone(), expires: child.expires })))))
    }

    fn counted(&self) -> Result<Option<u64>, Infallible> {
        let never_expires = self.children().all(|child| child.expires.0 == 0);
        Ok((!self.indexed.is_empty() && never_expires).then(|| self.children().count() as u64))
    }

    fn owner(&self, _link: &Link) -> &str {
        "hostAtPort8000"
    }
}
