//! A handler that runs without consequences. What it says goes to the one who asked for the run; what it counts goes nowhere; what it
//! reads is noted. Nothing that it decides is proposed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use steward_model::operation::Fault;
use steward_sandbox::{Imports, Level};

/// Most lines that are kept of one run, and most links of what it read.
const KEPT_MAX: usize = 200;

/// What is noted for a query in place of a link.
const QUERY: &str = "query";

/// One line that a guest logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogLine {
    /// How urgent, in lower case.
    pub level: String,
    pub message: String,
    /// A JSON object, or empty.
    pub fields: String,
}

/// What was heard of a run.
#[derive(Debug, Default)]
pub(super) struct Rehearsal {
    lines: Mutex<Vec<LogLine>>,
    read: Mutex<BTreeSet<String>>,
}

/// What the guest may call while it runs without consequences.
struct Heard {
    rehearsal: Arc<Rehearsal>,
    /// Reads and queries go where they always go.
    behind: Arc<dyn Imports>,
}

impl Rehearsal {
    /// Returns what the guest may call, given what it could call otherwise.
    pub(super) fn imports(self: &Arc<Self>, behind: Arc<dyn Imports>) -> Arc<dyn Imports> {
        Arc::new(Heard { rehearsal: Arc::clone(self), behind })
    }

    /// Returns the lines, in their order.
    pub(super) fn lines(&self) -> Vec<LogLine> {
        locked(&self.lines).clone()
    }

    /// Returns what was read: links, and the word for queries.
    pub(super) fn read(&self) -> Vec<String> {
        locked(&self.read).iter().cloned().collect()
    }

    fn note(&self, what: &str) {
        let mut read = locked(&self.read);
        if read.len() < KEPT_MAX {
            read.insert(what.to_owned());
        }
    }
}

impl Imports for Heard {
    fn log(&self, level: Level, message: &str, fields: &str) {
        let mut lines = locked(&self.rehearsal.lines);
        if lines.len() < KEPT_MAX {
            let level = word(level).to_owned();
            lines.push(LogLine { level, message: message.to_owned(), fields: fields.to_owned() });
        }
    }

    fn stat(&self, _name: &str, _value: f64) {}

    fn read<'a>(&'a self, link: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        self.rehearsal.note(link);
        self.behind.read(link)
    }

    fn query<'a>(&'a self, spec: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        self.rehearsal.note(QUERY);
        self.behind.query(spec)
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A list with a line more or less is a list.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
