//! How a failed operation is told to others: to clients and guests as a problem, to those who carry effects as a number of further
//! tries.
//!
//! Two classifications stand here side by side: which failures pass by themselves for a client that waits, and which for an effect.

use steward_model::operation::Fault;
use steward_model::problem::{self, Happened, Kind, Problem, Retry, Violation};
use steward_model::{Action, Link, PartitionId, Position, Version};
use steward_sandbox::CallError;

use super::error::{Copies, Error};
use super::freshness::{Copied, tag_of};
use super::patience::Patience;
use crate::service::problem_of_call;

/// Statuses of refusals that pass by themselves, whoever gives them.
pub(crate) const PASSING_STATUSES: [u16; 4] = [429, 502, 503, 504];

impl Error {
    /// Returns the failure as everybody speaks of it.
    pub(crate) fn problem(&self) -> Problem {
        let problem = self.classified();
        match self.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }

    fn classified(&self) -> Problem {
        let never = |kind, code| Problem::never(kind, code, self);
        let later = |kind, code, seconds| Problem::later(kind, code, seconds, self);
        let reread = |kind, code| Problem::new(kind, code, Retry::AfterReread, self);
        match self {
            // What repairs a module takes longer than a moment.
            Error::NotServed { .. } => later(Kind::Unavailable, "not-available", 5),
            Error::UnknownPath { .. }
            | Error::NotFound { .. }
            | Error::Expired { .. }
            | Error::VersionNotFound { .. } => never(Kind::NotFound, "not-found").xenon(problem::NOT_FOUND),
            Error::NotReplayable(reason) => reason.problem(),
            Error::Deleted { .. } => never(Kind::NotFound, "not-found").xenon(problem::MARKED_DELETED),
            Error::Exists { .. } => never(Kind::Conflict, "already-exists").xenon(problem::ALREADY_EXISTS),
            Error::CreateDeleted { version, .. } => self.of_deleted(*version),
            Error::NotSupported { allowed, .. } => self.of_methods(allowed),
            Error::PreconditionFailed { have, .. } => {
                reread(Kind::PreconditionFailed, "precondition-failed").with("currentETag", have.clone())
            }
            Error::PreconditionRequired { .. } => reread(Kind::PreconditionRequired, "precondition-required"),
            Error::VersionConflict { have, .. } => reread(Kind::Conflict, "conflict").with("currentVersion", have.0),
            Error::BodyMissing { .. } | Error::NotAnObject { .. } | Error::Link(_) | Error::ForeignLink { .. } => {
                never(Kind::Invalid, "validation")
            }
            Error::BuiltInField { field, reason } => {
                never(Kind::Invalid, "validation").at(&format!("/{field}"), reason)
            }
            // The kind that the SDKs choose: clients need not know whether the host or the guest checks a body.
            Error::Invalid { violations } => {
                Problem { violations: violations.clone(), ..never(Kind::Invalid, "validation") }
            }
            Error::DocumentTooLarge { .. } => never(Kind::Unprocessable, "document-too-large"),
            Error::UpdateTooLarge { .. } => never(Kind::TooLarge, "update-too-large"),
            Error::KeyReused { .. } => never(Kind::Unprocessable, "idempotency-key-reused"),
            Error::Refused(fault) => Problem::from(fault.clone()),
            Error::RefusedBody { fault, further } => of_body(fault, further),
            Error::Guest { error, .. } => problem_of_call(error, self),
            Error::Outcome { .. } => never(Kind::Internal, "guest-outcome"),
            Error::StateVersion { .. } => never(Kind::Internal, "state-version"),
            Error::Query(refusal) => refusal.problem(),
            // Damage stays until the store is made anew; anything else passes, and the store comes back by itself.
            Error::Storage(error) if error.is_damage() => never(Kind::Internal, "storage"),
            Error::Storage(_) => later(Kind::Unavailable, "storage", 1),
            Error::QueueFull { .. } => later(Kind::Unavailable, "overloaded", 1).xenon(problem::QUEUE_LIMIT),
            Error::TooManyEffects(_) => later(Kind::TooMany, "too-many-effects", 1),
            Error::Busy(_) => later(Kind::Unavailable, "overloaded", 1),
            Error::Behind(_) | Error::Superseded { .. } => later(Kind::Unavailable, "not-available", 1),
            Error::Elsewhere { partition, owner, address, epoch, .. } => later(Kind::Unavailable, "not-owner", 1)
                .with("owner", owner.as_str())
                .with("ownerReference", address.as_str())
                .with("epoch", epoch.as_u64())
                .with("partition", partition.to_string())
                .hint(format!("send the request to {address}")),
            Error::NoQuorum { available, quorum, .. } => self.of_quorum(*available, *quorum),
            Error::TooFewNodes { wanted, nodes } => self.of_few_nodes(*wanted, *nodes),
            Error::TooFewCopies { held, wanted, .. } => self.of_few_copies(*held, *wanted),
            Error::Unavailable { partition, happened, copies, .. } => {
                self.of_unavailable(*partition, *happened, *copies)
            }
            Error::CopyBehind { partition, named, shows, .. } => self.of_late_copy(*partition, *named, *shows),
            Error::NotInLog { named, .. } => self.of_other_log(*named),
            Error::OfCopy { error, copied } => of_copy(error, copied),
            Error::Remote { problem, .. } => (**problem).clone(),
            Error::Lost(_) => later(Kind::Unavailable, "not-available", 1).unknown(),
            Error::NotConfirmed(_) => later(Kind::Unavailable, "not-available", 1),
            Error::NoSpace(_) => later(Kind::NoSpace, "no-space", 30),
            Error::Stopping => later(Kind::Unavailable, "stopping", 5),
            Error::Broken => never(Kind::Internal, "internal").unknown(),
        }
    }

