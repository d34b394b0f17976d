//! What a replica wants done.

use steward_model::update::Record;
use steward_model::{Epoch, Offset};

use super::Member;

/// Something to be done, in the order in which effects were appended.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Write down that no lower epoch will be supported, then say [`super::Event::PromisePersisted`].
    PersistPromise(Epoch),
    /// Append the record to the log, then say [`super::Event::Persisted`]; later records may be appended meanwhile, and
    /// one event may answer for many of them. The record is also to be kept at hand until a commit covers it.
    Persist(Record),
    /// Publish and apply every record up to and including this one that was not applied before, in order: those
    /// recovered from the log first.
    Commit {
        /// The last committed record.
        through: Offset,
    },
    /// Admit operations: everything that earlier reigns committed is committed here. Follows the commit of the marker.
    Serve(Epoch),
    /// Stop admitting operations: a higher epoch has begun. Records that were not committed may still become so: a
    /// client that waits for one learns it from a later [`Effect::Commit`], or not at all.
    StopServing {
        /// The reign that is over; its [`Effect::Serve`] came before.
        epoch: Epoch,
        /// The member that was named for the next reign.
        successor: Member,
    },
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Effect::PersistPromise(epoch) => write!(f, "persist the promise of epoch {epoch}"),
            Effect::Persist(record) => write!(f, "persist {record}"),
            Effect::Commit { through } => write!(f, "commit up to {through}"),
            Effect::Serve(epoch) => write!(f, "serve epoch {epoch}"),
            Effect::StopServing { epoch, successor } => {
                write!(f, "stop serving epoch {epoch}, {successor} is named next")
            }
        }
    }
}
