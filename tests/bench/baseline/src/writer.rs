//! The writer: one thread that makes the changes that wait in one transaction, and answers them after its commit.

use std::path::Path;
use std::sync::mpsc;

use axum::body::Bytes;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::{self, Statements};

/// Changes of one transaction, at the most.
const GROUP_MAX: usize = 512;

/// What somebody wants to change.
pub(crate) enum Change {
    /// A new document, which names itself.
    Create { body: Bytes },
    /// Fields of a document.
    Merge { name: String, body: Bytes },
}

/// Why a change was not made.
pub(crate) enum Refusal {
    NotFound,
    Malformed,
    Exists,
    Disk(String),
}

type Outcome = Result<Bytes, Refusal>;

struct Waiting {
    change: Change,
    answer: oneshot::Sender<Outcome>,
}

/// The way to the writer's thread.
pub(crate) struct Writer {
    waiting: mpsc::Sender<Waiting>,
}

impl Writer {
    /// Opens the file and starts the thread.
    ///
    /// # Errors
    /// Those of SQLite and of the system.
    pub(crate) fn start(file: &Path) -> Result<Writer, Box<dyn std::error::Error>> {
        let connection = store::open(file)?;
        let (waiting, changes) = mpsc::channel();
        std::thread::Builder::new().name("writer".to_owned()).spawn(move || run(&connection, &changes))?;
        Ok(Writer { waiting })
    }

    /// Returns the document after a change that is on the disk.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(crate) async fn write(&self, change: Change) -> Outcome {
        let gone = || Refusal::Disk("the writer has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        self.waiting.send(Waiting { change, answer }).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn run(connection: &Connection, changes: &mpsc::Receiver<Waiting>) {
    while let Ok(first) = changes.recv() {
        let group: Vec<Waiting> = std::iter::once(first).chain(changes.try_iter().take(GROUP_MAX - 1)).collect();
        let answers = commit(connection, &group);
        for (waiting, answer) in group.into_iter().zip(answers) {
            // The client may be gone.
            let _ = waiting.answer.send(answer);
        }
    }
}

/// Makes the changes of a group in one transaction, and returns what to answer.
fn commit(connection: &Connection, group: &[Waiting]) -> Vec<Outcome> {
    let written = || -> rusqlite::Result<Vec<Outcome>> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut statements = Statements::of(connection)?;
        let answers = group.iter().map(|waiting| statements.make(&waiting.change)).collect();
        drop(statements);
        connection.execute_batch("COMMIT")?;
        Ok(answers)
    };
    written().unwrap_or_else(|error| {
        // Nothing of the group is there; that it cannot be rolled back either changes nothing for its clients.
        let _ = connection.execute_batch("ROLLBACK");
        group.iter().map(|_| Err(Refusal::Disk(error.to_string()))).collect()
    })
}
