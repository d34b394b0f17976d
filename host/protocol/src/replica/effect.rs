//! What a replica wants done.

use std::sync::Arc;

use steward_model::update::Record;
use steward_model::{Epoch, Offset, Position};

use super::message::shown;
use super::{Member, Message};
use crate::cluster::row::{Alteration, Members};

/// Something to be done, in the order in which effects were appended.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Write down that no lower epoch will be supported, then say [`super::Event::PromisePersisted`].
    PersistPromise(Epoch),
    /// Append the record to the log, then say [`super::Event::Persisted`]; later records may be appended meanwhile, and
    /// one event may answer for many of them. The record is also to be kept at hand until a commit covers it.
    Persist(Arc<Record>),
    /// Forget every record behind this one: another reign has ordered something else there. Nothing of it is committed.
    Truncate {
        /// The last record that is left; none: no record is.
        after: Option<Position>,
    },
    /// Publish and apply every record up to and including this one that was not applied before, in order: those
    /// recovered from the log first. Apply only what is durable in the own log.
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
        /// The member that was named for the next reign, if that is known.
        successor: Option<Member>,
    },
    /// What [`super::Replica::admits`] says may have changed.
    AdmissionChanged,
    /// Send a message to another member. It may be lost.
    Send {
        /// Who shall have it.
        to: Member,
        /// The message.
        message: Message,
    },
    /// Read records of the own log that are no longer in memory, then say [`super::Event::LogRead`]. Forgetting it costs
    /// time only.
    ReadLog(LogRead),
    /// Propose a change of the row to the system group. It may be proposed more than once.
    Alter(Alteration),
    /// Ask the system group to name another primary, if the row still has this epoch.
    MovePrimary {
        /// The reign that gives up.
        epoch: Epoch,
        /// Who shall reign next.
        to: Member,
    },
    /// Ask the system group, by a read that begins now, whether the row still has this epoch; if so, say
    /// [`super::Event::RowConfirmed`] with this number.
    ConfirmRow {
        /// The epoch of this reign.
        epoch: Epoch,
        /// The number of the last read that waits.
        through: u64,
    },
    /// What was committed here when these reads came was the newest committed state of all: they may be answered.
    ReadsConfirmed {
        /// The number of the last of them.
        through: u64,
    },
    /// The reign is over, or there is none: nobody can confirm these reads.
    ReadsRefused {
        /// The number of the last of them.
        through: u64,
    },
    /// This member cannot be fed from the own log, which begins above what it lacks: it has to be made anew. Said again
    /// until it was.
    Rebuild {
        /// Who lacks more than the log has.
        member: Member,
    },
}

/// Records of the own log that are wanted for somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogRead {
    /// Who wants them.
    pub to: Member,
    /// The reign for which it wants them.
    pub epoch: Epoch,
    /// What for.
    pub purpose: Purpose,
    /// The record before the first one.
    pub after: Option<Position>,
    /// Most records of one read; [`Event::LogRead`](super::Event::LogRead) may bring fewer.
    pub records_max: usize,
    /// No further record once there are so many bytes.
    pub bytes_max: usize,
}

/// What records are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// This replica reigns, and feeds a copy.
    Feed,
    /// Another one is candidate, and adopts this log.
    Adoption,
}

impl std::fmt::Display for LogRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LogRead { to, epoch, after, records_max, .. } = self;
        write!(f, "what follows {}, at most {records_max}, for {to} in epoch {epoch}", shown(after))
    }
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Effect::PersistPromise(epoch) => write!(f, "persist the promise of epoch {epoch}"),
            Effect::Persist(record) => write!(f, "persist {record}"),
            Effect::Truncate { after } => write!(f, "cut after {}", shown(after)),
            Effect::Commit { through } => write!(f, "commit up to {through}"),
            Effect::Serve(epoch) => write!(f, "serve epoch {epoch}"),
            Effect::StopServing { epoch, successor: Some(successor) } => {
                write!(f, "stop serving epoch {epoch}, {successor} is named next")
            }
            Effect::StopServing { epoch, successor: None } => {
                write!(f, "stop serving epoch {epoch}, nobody knows who is named next")
            }
            Effect::AdmissionChanged => f.write_str("look again who is admitted"),
            Effect::Send { to, message } => write!(f, "to {to}: {message}"),
            Effect::ReadLog(read) => write!(f, "read {read}"),
            Effect::Alter(Alteration { epoch, version, in_sync, write_quorum, .. }) => {
                let members = Members(in_sync);
                write!(f, "propose in epoch {epoch}, version {version}: in sync {members}, W {write_quorum}")
            }
            Effect::MovePrimary { epoch, to } => write!(f, "propose {to} as successor of epoch {epoch}"),
            Effect::ConfirmRow { epoch, through } => {
                write!(f, "ask the system group whether epoch {epoch} is the last one, reads up to {through}")
            }
            Effect::ReadsConfirmed { through } => write!(f, "answer reads up to {through}"),
            Effect::ReadsRefused { through } => write!(f, "refuse reads up to {through}"),
            Effect::Rebuild { member } => write!(f, "{member} lacks more than the log has"),
        }
    }
}
