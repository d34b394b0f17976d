//! One table says which failure has which status: that of kinds in `model`. Elsewhere errors are values of their own
//! enums.

use crate::source::{identifier, line_of, words};
use crate::tree::{Finding, Tree};

/// Where HTTP statuses could leak to; the command line is a client, and tells people what the statuses of a node mean.
const FOLDER: &str = "host/node/src/";

/// Constants of `http::StatusCode` that are no errors; every other one is.
const NO_ERRORS: [&str; 15] = [
    "CONTINUE",
    "SWITCHING_PROTOCOLS",
    "OK",
    "CREATED",
    "ACCEPTED",
    "NON_AUTHORITATIVE_INFORMATION",
    "NO_CONTENT",
    "RESET_CONTENT",
    "PARTIAL_CONTENT",
    "MOVED_PERMANENTLY",
    "FOUND",
    "SEE_OTHER",
    "NOT_MODIFIED",
    "TEMPORARY_REDIRECT",
    "PERMANENT_REDIRECT",
];

/// Checks the node for statuses of errors.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.product(FOLDER) {
        let code = &source.product;
        for at in words(code, "StatusCode") {
            let Some(rest) = code[at..].strip_prefix("StatusCode::") else { continue };
            let name = identifier(rest);
            let is_constant = !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            if is_constant && !NO_ERRORS.contains(&name) {
                let mend = format!("{name}: return an error of your own and give it a kind of model/problem.rs");
                findings.push(file.finding(line_of(code, at), "status", mend));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn statuses_of_errors_are_found() {
        let text = "let a = StatusCode::OK;\nlet b = http::StatusCode::NOT_FOUND;\nStatusCode::from_u16(c)";
        assert_eq!(
            findings(check, &[("host/node/src/http/route.rs", text)]),
            ["host/node/src/http/route.rs:2: status"]
        );
    }

    #[test]
    fn clients_are_free() {
        let files = [("host/cli/src/error.rs", "StatusCode::CONFLICT"), ("sdk/a.rs", "StatusCode::CONFLICT")];
        assert_eq!(findings(check, &files), [""; 0]);
    }
}
