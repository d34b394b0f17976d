//! Documents that conditions are held against.
//!
//! Few and odd ones: a fuzzer changes the question, not the documents.

use bytes::Bytes;
use steward_model::{Document, Link, Timestamp};

/// Bodies with the field names of the kept questions, and values of every type at the edges of its range.
const BODIES: [&str; 5] = [
    "{}",
    r#"{"name":"alpha","counter":7,"done":true,"tags":["a","b"],"keyValues":{"a":"1","b.c":"2"}}"#,
    r#"{"name":"","counter":-9223372036854775808,"done":null,"tags":[],"keyValues":{}}"#,
    r#"{"name":"Quick fox's \u0000 *?\\","counter":18446744073709551615,"tags":[[{"a":1}],{"item":2}],"item":"x"}"#,
    r#"{"name":["a",1,true,null],"counter":1.7976931348623157e308,"done":"true","keyValues":[{"a":-0.0}]}"#,
];

/// Returns a document for each body.
pub(crate) fn all() -> impl Iterator<Item = Document> {
    BODIES.into_iter().map(|body| {
        let link = Link::parse("/core/examples/one").expect("a link");
        Document { body: Bytes::from_static(body.as_bytes()), ..Document::bare(link, Timestamp(1_000_000)) }
    })
}
