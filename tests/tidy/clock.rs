//! One file reads the clock. All other code is told the time, so that tests and simulations can choose it.

use crate::source::{line_of, words};
use crate::tree::{Finding, Tree};

/// Expressions that read a clock.
const READS: [&str; 8] = [
    "Instant::now",
    "SystemTime::now",
    "UNIX_EPOCH.elapsed",
    "OffsetDateTime::now_utc",
    "Timestamp::now",
    "Zoned::now",
    "Utc::now",
    "clock_gettime",
];

/// Who may, and why.
const ALLOWED: [(&str, &str); 7] = [
    ("host/node/src/clock.rs", "it is the clock"),
    ("host/cli/src/", "how long a person has waited for a command; no decision of a node rests on it"),
    ("host/sandbox/src/exchange/silence.rs", "measures for how long nothing passes; no guest and no document sees it"),
    ("host/sandbox/src/instance/turn.rs", "measures how long guests keep a worker; no guest and no document sees it"),
    (
        "host/sandbox/src/module/compile.rs",
        "how long a module was compiled, for the log; no guest and no document sees it",
    ),
    ("host/sandbox/src/module/workshop.rs", "how long a module is compiled; no guest and no document sees it"),
    (
        "host/sandbox/src/module/compiler.rs",
        "how long one module is compiled, in a process that has no clock of a node",
    ),
];

/// Checks the host for reads of a clock.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.product("host/") {
        if ALLOWED.iter().any(|(path, _)| file.path.starts_with(path)) {
            continue;
        }
        for read in READS {
            for at in words(&source.product, read) {
                let mend = format!("`{read}`: take `now: Moment` as an argument, or ask clock.rs of the node");
                findings.push(file.finding(line_of(&source.product, at), "clock", mend));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn reads_of_a_clock_are_found() {
        let text = "fn a() {\n    let now = std::time::Instant::now();\n}\n";
        assert_eq!(findings(check, &[("host/node/src/peer/mod.rs", text)]), ["host/node/src/peer/mod.rs:2: clock"]);
    }

    #[test]
    fn the_clock_itself_and_tests_are_free() {
        let text = "#[cfg(test)]\nmod tests { fn a() { Instant::now(); } }";
        let files =
            [("host/node/src/clock.rs", "Instant::now()"), ("host/a.rs", text), ("tests/b.rs", "Instant::now()")];
        assert_eq!(findings(check, &files), [""; 0]);
    }
}
