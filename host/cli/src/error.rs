//! Failures: what went wrong, how to mend it, and the exit code of the process.
//!
//! ```text
//! error[precondition-failed]: the document has version 4, If-Match asked for 3
//!   PATCH /core/counters/c1: 412 Precondition Failed
//! hint: read it again: steward get /core/counters/c1
//! ```

use serde_json::{Value, json};

use steward_model::json;
use steward_storage::space::is_full;
use steward_storage::{format, log, state};

/// How a run of `steward` ends. The numbers are promised to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Failed for a reason that has no code of its own.
    Failed = 1,
    /// Asked wrongly: a flag, an argument, a setting, or a confirmation that nobody could give.
    Usage = 2,
    /// No host could be reached, or the connection broke.
    Unreachable = 3,
    /// Not allowed.
    Forbidden = 4,
    /// There is no such thing.
    NotFound = 5,
    /// Another version, an existing document, or a deployment that would break state.
    Conflict = 6,
    /// The host refused what it was given.
    Invalid = 7,
    /// Not ready, or the wait took too long.
    NotReady = 8,
    /// There is no room: the disk of the host is full, or the one to which the output goes.
    Full = 9,
    /// The guest module is broken, whether the host or this program says so, or cannot be built, or its tests fail.
    Guest = 10,
    /// `deploy --check`: a deployment would change something.
    ChangesPending = 20,
    /// `deploy --check`: a deployment would be refused, as it would break state.
    BreakingPending = 21,
}

/// The part of the long help that documents [`Exit`].
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
   0  done                              6  conflict: version, existing, breaking
   1  failed, no better code            7  input refused by the host
   2  usage, or confirmation needed     8  not ready, or the wait took too long
   3  no host reached                   9  no room: a disk is full
   4  not allowed                      10  guest broken: build, test, module
   5  not found                     20/21  deploy --check: changes / breaking
                                  130/143  stopped by SIGINT / SIGTERM";

/// A failure, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// A stable, short name in kebab case.
    pub code: String,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// Further lines: the cause, the field at fault, the request.
    pub details: Vec<String>,
    /// What to do next, the best first.
    pub hints: Vec<String>,
}

impl Failure {
    /// Creates a failure without details and hints.
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Failure {
        Failure { exit, code: code.to_owned(), message: message.into(), details: Vec::new(), hints: Vec::new() }
    }

    /// Creates a failure of somebody who asked wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, "usage", message)
    }

    /// Creates a failure to read a file or a stream.
    pub(crate) fn unreadable(name: &str, error: &std::io::Error) -> Failure {
        let mut failure = Failure::usage(format!("cannot read {name}"));
        failure.code = "unreadable".to_owned();
        failure.detail(error.to_string())
    }

    /// Creates a failure of who cannot have a data folder.
    pub(crate) fn of_folder(error: &format::Error) -> Failure {
        let (exit, code) = match error {
            format::Error::InUse { .. } => (Exit::NotReady, "folder-in-use"),
            format::Error::Absent { .. } => (Exit::NotFound, "no-data-folder"),
            format::Error::Disk { source, .. } if is_full(source) => (Exit::Full, "no-space"),
            format::Error::Disk { .. } => (Exit::Failed, "disk"),
            format::Error::Foreign { .. }
            | format::Error::Newer { .. }
            | format::Error::Older { .. }
            | format::Error::Damaged { .. }
            | format::Error::LogGone { .. } => (Exit::Failed, "data-folder"),
        };
        Failure::new(exit, code, error.to_string())
    }

    /// Creates a failure to write what was asked for.
    pub(crate) fn unwritten(error: &std::io::Error) -> Failure {
        let (exit, code) = if is_full(error) { (Exit::Full, "no-space") } else { (Exit::Failed, "unwritten") };
        Failure::new(exit, code, "cannot write all of the output").detail(error.to_string())
    }

    /// Adds a line below the message.
    #[must_use]
    pub(crate) fn detail(mut self, line: impl Into<String>) -> Failure {
        self.details.push(line.into());
        self
    }

    /// Adds a hint after those that are there.
    #[must_use]
    pub(crate) fn hint(mut self, line: impl Into<String>) -> Failure {
        self.hints.push(line.into());
        self
    }

    /// Returns the failure as a document for programs.
    pub(crate) fn as_json(&self) -> Value {
        json!({
            "type": "error", "schema": 1, "code": self.code, "message": self.message,
            "details": self.details, "hints": self.hints, "exit": self.exit as u8,
        })
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<steward_node::config::Error> for Failure {
    fn from(error: steward_node::config::Error) -> Failure {
        let mut failure = Failure::new(Exit::Usage, "configuration", error.to_string());
        failure.details.extend(std::error::Error::source(&error).map(ToString::to_string));
        failure.hints = error.hints();
        failure
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return failure.clone();
        }
        if let Some(error) = error.chain().find_map(|cause| cause.downcast_ref::<format::Error>()) {
            return Failure::of_folder(error);
        }
        let mut failure = Failure::new(Exit::Failed, "failed", error.to_string());
        failure.details = error.chain().skip(1).map(|cause| format!("caused by: {cause}")).collect();
        let in_use = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::AddrInUse)
        };
        if error.chain().any(says_full) {
            (failure.exit, failure.code) = (Exit::Full, "no-space".to_owned());
        }
        if error.chain().any(in_use) {
            failure.code = "address-in-use".to_owned();
            failure.hints.push("another process listens there: choose another --port, or --port 0 for any".to_owned());
        }
        failure
    }
}

