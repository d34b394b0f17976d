//! The result document, in Xenon's shape.

use steward_model::render::{close_object, write_integer, write_name, write_text};

use super::answer::{Answer, Row};
use super::request::{Content, Request};

/// What belongs into a result document besides the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// The host id of the node that answers.
    pub(super) owner: &'a str,
    /// How long the query took.
    pub(super) micros: u64,
    /// How many rows there are on all pages, where clients expect to be told.
    pub(super) total: Option<u64>,
    /// Where the next page is, if there is one.
    pub(super) next_page: Option<&'a str>,
}

/// Appends the result document of a query to `out`.
pub(super) fn write(out: &mut Vec<u8>, request: &Request, answer: &Answer, frame: &Frame<'_>) {
    out.push(b'{');
    if let Some(total) = frame.total {
        write_number(out, "totalCount", total);
    }
    write_links(out, request, &answer.rows);
    match request.content {
        Content::Links => {}
        Content::Full | Content::Builtin | Content::Fields(_) => write_documents(out, request, &answer.rows),
    }
    // A query that asks for no rows asks for their number.
    let counted = answer.total.filter(|_| request.limit == 0);
    write_number(out, "documentCount", counted.unwrap_or(answer.rows.len() as u64));
    if let Some(link) = frame.next_page {
        write_string(out, "nextPageLink", link);
    }
    write_number(out, "queryTimeMicros", frame.micros);
    if request.explain {
        write_cost(out, answer);
    }
    for zero in ["documentVersion", "documentUpdateTimeMicros", "documentExpirationTimeMicros"] {
        write_number(out, zero, 0);
    }
    write_string(out, "documentOwner", frame.owner);
    close_object(out);
}

/// Appends which way was gone to the rows, and what that cost.
fn write_cost(out: &mut Vec<u8>, answer: &Answer) {
    write_name(out, "queryCost");
    out.push(b'{');
    write_string(out, "way", answer.way.name());
    write_number(out, "keysRead", answer.keys);
    write_number(out, "documentsRead", answer.scanned);
    close_object(out);
    out.push(b',');
}

/// Appends `"name":number,`.
pub(super) fn write_number(out: &mut Vec<u8>, name: &str, number: u64) {
    write_name(out, name);
    write_integer(out, number);
    out.push(b',');
}

/// Appends `"name":"text",`.
pub(super) fn write_string(out: &mut Vec<u8>, name: &str, text: &str) {
    write_name(out, name);
    write_text(out, text);
    out.push(b',');
}

fn write_links(out: &mut Vec<u8>, request: &Request, rows: &[Row]) {
    write_name(out, "documentLinks");
    out.push(b'[');
    for (place, row) in rows.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_link(out, request, row);
    }
    out.extend_from_slice(b"],");
}

fn write_documents(out: &mut Vec<u8>, request: &Request, rows: &[Row]) {
    write_name(out, "documents");
    out.push(b'{');
    for row in rows {
        write_link(out, request, row);
        out.push(b':');
        out.extend_from_slice(&row.content);
        out.push(b',');
    }
    close_object(out);
    out.push(b',');
}

/// Appends the link of a row, which names the version if a document can have several rows.
fn write_link(out: &mut Vec<u8>, request: &Request, row: &Row) {
    if request.all_versions {
        write_text(out, &format!("{}?documentVersion={}", row.rank.link(), row.rank.version()));
    } else {
        write_text(out, row.rank.link().as_str());
    }
}
