//! A source in memory, for tests.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use steward_model::document::UpdateAction;
use steward_model::{Document, Epoch, Link, Offset, Timestamp, Version};

use super::condition::Condition;
use super::evaluate::View;
use super::path::Path;
use super::source::{Source, Stream};
use super::value::ValueRange;

/// The kind of documents made by [`document`].
pub(super) const KIND: &str = "com:vmware:xenon:services:common:ExampleService:ExampleServiceState";

/// Returns version 0 of a document.
pub(super) fn document(link: &str, body: &str) -> Document {
    Document {
        link: Link::parse(link).expect("a valid link"),
        kind: KIND.to_owned(),
        version: Version(0),
        epoch: Epoch::ZERO,
        offset: Offset(0),
        updated: Timestamp(1_795_251_253_081_000),
        action: UpdateAction::Post,
        expires: Timestamp(0),
        principal: String::new(),
        source: String::new(),
        state_version: 1,
        body: Bytes::copy_from_slice(body.as_bytes()),
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

    fn indexed<'a>(&'a self, path: &Path, range: &ValueRange) -> Option<Stream<'a, Link, Infallible>> {
        if !self.indexed.iter().any(|field| field == path.as_str()) {
            return None;
        }
        let condition = Condition::Within { path: path.clone(), range: range.clone() };
        let newest = self.documents.values().filter_map(|versions| versions.last());
        let found = newest.filter(move |document| {
            !document.is_tombstone() && View::new(document, self.owner(&document.link)).satisfies(&condition)
        });
        Some(Box::new(found.map(|document| Ok(document.link.clone()))))
    }

    fn owner(&self, _link: &Link) -> &str {
        "hostAtPort8000"
    }
}