    fn of_methods(&self, allowed: &[Action]) -> Problem {
        Problem::never(Kind::NotSupported, "method-not-allowed", self).with("allowed", methods(allowed))
    }

    fn of_quorum(&self, available: u32, quorum: u32) -> Problem {
        Problem::later(Kind::Unavailable, "no-quorum", 1, self).with("available", available).with("quorum", quorum)
    }

    fn of_deleted(&self, version: Version) -> Problem {
        Problem::never(Kind::Conflict, "marked-deleted", self)
            .xenon(problem::MARKED_DELETED)
            .with("currentVersion", version.0)
            .hint(format!("send \"documentVersion\": {} in the body", version.0.saturating_add(1)))
            .hint("or send the header Pragma: xn-force-index-update")
    }

    fn of_unavailable(&self, partition: PartitionId, happened: Happened, copies: Copies) -> Problem {
        // A partition without its copies says so: an operator mends that, and not the client.
        let short = copies.available < u64::from(copies.quorum);
        let code = if short { "no-quorum" } else { "not-available" };
        let problem = Problem::later(Kind::Unavailable, code, 1, self)
            .with("available", copies.available)
            .with("quorum", copies.quorum)
            .with("partition", partition.to_string());
        match happened {
            Happened::Unknown => problem.unknown(),
            Happened::No => problem,
        }
    }

    fn of_late_copy(&self, partition: PartitionId, named: Position, shows: Position) -> Problem {
        Problem::later(Kind::Unavailable, "copy-behind", 1, self)
            .with("atLeast", tag_of(named))
            .with("position", tag_of(shows))
            .with("partition", partition.to_string())
    }

    fn of_other_log(&self, named: Position) -> Problem {
        Problem::never(Kind::PreconditionFailed, "position-not-in-log", self).with("atLeast", tag_of(named))
    }

    fn of_few_nodes(&self, wanted: u32, nodes: u32) -> Problem {
        Problem::never(Kind::Invalid, "quorum-beyond-nodes", self).with("wanted", wanted).with("nodes", nodes)
    }