/// Returns true if an error says that there is no space left on a disk.
fn says_full(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref().is_some_and(is_full)
        || matches!(cause.downcast_ref(), Some(state::Error::Full { .. }))
        || matches!(cause.downcast_ref(), Some(log::open::Error::Full { .. }))
}

/// Turns the answer of a host that refused into a failure.
///
/// `asked` is the request as people write it, `PATCH /core/counters/c1`; `body` the body of the answer, a problem
/// document of RFC 9457 if the host is well.
pub(crate) fn refusal(asked: &str, status: http::StatusCode, body: &[u8]) -> Failure {
    let problem: Value = json::plain(body).unwrap_or(Value::Null);
    let text = |key: &str| problem.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let reason = status.canonical_reason().unwrap_or("unknown status");
    let message = text("detail").or(text("message")).or(text("title")).unwrap_or(reason);
    let code = text("code").map_or_else(|| reason.to_ascii_lowercase().replace(' ', "-"), str::to_owned);
    let mut failure = Failure::new(exit_of(status, &code), &code, message);
    if let Some(pointer) = text("pointer") {
        failure.details.push(format!("at {pointer}"));
    }
    for error in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        failure.details.push(format!("{}   {}", part("pointer"), part("detail")).trim().to_owned());
    }
    if let (Some(available), Some(quorum)) = (problem.get("available"), problem.get("quorum")) {
        failure.details.push(format!("{available} available, quorum {quorum}"));
    }
    match text("outcome") {
        Some("none") => failure.details.push("nothing was changed".to_owned()),
        Some("unknown") => failure.details.push("it may have happened or not: read it again before a retry".to_owned()),
        Some(_) | None => {}
    }
    failure.details.push(format!("{asked}: {} {reason}", status.as_u16()));
    failure.hints.extend(text("hint").map(str::to_owned));
    let hints = problem.get("hints").and_then(Value::as_array).into_iter().flatten();
    failure.hints.extend(hints.filter_map(Value::as_str).map(str::to_owned));
    if failure.hints.is_empty() {
        failure.hints.extend(usual_hint(asked, status));
    }
    failure
}

/// Returns the exit code for an answer; one that is about a module, that was sent or that was to answer, has the exit code of a broken one,
/// whoever has found that out.
fn exit_of(status: http::StatusCode, code: &str) -> Exit {
    match status.as_u16() {
        500.. if code.starts_with("guest-") => Exit::Guest,
        401 | 403 => Exit::Forbidden,
        404 | 410 => Exit::NotFound,
        409 | 412 | 428 => Exit::Conflict,
        408 | 429 | 503 | 504 => Exit::NotReady,
        507 => Exit::Full,
        400..=499 if code.starts_with("module-") => Exit::Guest,
        400..=499 => Exit::Invalid,
        _ => Exit::Failed,
    }
}

