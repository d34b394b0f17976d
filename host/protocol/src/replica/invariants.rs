//! What is true of a replica after every event. Debug builds check it each time, simulation does so in every world.

use steward_model::{Epoch, Offset, Position};

use super::message::shown;
use super::{Replica, Role, RoleName};

/// A sentence that turned out to be false.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// I7: a role was taken whose promise is not durable.
    #[error("{role} of epoch {epoch}, but only epoch {promised} is durably promised")]
    PromiseNotDurable {
        /// The role that was taken too early.
        role: RoleName,
        /// The epoch of the role.
        epoch: Epoch,
        /// The highest durable promise.
        promised: Epoch,
    },
    /// I3: a role belongs to another epoch than the row.
    #[error("role of epoch {role}, but the row has epoch {row}")]
    RoleOfAnotherEpoch {
        /// The epoch of the role.
        role: Epoch,
        /// The epoch of the row.
        row: Epoch,
    },
    /// I9: committed and durable lie within the log.
    #[error("log ends with {}, but {} is committed and {} durable", shown(.end), shown(.committed), shown(.durable))]
    BeyondEnd {
        /// The end of the own log.
        end: Option<Position>,
        /// The last committed offset.
        committed: Option<Offset>,
        /// The last durable offset.
        durable: Option<Offset>,
    },
    /// I8: the lineage does not end where the log does.
    #[error("log ends with {}, but its lineage with {}", shown(.end), shown(.lineage))]
    EndOutsideLineage {
        /// The end of the own log.
        end: Option<Position>,
        /// The last epoch of the lineage.
        lineage: Option<Epoch>,
    },
    /// I5: a reign is active before its marker is committed, or is not although it is.
    #[error("{role} with a marker at {marker}, but {} is committed", shown(.committed))]
    MarkerNotDecisive {
        /// The role that disagrees with the marker.
        role: RoleName,
        /// Where the marker is.
        marker: Offset,
        /// The last committed offset.
        committed: Option<Offset>,
    },
    /// I7: the own progress counts more than is durable.
    #[error("own progress is {}, but {} is durable", shown(.counted), shown(.durable))]
    OwnProgress {
        /// The end of this member in the progress of its reign.
        counted: Option<Offset>,
        /// The last offset that its disk has.
        durable: Option<Offset>,
    },
}

impl Replica {
    /// Checks, in debug builds, what is true after every event.
    pub(super) fn assert_sound(&self) {
        debug_assert_eq!(check(self), Ok(()));
    }
}

/// Returns nothing if every invariant of a single replica holds.
///
/// # Errors
/// [`Violation`] is the first that does not. There is a bug in this module: nothing that the replica says can be trusted.
pub fn check(replica: &Replica) -> Result<(), Violation> {
    let end = replica.end.map(|end| end.offset);
    if replica.committed > end || replica.durable > end {
        let (committed, durable) = (replica.committed, replica.durable);
        return Err(Violation::BeyondEnd { end: replica.end, committed, durable });
    }
    if replica.lineage.last_epoch() != replica.end.map(|end| end.epoch) {
        return Err(Violation::EndOutsideLineage { end: replica.end, lineage: replica.lineage.last_epoch() });
    }
    check_role(replica)
}

fn check_role(replica: &Replica) -> Result<(), Violation> {
    let (role, epoch) = match &replica.role {
        Role::Tailing | Role::InSync => return Ok(()),
        Role::Candidate(candidate) => (RoleName::Candidate, candidate.epoch),
        Role::Activating(reign) => (RoleName::Activating, reign.epoch),
        Role::Primary(reign) => (RoleName::Primary, reign.epoch),
    };
    if epoch != replica.epoch() {
        return Err(Violation::RoleOfAnotherEpoch { role: epoch, row: replica.epoch() });
    }
    match &replica.role {
        Role::Tailing | Role::InSync | Role::Candidate(_) => Ok(()),
        Role::Activating(reign) | Role::Primary(reign) => {
            let (promised, committed) = (replica.promised, replica.committed);
            if promised < epoch {
                return Err(Violation::PromiseNotDurable { role, epoch, promised });
            }
            let is_active = role == RoleName::Primary;
            if (committed >= Some(reign.marker)) != is_active {
                return Err(Violation::MarkerNotDecisive { role, marker: reign.marker, committed });
            }
            let counted = reign.progress.proven(replica.own);
            if counted != replica.durable {
                return Err(Violation::OwnProgress { counted, durable: replica.durable });
            }
            Ok(())
        }
    }
}