    fn of_few_copies(&self, held: usize, wanted: usize) -> Problem {
        let problem = Problem::later(Kind::Unavailable, "too-few-copies", 1, self);
        problem.with("available", held).with("quorum", wanted).unknown()
    }

    /// Returns what can be done about it.
    fn hint(&self) -> Option<String> {
        if let Error::UnknownPath { nearest, .. } = self {
            return Some(served(nearest.as_ref().map(Link::as_str)));
        }
        let hint = if matches!(self, Error::PreconditionFailed { .. } | Error::VersionConflict { .. }) {
            "read the document again and repeat the change with its ETag in If-Match"
        } else if matches!(self, Error::Invalid { .. }) {
            "GET …/template shows the schema of the service"
        } else if matches!(self, Error::VersionNotFound { .. }) {
            "steward history shows which versions are kept, GET …/history too"
        } else if matches!(self, Error::KeyReused { .. }) {
            "use a new Idempotency-Key for each new request"
        } else if matches!(self, Error::StateVersion { .. }) {
            "deploy a module whose readsStateVersions lists the stored version and that exports migrate"
        } else if matches!(self, Error::TooManyEffects(_)) {
            "steward effects shows what waits and why, steward effects LINK --drop gives it up, of a document or a factory; --pending-effects and --pending-bytes of \
             steward start"
        } else if matches!(self, Error::TooFewNodes { .. }) {
            "ask for at most as many as GET /core/node-groups/default shows, or for x-xenon-all"
        } else if matches!(self, Error::TooFewCopies { .. }) {
            "it is committed by its quorum and stays; repeat it with the same Idempotency-Key to wait for more copies"
        } else if matches!(self, Error::CopyBehind { .. }) {
            "read without consistency and atLeast: the owner answers with the newest state"
        } else if matches!(self, Error::NotInLog { .. }) {
            "send the ETag of an answer about the same document, or read without atLeast"
        } else if matches!(self, Error::OfCopy { .. }) {
            "read without consistency and atLeast: the owner may know more"
        } else if matches!(
            self,
            Error::Unavailable { happened: Happened::Unknown, .. } | Error::Lost(_) | Error::Broken
        ) {
            "read the document before a retry, or retry with the same Idempotency-Key"
        } else {
            return None;
        };
        Some(hint.to_owned())
    }

    /// Returns how long an effect that met this error is tried again. Only what its target itself decides is an answer; what
    /// this host, its disk or its group cannot do now says nothing about the effect.
    pub(crate) fn patience(&self) -> Patience {
        match self {
            Error::NotFound { .. }
            | Error::Expired { .. }
            | Error::VersionNotFound { .. }
            | Error::NotReplayable(_)
            | Error::Deleted { .. }
            | Error::Exists { .. }
            | Error::CreateDeleted { .. }
            | Error::NotSupported { .. }
            | Error::PreconditionFailed { .. }
            | Error::PreconditionRequired { .. }
            | Error::VersionConflict { .. }
            | Error::BodyMissing { .. }
            | Error::NotAnObject { .. }
            | Error::BuiltInField { .. }
            | Error::Invalid { .. }
            | Error::Link(_)
            | Error::ForeignLink { .. }
            | Error::DocumentTooLarge { .. }
            | Error::UpdateTooLarge { .. }
            | Error::KeyReused { .. }
            | Error::Outcome { .. }
            | Error::NotInLog { .. }
            | Error::TooFewNodes { .. }
            | Error::Query(_) => Patience::None,
            Error::OfCopy { error, .. } => error.patience(),
            Error::Remote { patience, .. } => *patience,
            Error::Refused(fault) if PASSING_STATUSES.contains(&fault.status) => Patience::Long,
            Error::Refused(_) | Error::RefusedBody { .. } => Patience::None,
            Error::Guest {
                error: CallError::Deadline { .. } | CallError::GuestSilent { .. } | CallError::Overloaded { .. },
                ..
            } => Patience::Long,
            Error::Guest { .. } => Patience::None,
            // A factory that is just being mounted or moved comes; one that does not exist does not.
            Error::UnknownPath { .. } => Patience::Short,
            Error::NotServed { .. }
            | Error::StateVersion { .. }
            | Error::Superseded { .. }
            | Error::QueueFull { .. }
            | Error::Unavailable { .. }
            | Error::NoQuorum { .. }
            | Error::Elsewhere { .. }
            | Error::CopyBehind { .. }
            | Error::TooFewCopies { .. }
            | Error::NotConfirmed(_)
            | Error::TooManyEffects(_)
            | Error::Busy(_)
            | Error::Lost(_)
            | Error::NoSpace(_)
            | Error::Behind(_)
            | Error::Stopping
            | Error::Storage(_)
            | Error::Broken => Patience::Long,
        }
    }
}

