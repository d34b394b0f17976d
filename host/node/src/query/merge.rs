//! Many streams of documents as one, in the order of links.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use steward_model::Document;
use steward_storage::documents::Error;

/// The next document of one stream, ordered by link.
struct Head {
    document: Document,
    stream: usize,
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.document.link == other.document.link
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> std::cmp::Ordering {
        self.document.link.cmp(&other.document.link)
    }
}

/// Merges streams that are ordered by link.
pub(super) struct Merge<S> {
    streams: Vec<S>,
    heads: BinaryHeap<Reverse<Head>>,
    failures: Vec<Error>,
}

impl<S: Iterator<Item = Result<Document, Error>>> Merge<S> {
    /// Returns what these streams yield together; takes the first document of each.
    pub(super) fn new(streams: Vec<S>) -> Merge<S> {
        let count = streams.len();
        let mut merge = Merge { streams, heads: BinaryHeap::with_capacity(count), failures: Vec::new() };
        (0..count).for_each(|stream| merge.advance(stream));
        merge
    }

    fn advance(&mut self, stream: usize) {
        match self.streams[stream].next() {
            Some(Ok(document)) => self.heads.push(Reverse(Head { document, stream })),
            Some(Err(error)) => self.failures.push(error),
            None => {}
        }
    }
}

impl<S: Iterator<Item = Result<Document, Error>>> Iterator for Merge<S> {
    type Item = Result<Document, Error>;

    fn next(&mut self) -> Option<Result<Document, Error>> {
        if let Some(error) = self.failures.pop() {
            return Some(Err(error));
        }
        let Reverse(Head { document, stream }) = self.heads.pop()?;
        self.advance(stream);
        Some(Ok(document))
    }
}
