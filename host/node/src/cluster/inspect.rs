//! Looking at what the system group of a stopped node has written, for people.

use std::path::{Path, PathBuf};

use openraft::EntryPayload;
use serde_json::{Value, json};
use steward_protocol::cluster::Command;
use steward_storage::log::Frame;

use super::identity::Identity;
use super::journal::{self, Note, Read};
use super::opening::{FOLDER, LOG_FOLDER};

/// What a frame of the system log says.
pub struct Statement {
    /// In a few words.
    pub words: String,
    /// In full, for programs.
    pub fields: Value,
}

/// Returns the folder of the system log in the data folder `data`; none if no system group has begun there.
///
/// # Errors
/// Why the file that names it cannot be read, in words.
pub fn log_folder(data: &Path) -> Result<Option<PathBuf>, String> {
    let system = data.join(FOLDER);
    let identity = Identity::read(&system).map_err(|error| error.to_string())?;
    Ok(identity.map(|identity| system.join(identity.folder_name()).join(LOG_FOLDER)))
}

/// Returns what `frame` says.
///
/// # Errors
/// Why it cannot be read, in words.
pub fn say(frame: &Frame) -> Result<Statement, String> {
    Ok(match journal::read(frame).map_err(|error| error.to_string())? {
        Read::Vote(vote) => Statement {
            words: format!("for node {} in term {}", vote.leader_id.node_id, vote.leader_id.term),
            fields: json!({"node": vote.leader_id.node_id, "term": vote.leader_id.term, "committed": vote.committed}),
        },
        Read::Note(Note::Entry(entry)) => {
            let (index, term) = (entry.log_id.index, entry.log_id.leader_id.term);
            let (name, detail) = match &entry.payload {
                EntryPayload::Blank => ("Blank".to_owned(), Value::Null),
                EntryPayload::Membership(members) => ("Membership".to_owned(), json!(members.to_string())),
                EntryPayload::Normal(command) => (command.name().to_owned(), detail(command)),
            };
            Statement {
                words: format!("entry {index} {name}"),
                fields: json!({"entry": index, "term": term, "command": name, "detail": detail}),
            }
        }
        Read::Note(Note::Truncated(from)) => {
            Statement { words: format!("entries from {from} on are void"), fields: json!({"voidFrom": from}) }
        }
        Read::Note(Note::Purged(upto)) => Statement {
            words: format!("entries up to {} are in the snapshot", upto.index),
            fields: json!({"inSnapshotThrough": upto.index}),
        },
    })
}

/// Returns what a command says; of the one that carries a whole state, nothing that its name does not.
fn detail(command: &Command) -> Value {
    match command {
        Command::InstallGenesis(_) => Value::Null,
        Command::RegisterNode(_)
        | Command::NodeAvailable { .. }
        | Command::SetQuorum { .. }
        | Command::BeginLeave { .. }
        | Command::RemoveNode { .. }
        | Command::MovePrimaries(_)
        | Command::AlterInSync(_)
        | Command::RegisterModule(_)
        | Command::RemoveModule { .. }
        | Command::MountFactory(_)
        | Command::MoveFactory(_)
        | Command::UnmountFactory { .. }
        | Command::SetConfig { .. }
        | Command::FenceNode { .. }
        | Command::Unfence { .. } => json!(command.to_string()),
    }
}
