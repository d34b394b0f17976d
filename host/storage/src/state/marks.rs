//! Checkpoint marks: how much of a store is lasting for certain, and how its journal is cut back to there.
//!
//! Every checkpoint has a number. The number is written into the store, as a *mark*. When the mark is lasting, the
//! number is written into a small file beside the store. If the newest mark in a store is older than the file says, the
//! store has lost what it must not lose. Fjall does not notice that by itself: it takes a missing folder for a new
//! store, and a damaged tag in its journal for the end of the journal.
//!
//! The journal is not fsynced with each batch. So a power cut can keep a later page of it and lose an earlier one.
//! Fjall drops a batch that ends too early, but refuses to open if a batch has its full length and wrong content.
//! Everything after the last checkpoint is in the commit log too, and the store can do without it. So the journal is
//! cut after the mark of the last checkpoint. Any place is safe for a cut, because fjall drops an incomplete batch.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use super::notes;

/// The key that a checkpoint writes its mark to; no family has the number 0.
pub(super) const MARK_KEY: [u8; 1] = [0];

/// File with the number of the newest completed checkpoint. Never fsynced: an older one only notices less.
const NUMBER_FILE: &str = "steward-checkpoint";

/// What every mark begins with; the number follows.
const MARK: [u8; 25] = *b"\x07steward checkpoint\x00mark\x07";

/// Bytes of the number in a mark, and then of the end of a batch: tag, checksum and trailer.
const MARK_END_BYTES: u64 = 8 + 1 + 8 + 4;

/// Returns the mark of checkpoint `number`.
pub(super) fn mark(number: u64) -> Vec<u8> {
    [&MARK[..], &number.to_be_bytes()].concat()
}

/// Returns the number in a mark; none if it is no mark.
pub(super) fn number_in(mark: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(mark.strip_prefix(&MARK)?.try_into().ok()?))
}

/// Notes that checkpoint `number` of the store at `path` is completed.
///
/// # Errors
/// Those of the operating system.
pub(super) fn note_completed(path: &Path, number: u64) -> io::Result<()> {
    let unfinished = path.join("steward-checkpoint.tmp");
    std::fs::write(&unfinished, number.to_string())?;
    std::fs::rename(&unfinished, path.join(NUMBER_FILE))
}

/// Returns the number of the newest checkpoint that is noted as completed; 0 if none is.
pub(super) fn completed(path: &Path) -> u64 {
    // After a power cut the file may be missing or empty.
    std::fs::read_to_string(path.join(NUMBER_FILE)).ok().and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// How many of the newest marks are tried. The newest may be there while its checkpoint was not completed; the one before
/// it was completed, so if cutting there does not help, more is damaged than a journal's end.
const MARKS_TRIED: usize = 2;

/// Returns the newest journal of the store at `path`, and where it may be cut, the least loss first.
///
/// # Errors
/// Those of the operating system.
pub(super) fn cuts(path: &Path) -> io::Result<Option<(PathBuf, Vec<u64>)>> {
    let Some(journal) = notes::newest_journal(path)? else { return Ok(None) };
    let bytes = std::fs::read(&journal)?;
    let starts = (0..bytes.len()).rev().filter(|at| bytes[*at..].starts_with(&MARK));
    let mut cuts: Vec<u64> = starts.map(|at| (at + MARK.len()) as u64 + MARK_END_BYTES).take(MARKS_TRIED).collect();
    if cuts.is_empty() {
        // A journal is begun only after the one before it was fsynced: none of it need be there.
        cuts.push(0);
    }
    Ok(Some((journal, cuts)))
}

/// Cuts a journal. The cut is not fsynced: if a power cut takes it back, the next start finds the same mark and cuts there again, and
/// the next checkpoint fsyncs the journal, its length included, before the log lets go of anything.
///
/// # Errors
/// Those of the operating system.
pub(super) fn cut(journal: &Path, at: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(journal)?.set_len(at)
}
