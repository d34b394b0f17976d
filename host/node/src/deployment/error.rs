//! Why a change of a deployment was refused or failed.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use steward_model::Link;
use steward_model::problem::{ALREADY_EXISTS, Kind, NOT_FOUND, Problem, Retry};
use steward_protocol::cluster::Refused;

use crate::cluster::ProposeError;
use crate::operation;
use crate::service::{ModulesError, SchemaError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The system group says no.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// The system group did not decide.
    #[error("{0}")]
    Undecided(ProposeError),
    /// A guest module is refused, or cannot be read from disk.
    #[error("{0}")]
    Module(#[from] ModulesError),
    /// The path belongs to the host.
    #[error("{path} cannot be mounted: {reason}")]
    Reserved { path: Link, reason: &'static str },
    /// The schema of a module's state cannot be compiled.
    #[error("{0}")]
    Schema(#[from] SchemaError),
    /// The index names a field that states do not have.
    #[error("index of {field} is of no use: {reason}")]
    Index { field: String, reason: String },
    /// Stored documents could not be read any more.
    #[error("{0}")]
    Breaking(Box<Breaking>),
    /// A stored document could not be read any more.
    #[error("{0}")]
    Unfit(Box<Unfit>),
    /// The factory never had such a revision, or none to return to.
    #[error("factory {path} {reason}")]
    NoSuchRevision { path: Link, reason: String },
    /// Too few nodes have the module on their disks.
    #[error(
        "the module is kept by {kept} of the {quorum} nodes that the quorum asks for; it is not registered{}",
        refusals.iter().map(|refusal| format!("; {refusal}")).collect::<String>()
    )]
    KeptByFew {
        /// How many keep it, this node among them.
        kept: usize,
        /// How many have to.
        quorum: u32,
        /// Why others do not, which can be asked.
        refusals: Vec<String>,
    },
    /// What is stored cannot be looked at now.
    #[error(transparent)]
    Operation(#[from] operation::Error),
    /// The state store failed.
    #[error("the state store of this node failed: {0}")]
    Storage(#[from] steward_storage::documents::Error),
    /// A bug of ours: the task that changed it ended without an answer.
    #[error("the change ended unexpectedly; this is a fault of the host")]
    Broken,
}

/// Documents that a module could not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{path} keeps {} document{} in state version{} {}, the module reads {}",
    self.unreadable(),
    if self.unreadable() == 1 { "" } else { "s" },
    if self.stored.len() == 1 { "" } else { "s" },
    listed(self.stored.keys()),
    listed(&self.reads)
)]
pub(crate) struct Breaking {
    pub(crate) path: Link,
    /// Which state versions the module does not read, and how many documents have them.
    pub(crate) stored: BTreeMap<u32, u64>,
    /// Which state versions the module reads.
    pub(crate) reads: Vec<u32>,
}

/// A document that a module could not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the module cannot read {link}, which is stored in state version {stored}{}: {reason}",
    if stored == own { ", its own, with another schema" } else { "" }
)]
pub(crate) struct Unfit {
    pub(crate) link: Link,
    /// The state version it is stored in.
    pub(crate) stored: u32,
    /// The state version that the module writes.
    pub(crate) own: u32,
    /// Why it cannot be read.
    pub(crate) reason: String,
}