fn of_body(fault: &Fault, further: &[Violation]) -> Problem {
    let problem = Problem::from(fault.clone());
    Problem { violations: [&problem.violations[..], further].concat(), ..problem }
}

fn of_copy(error: &Error, copied: &Copied) -> Problem {
    error.classified().with("position", tag_of(copied.position)).with("copy", copied.node.as_str())
}

/// Returns what to say to whoever asks for a path at which nothing answers.
pub(crate) fn served(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("the nearest path that is served is {nearest}; GET / lists them all"),
        None => "GET / lists what is served".to_owned(),
    }
}

/// Returns the methods of HTTP for actions: those that a refusal names, and `Allow` lists.
pub(crate) fn methods(allowed: &[Action]) -> Vec<&'static str> {
    let mut methods = Vec::with_capacity(allowed.len() + 2);
    for action in allowed {
        methods.push(action.as_str());
        if *action == Action::Get {
            methods.push("HEAD");
        }
    }
    methods.push("OPTIONS");
    methods
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link::parse("/core/examples/one").expect("a valid link")
    }

    #[test]
    fn a_refusal_of_a_guest_keeps_its_own_status_and_code() {
        let fault = Fault { status: 418, code: "teapot".into(), message: "no coffee".into(), pointer: String::new() };
        let problem = Error::Refused(fault.clone()).problem();
        assert_eq!(
            (problem.kind.status(), problem.code.as_str(), problem.detail.as_str()),
            (418, "teapot", "no coffee")
        );
        assert_eq!(Fault::from(problem), fault);
    }

    #[test]
    fn codes_of_xenon_stay_what_its_clients_know() {
        let codes = [
            Error::Exists { link: link() },
            Error::Deleted { link: link(), version: Version(3) },
            Error::NotFound { link: link() },
        ];
        let codes = codes.map(|error| error.problem().error_code);
        assert_eq!(codes, [-2_147_483_645, -2_147_483_646, i32::MIN]);
    }

    #[test]
    fn allowed_actions_become_methods() {
        assert_eq!(methods(&[Action::Get, Action::Delete]), ["GET", "HEAD", "DELETE", "OPTIONS"]);
        assert_eq!(methods(&[]), ["OPTIONS"]);
    }

    #[test]
    fn what_passes_by_itself_may_be_tried_later() {
        let full = Error::QueueFull { link: link(), limit: 9 }.problem();
        assert_eq!((full.kind, full.retry, full.happened), (Kind::Unavailable, Retry::Later(1), Some(Happened::No)));
        let no_space = Error::NoSpace("full".into()).problem();
        assert_eq!((no_space.kind.status(), no_space.code.as_str()), (507, "no-space"));
    }

    #[test]
    fn an_update_that_may_have_happened_says_so() {
        assert_eq!(Error::Broken.problem().happened, Some(Happened::Unknown));
        assert_eq!(Error::NotFound { link: link() }.problem().happened, None);
    }
}