fn usual_hint(asked: &str, status: http::StatusCode) -> Option<String> {
    let path = asked.split_once(' ').map_or("", |(_, path)| path);
    match status.as_u16() {
        404 => Some("all factories: steward services".to_owned()),
        412 => Some(format!("read it again: steward get -i {path}")),
        503 => Some("see what is missing: steward status".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    #[test]
    fn problem_becomes_message_details_and_hints() {
        let body = json!({
            "title": "Request body is invalid", "detail": "1 field failed validation", "code": "validation",
            "errors": [{"pointer": "/by", "detail": "must be 1 or more"}], "hint": "see the schema",
        });
        let asked = "PATCH /core/counters/c1";
        let failure = refusal(asked, StatusCode::UNPROCESSABLE_ENTITY, body.to_string().as_bytes());
        assert_eq!((failure.exit, failure.code.as_str()), (Exit::Invalid, "validation"));
        assert_eq!(failure.message, "1 field failed validation");
        assert_eq!(failure.details, ["/by   must be 1 or more", "PATCH /core/counters/c1: 422 Unprocessable Entity"]);
        assert_eq!(failure.hints, ["see the schema"]);
    }

    #[test]
    fn answer_that_is_no_problem_document_is_told_by_its_status() {
        let failure = refusal("GET /x", StatusCode::NOT_FOUND, b"<html>");
        assert_eq!((failure.exit, failure.code.as_str()), (Exit::NotFound, "not-found"));
        assert_eq!(failure.details, ["GET /x: 404 Not Found"]);
        assert_eq!(failure.hints, ["all factories: steward services"]);
    }

    #[test]
    fn missing_quorum_names_counts_and_outcome() {
        let body = br#"{"code":"no-quorum","detail":"too few nodes","available":1,"quorum":2,"outcome":"none"}"#;
        let failure = refusal("PATCH /a", StatusCode::SERVICE_UNAVAILABLE, body);
        assert_eq!(failure.exit, Exit::NotReady);
        assert_eq!(
            failure.details,
            ["1 available, quorum 2", "nothing was changed", "PATCH /a: 503 Service Unavailable"]
        );
    }

    #[test]
    fn every_status_has_the_documented_exit_code() {
        for (status, exit) in [(400, 7), (401, 4), (403, 4), (404, 5), (405, 7), (409, 6), (412, 6), (413, 7)] {
            assert_eq!(exit_of(StatusCode::from_u16(status).expect("a status"), "x") as u8, exit, "{status}");
        }
        for (status, exit) in [(422, 7), (429, 8), (500, 1), (502, 1), (503, 8), (504, 8), (507, 9)] {
            assert_eq!(exit_of(StatusCode::from_u16(status).expect("a status"), "x") as u8, exit, "{status}");
        }
        let refused = |status, code| exit_of(StatusCode::from_u16(status).expect("a status"), code);
        assert_eq!(refused(422, "module-broken"), Exit::Guest);
        assert_eq!([refused(500, "guest-trap"), refused(504, "guest-deadline")], [Exit::Guest; 2]);
        assert_eq!((refused(500, "internal"), refused(409, "guest-says-no")), (Exit::Failed, Exit::Conflict));
        assert_eq!((refused(409, "module-mounted"), refused(404, "module-unknown")), (Exit::Conflict, Exit::NotFound));
    }

    #[test]
    fn a_disk_that_is_full_has_its_exit_code_wherever_it_stands_in_the_chain() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(Failure::unwritten(&full).exit, Exit::Full);
        let error = anyhow::Error::from(state::Error::Lasting { source: full }).context("open the state store");
        assert_eq!(Failure::from(error).exit, Exit::Full);
        for error in [
            state::Error::Full { free: 0, needed: 1 }.into(),
            anyhow::Error::from(log::open::Error::Full { free: 0, needed: 1 }),
        ] {
            assert_eq!(Failure::from(error).code, "no-space");
        }
    }

    #[test]
    fn a_folder_in_use_has_one_exit_code_for_who_starts_and_for_who_looks() {
        let in_use = || format::Error::InUse { path: "data".into() };
        let started = Failure::from(anyhow::Error::from(in_use()).context("open the data folder"));
        assert_eq!((started.exit, started.code.as_str()), (Exit::NotReady, "folder-in-use"));
        assert_eq!(started, Failure::of_folder(&in_use()));
    }

    #[test]
    fn address_in_use_is_hinted_at_wherever_it_stands_in_the_chain() {
        let error =
            anyhow::Error::from(std::io::Error::from(std::io::ErrorKind::AddrInUse)).context("open 127.0.0.1:8000");
        let failure = Failure::from(error);
        assert_eq!(failure.code, "address-in-use");
        assert_eq!(failure.message, "open 127.0.0.1:8000");
        assert!(failure.hints[0].contains("--port"));
    }
}