fn listed<'a>(numbers: impl IntoIterator<Item = &'a u32>) -> String {
    numbers.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Breaking {
    fn unreadable(&self) -> u64 {
        self.stored.values().sum()
    }

    /// Returns what programs want to know about it.
    pub(crate) fn members(&self) -> Map<String, Value> {
        let stored: Map<String, Value> =
            self.stored.iter().map(|(version, n)| (version.to_string(), json!(n))).collect();
        let mut members = Map::new();
        members.insert("unreadableDocuments".to_owned(), self.unreadable().into());
        members.insert("unreadableStateVersions".to_owned(), stored.into());
        members.insert("readsStateVersions".to_owned(), self.reads.clone().into());
        members
    }
}

impl From<ProposeError> for Error {
    fn from(error: ProposeError) -> Error {
        match error {
            ProposeError::Refused(refused) => Error::Refused(refused),
            other @ (ProposeError::TooLarge { .. }
            | ProposeError::NoMajority
            | ProposeError::NoLeader
            | ProposeError::Closed) => Error::Undecided(other),
        }
    }
}

impl Error {
    /// Returns the failure as everybody speaks of it.
    pub(crate) fn problem(&self) -> Problem {
        let never = |kind, code| Problem::never(kind, code, self);
        match self {
            Error::Operation(error) => error.problem(),
            Error::Module(error) => error.problem(),
            Error::Refused(refused) => of_refused(refused),
            Error::Undecided(error) => of_undecided(error),
            Error::KeptByFew { refusals, .. } if !refusals.is_empty() => {
                Problem::later(Kind::Unavailable, "no-quorum", 1, self).hint("upload the module again when what keeps these nodes from it is mended")
            }
            Error::KeptByFew { .. } => Problem::later(Kind::Unavailable, "no-quorum", 1, self)
                .hint("GET /core/node-groups/default shows which nodes are missing; upload the module again when they are back"),
            Error::Schema(_) => never(Kind::Unprocessable, "module-schema"),
            Error::Index { field, .. } => never(Kind::Unprocessable, "module-index")
                .with("field", field.as_str())
                .hint("name fields of the state schema in the descriptor's index, with their types"),
            Error::Reserved { .. } => never(Kind::Conflict, "deploy-path-reserved"),
            Error::NoSuchRevision { .. } => never(Kind::NotFound, "not-found").xenon(NOT_FOUND),
            Error::Storage(_) => never(Kind::Internal, "storage"),
            Error::Broken => never(Kind::Internal, "internal").unknown(),
            Error::Unfit(unfit) => {
                let hint = match unfit.stored == unfit.own {
                    true => "raise the state version and add a migration from this one, or let the new schema allow what is stored",
                    false => "let the migration from that state version take this document, too",
                };
                never(Kind::Conflict, "deploy-breaking-state")
                    .with("link", unfit.link.as_str())
                    .hint(hint)
                    .hint("or keep both: mount the new module at another path")
            }
            Error::Breaking(breaking) => {
                let mut problem = never(Kind::Conflict, "deploy-breaking-state")
                    .hint("let the module read the stored state: add a migration from each of these state versions")
                    .hint("or keep both: mount the new module at another path");
                problem.members.extend(breaking.members());
                problem
            }
        }
    }
}

fn of_undecided(error: &ProposeError) -> Problem {
    match error {
        ProposeError::Refused(refused) => of_refused(refused),
        ProposeError::TooLarge { .. } => Problem::never(Kind::TooLarge, "payload-too-large", error),
        // The group may have decided, and this node does not know it.
        ProposeError::NoMajority => Problem::later(Kind::Unavailable, "no-quorum", 1, error).unknown(),
        ProposeError::NoLeader => Problem::later(Kind::Unavailable, "no-quorum", 1, error),
        ProposeError::Closed => Problem::later(Kind::Unavailable, "stopping", 5, error).unknown(),
    }
}

fn of_refused(refused: &Refused) -> Problem {
    let conflict = |code| Problem::new(Kind::Conflict, code, Retry::AfterReread, refused);
    match refused {
        Refused::UnknownNode { .. } | Refused::UnknownModule { .. } | Refused::NotMounted { .. } => {
            Problem::never(Kind::NotFound, "not-found", refused).xenon(NOT_FOUND)
        }
        Refused::QuorumZero | Refused::QuorumOutOfReach { .. } => Problem::never(Kind::Invalid, "validation", refused),
        Refused::ModuleMounted { .. } => conflict("module-mounted"),
        Refused::PathTaken { path, revision } => conflict("already-exists")
            .xenon(ALREADY_EXISTS)
            .with("revision", *revision)
            .hint(format!("GET /core/factories{path} shows which module answers there, and who has mounted it")),
        Refused::StaleRevision { .. } => {
            conflict("conflict").hint("look at the factory again and repeat with its revision in expectedRevision")
        }
        Refused::ServiceDiffers { .. } => conflict("deploy-service-differs"),
        Refused::Overlap { .. } => conflict("deploy-path-overlap"),
        Refused::WrongStatus { node, status } if status.is_present() => conflict("node-present")
            .hint(format!("stop node {node} first; once the group has seen that it is gone it can be removed")),
        Refused::CopiesNeeded { partition, left, needed, .. }
        | Refused::QuorumNeeded { partition, left, needed, .. } => conflict("copies-needed")
            .with("partition", partition.to_string())
            .with("available", *left)
            .with("quorum", *needed),
        Refused::NoGenesis
        | Refused::GenesisExists
        | Refused::GenesisInvalid(_)
        | Refused::StaleBoot { .. }
        | Refused::WrongStatus { .. }
        | Refused::NotAvailable { .. }
        | Refused::TooFewServe { .. }
        | Refused::Observer { .. }
        | Refused::NotAssigned { .. }
        | Refused::StaleEpoch { .. }
        | Refused::StaleVersion { .. }
        | Refused::NotInSync { .. }
        | Refused::AlreadyPrimary { .. }
        | Refused::PrimaryLeftOut { .. }
        | Refused::Evidence { .. }
        | Refused::HoldsReplicas { .. } => conflict("conflict"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_cannot_be_read_are_counted() {
        let path = Link::parse("/core/counters").expect("a valid link");
        let breaking = Breaking { path, stored: BTreeMap::from([(1, 1200), (2, 4)]), reads: vec![3] };
        let told = "/core/counters keeps 1204 documents in state versions 1, 2, the module reads 3";
        assert_eq!(breaking.to_string(), told);
        assert_eq!(breaking.members()["unreadableStateVersions"], json!({"1": 1200, "2": 4}));
    }
}
