//! What is kept of the living documents of a factory in one copy of a partition: how many there are, and which fields each of them has.
//!
//! Problem: a document that lacks a field has no row in the index of that field. A read in the order of a field, documents
//! that lack it first, would have to look at every document to find out that there is none. Promise: of a field that is named here every
//! living document of the copy has an indexed value.
//!
//! ```text
//!  ┌───────────┬────────┬────────────┬─────┐
//!  │ documents │ length │ path       │ ... │   paths ascending
//!  │ u64       │ u16    │ in UTF-8   │     │
//!  └───────────┴────────┴────────────┴─────┘
//! ```
//!
//! Left out: that a field has come to every document by updates; it is named again once the last document is gone. Clients choose the names
//! of fields, so no more than [`FIELDS_BYTES_MAX`] bytes of them are kept: what is not named costs a slower way.

use std::collections::BTreeSet;

/// Bytes of the paths of one tally, with their lengths.
const FIELDS_BYTES_MAX: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Living documents.
    pub(super) count: u64,
    /// Paths at which each of them has an indexed value; perhaps not all of these.
    pub(super) fields: BTreeSet<String>,
}

/// Reads the number of documents.
pub(super) fn count_in(row: &[u8]) -> Result<u64, &'static str> {
    Ok(split(row)?.0)
}

/// Returns true if every document is known to have a value at `path`.
pub(super) fn names(row: &[u8], path: &str) -> Result<bool, &'static str> {
    for field in fields(split(row)?.1) {
        if field? == path.as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn split(row: &[u8]) -> Result<(u64, &[u8]), &'static str> {
    let (count, rest) = row.split_first_chunk().ok_or("count of another size")?;
    Ok((u64::from_be_bytes(*count), rest))
}

/// Returns the paths of a row behind its count; the last one is an error if the row ends within it.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = Result<&[u8], &'static str>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let next = rest
            .split_first_chunk()
            .and_then(|(length, behind)| behind.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        let (field, behind) = next.unwrap_or_default();
        rest = behind;
        Some(next.map(|_| field).ok_or("names of fields of another size"))
    })
}

impl Tally {
    /// Reads a row.
    pub(super) fn read(row: &[u8]) -> Result<Tally, &'static str> {
        let (count, rest) = split(row)?;
        let text =
            |field: Result<&[u8], _>| String::from_utf8(field?.to_vec()).map_err(|_| "name of a field that is no text");
        Ok(Tally { count, fields: fields(rest).map(text).collect::<Result<_, _>>()? })
    }

    /// Returns the row.
    pub(super) fn row(&self) -> Vec<u8> {
        let mut row = self.count.to_be_bytes().to_vec();
        for field in &self.fields {
            let Ok(length) = u16::try_from(field.len()) else { continue };
            if row.len() + 2 + field.len() > 8 + FIELDS_BYTES_MAX {
                break;
            }
            row.extend_from_slice(&length.to_be_bytes());
            row.extend_from_slice(field.as_bytes());
        }
        row
    }
}

/// What a run changes in a tally.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// By how many documents there are more.
    came: i64,
    /// Fields that all documents have which the run has indexed anew; none: it has indexed none.
    fields: Option<BTreeSet<String>>,
}

impl Changes {
    /// Takes a document that came, or went if `came` is negative, or stayed; and its fields if it is indexed anew.
    pub(super) fn take(&mut self, came: i64, fields: Option<BTreeSet<String>>) {
        self.came += came;
        match (&mut self.fields, fields) {
            (Some(common), Some(fields)) => common.retain(|field| fields.contains(field)),
            (common @ None, fields) => *common = fields,
            (Some(_), None) => {}
        }
    }

    /// Returns what a factory has after the run.
    pub(super) fn of(&self, mut tally: Tally) -> Tally {
        if let Some(fields) = &self.fields {
            match tally.count {
                // All documents that there are come with this run.
                0 => tally.fields.clone_from(fields),
                _ => tally.fields.retain(|field| fields.contains(field)),
            }
        }
        tally.count = tally.count.saturating_add_signed(self.came);
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(fields: &[&str]) -> BTreeSet<String> {
        fields.iter().map(|field| (*field).to_owned()).collect()
    }

    #[test]
    fn layout_is_frozen() {
        let tally = Tally { count: 7, fields: set(&["b.c", "a"]) };
        let row = tally.row();
        assert_eq!(row, b"\0\0\0\0\0\0\0\x07\0\x01a\0\x03b.c");
        assert_eq!(Tally::read(&row), Ok(tally));
        assert_eq!((count_in(&row), names(&row, "a"), names(&row, "b")), (Ok(7), Ok(true), Ok(false)));
        for cut in [1, 7, 9, 10, 12, 14] {
            assert!(Tally::read(&row[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn names_beyond_the_bound_are_left_out() {
        let fields: BTreeSet<String> = (0..100).map(|n| format!("{n:03}{}", "x".repeat(60))).collect();
        let row = Tally { count: 1, fields: fields.clone() }.row();
        assert!(row.len() <= 8 + FIELDS_BYTES_MAX);
        let read = Tally::read(&row).expect("a row");
        assert!(!read.fields.is_empty() && read.fields.is_subset(&fields));
    }

    #[test]
    fn a_field_is_named_while_every_document_has_it() {
        let run = |tally: Tally, came, documents: &[&[&str]]| {
            let mut changes = Changes::default();
            changes.take(came, None);
            documents.iter().for_each(|fields| changes.take(0, Some(set(fields))));
            changes.of(tally)
        };
        let tally = run(Tally::default(), 2, &[&["a", "b"], &["b", "a", "c"]]);
        assert_eq!(tally, Tally { count: 2, fields: set(&["a", "b"]) });
        let tally = run(tally, 1, &[&["b", "c"]]);
        assert_eq!(tally, Tally { count: 3, fields: set(&["b"]) });
        let tally = run(tally, -2, &[]);
        assert_eq!(tally, Tally { count: 1, fields: set(&["b"]) });
        let tally = run(tally, 0, &[&["a", "b"]]);
        assert_eq!(tally.fields, set(&["b"]), "others may lack it");
        let tally = run(run(tally, -1, &[]), 1, &[&["a"]]);
        assert_eq!(tally, Tally { count: 1, fields: set(&["a"]) });
    }
}
