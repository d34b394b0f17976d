//! The documents in SQLite: a row each, and a row for each of the versions that are kept.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;

use axum::body::Bytes;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _};
use serde_json::{Map, Value};

use crate::writer::{Change, Refusal};

/// Versions of a document that are kept, as the guest of the benchmarks keeps them.
const VERSIONS_KEPT: i64 = 100;

/// Pages of the write-ahead log between two checkpoints.
const CHECKPOINT_PAGES: u32 = 8000;

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Refusal {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => Refusal::Exists,
            Some(_) | None => Refusal::Disk(error.to_string()),
        }
    }
}

/// Opens the file for the writer, and makes the tables if there are none.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn open(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS history (name TEXT, version INTEGER, body TEXT NOT NULL, PRIMARY KEY (name, version)) WITHOUT ROWID;",
    )?;
    Ok(connection)
}

/// The statements of the writer, prepared once per transaction.
pub(crate) struct Statements<'a> {
    find: CachedStatement<'a>,
    insert: CachedStatement<'a>,
    update: CachedStatement<'a>,
    keep: CachedStatement<'a>,
    forget: CachedStatement<'a>,
}

impl<'a> Statements<'a> {
    /// Prepares them.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(crate) fn of(connection: &'a Connection) -> rusqlite::Result<Statements<'a>> {
        Ok(Statements {
            find: connection.prepare_cached("SELECT version, body FROM documents WHERE name = ?1")?,
            insert: connection.prepare_cached("INSERT INTO documents (name, version, body) VALUES (?1, 0, ?2)")?,
            update: connection.prepare_cached("UPDATE documents SET version = ?2, body = ?3 WHERE name = ?1")?,
            keep: connection.prepare_cached("INSERT INTO history (name, version, body) VALUES (?1, ?2, ?3)")?,
            forget: connection.prepare_cached("DELETE FROM history WHERE name = ?1 AND version = ?2")?,
        })
    }

    /// Makes one change inside the open transaction, and returns the document after it.
    ///
    /// # Errors
    /// [`Refusal`]: nothing of it was written.
    pub(crate) fn make(&mut self, change: &Change) -> Result<Bytes, Refusal> {
        match change {
            Change::Create { body } => {
                let mut state = object(body)?;
                let Some(Value::String(name)) = state.remove("documentSelfLink") else { return Err(Refusal::Malformed) };
                let text = Value::Object(state).to_string();
                self.insert.execute((&name, &text))?;
                Ok(shown(&name, 0, &text))
            }
            Change::Merge { name, body } => {
                let found = self.find.query_row((name,), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
                let (version, before) = found.optional()?.ok_or(Refusal::NotFound)?;
                let mut state = object(before.as_bytes())?;
                state.extend(object(body)?);
                let after = Value::Object(state).to_string();
                self.keep.execute((name, version, &before))?;
                self.forget.execute((name, version - VERSIONS_KEPT))?;
                self.update.execute((name, version + 1, &after))?;
                Ok(shown(name, version + 1, &after))
            }
        }
    }
}

fn object(text: &[u8]) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(text).map_err(|_| Refusal::Malformed)
}

/// Returns a document with the fields that say which and which version it is.
fn shown(name: &str, version: i64, state: &str) -> Bytes {
    let mut text = String::with_capacity(state.len() + name.len() + 80);
    text.push_str(state.trim_end_matches('}'));
    let _ = write!(text, r#","documentSelfLink":"/core/examples/{name}","documentVersion":{version}}}"#);
    text.into()
}

thread_local! {
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// Returns a document, read on this thread.
///
/// # Errors
/// [`Refusal::NotFound`], and those of SQLite.
pub(crate) fn read(file: &Path, name: &str) -> Result<Bytes, Refusal> {
    READER.with_borrow_mut(|reader| {
        let connection = match reader {
            Some(connection) => connection,
            None => reader.insert(Connection::open(file)?),
        };
        let mut find = connection.prepare_cached("SELECT version, body FROM documents WHERE name = ?1")?;
        let found = find.query_row((name,), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
        let (version, state) = found.optional()?.ok_or(Refusal::NotFound)?;
        Ok(shown(name, version, &state))
    })
}
