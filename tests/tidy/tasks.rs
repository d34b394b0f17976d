//! Every task and thread has an owner, a name and a way to stop; every channel has a bound.

use crate::source::{line_of, words};
use crate::tree::{Finding, Tree};

/// Calls that set something off which nobody has to wait for, and what to call instead.
const CALLS: [(&str, &str); 7] = [
    ("tokio::spawn", "spawn on the owner's `TaskTracker` (shutdown.rs), so that a stop waits for it"),
    ("task::spawn", "spawn on the owner's `TaskTracker` (shutdown.rs), so that a stop waits for it"),
    ("thread::spawn", "use `thread::Builder` with a name, keep the handle and join it"),
    ("unbounded_channel", "bound the channel and name the bound"),
    ("mpsc::unbounded", "bound the channel and name the bound"),
    ("mpsc::channel()", "use `mpsc::sync_channel` with a named bound"),
    ("mem::forget", "give it an owner"),
];

/// Who may, and why: path, call, reason.
const ALLOWED: [(&str, &str, &str); 1] =
    [("host/node/src/shutdown.rs", "tokio::spawn", "it owns the tasks of the process and waits for them")];

/// Checks the host for tasks without an owner.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.product("host/") {
        for (call, mend) in CALLS {
            if ALLOWED.iter().any(|(path, allowed, _)| file.path.starts_with(path) && *allowed == call) {
                continue;
            }
            for at in words(&source.product, call) {
                findings.push(file.finding(line_of(&source.product, at), "tasks", format!("`{call}`: {mend}")));
            }
        }
        for at in unbounded_imports(&source.product) {
            let mend = "std's `channel` has no bound: use `sync_channel` with a named one";
            findings.push(file.finding(line_of(&source.product, at), "tasks", mend));
        }
    }
}

/// Returns where `code` imports the standard library's channel without a bound.
fn unbounded_imports(code: &str) -> impl Iterator<Item = usize> {
    code.match_indices("std::sync::mpsc::").map(|(at, _)| at).filter(|at| {
        let import = &code[*at..code[*at..].find(';').map_or(code.len(), |end| at + end)];
        words(import, "channel").next().is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn tasks_without_an_owner_are_found() {
        let text =
            "tracker.spawn(a);\ntokio::spawn(b);\nstd::thread::spawn(c);\nlet (d, e) = mpsc::unbounded_channel();";
        let found = findings(check, &[("host/node/src/peer/mod.rs", text)]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0], "host/node/src/peer/mod.rs:2: tasks");
    }

    #[test]
    fn imports_of_channels_without_a_bound_are_found() {
        let text = "use std::sync::mpsc::{Sender, channel};\nuse std::sync::mpsc::sync_channel;";
        assert_eq!(findings(check, &[("host/a/src/lib.rs", text)]), ["host/a/src/lib.rs:1: tasks"]);
    }

    #[test]
    fn blocking_work_and_tests_are_free() {
        let text = "tokio::task::spawn_blocking(a); #[cfg(test)] mod tests { fn b() { tokio::spawn(c); } }";
        assert_eq!(findings(check, &[("host/node/src/peer/mod.rs", text)]), [""; 0]);
        assert_eq!(findings(check, &[("tests/src/process.rs", "std::thread::spawn(a)")]), [""; 0]);
    }
}
