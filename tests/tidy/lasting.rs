//! What a node keeps is written by `storage/src/lasting.rs`, which fsyncs it and its name. A file that is written otherwise is lost at a
//! power cut some day, or half there; or it need not last, and a reason says so.
//!
//! Every other fsync of the host is an idea of its own: `host/docs/storage.md` lists them, each with the test that fails without it.

use crate::source::{line_of, words};
use crate::tree::{Finding, Tree};

/// Ways to write a file, and to make it lasting.
const CALLS: [&str; 9] = [
    "fs::write",
    "fs::copy",
    "fs::rename",
    "File::create",
    "File::create_new",
    "File::options",
    "OpenOptions::new",
    "sync_all",
    "sync_data",
];

/// Who may, and why.
const ALLOWED: [(&str, &str); 15] = [
    ("host/storage/src/lasting.rs", "it is how files are made lasting"),
    ("host/storage/src/log/folder_disk.rs", "the disk under the commit log, which fsyncs by its own rules"),
    ("host/storage/src/format.rs", "the lock file holds nothing"),
    ("host/storage/src/state/marks.rs", "an older number only notices less"),
    ("host/storage/src/state/notes.rs", "journals are written in their places, and a lost note is looked into"),
    ("host/storage/src/state/open.rs", "a store that is put aside: its name lasts with that of the new one"),
    ("host/storage/src/state/write_back.rs", "it only begins what a checkpoint completes"),
    ("host/storage/src/state/tests.rs", "damages files on purpose"),
    ("host/sandbox/src/module/cache.rs", "compiled code carries a seal, and can be compiled again"),
    ("host/sandbox/src/module/compiler.rs", "a file of the operating system"),
    ("host/node/src/service/store.rs", "asks the file system what time it has"),
    ("host/node/src/node/announce.rs", "whoever waits for the file goes with the power as well"),
    ("host/cli/src/", "files of its user, written as any tool writes them"),
    ("host/cli/src/project/", "files of a project, written as any tool writes them"),
    ("host/cli/build.rs", "runs while the host is compiled"),
];

/// Checks the host.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let is_allowed = |path: &str| ALLOWED.iter().any(|(allowed, _)| path.starts_with(allowed));
    for (file, source) in tree.product("host/").filter(|(file, _)| !is_allowed(&file.path)) {
        for call in CALLS {
            for at in words(&source.product, call) {
                let mend = format!("`{call}`: use `steward_storage::lasting`, or say in tests/tidy/lasting.rs why not");
                findings.push(file.finding(line_of(&source.product, at), "lasting", mend));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn files_that_are_written_in_passing_are_found() {
        let text =
            "fn a() {\n    std::fs::write(path, text)?;\n    let file = File::create(path)?;\n    file.sync_all()?;\n}";
        let found = findings(check, &[("host/node/src/cluster/asked.rs", text)]);
        assert_eq!(found, [2, 3, 4].map(|line| format!("host/node/src/cluster/asked.rs:{line}: lasting")));
    }

    #[test]
    fn readers_and_those_with_a_reason_are_not_found() {
        let written = "fn a() { fs::write(path, text) }";
        let read = "fn a() { fs::read(path); File::open(path); lasting::replace(path, bytes) }";
        let files = [("host/cli/src/log.rs", written), ("host/node/src/a.rs", read), ("tests/a.rs", written)];
        assert_eq!(findings(check, &files), [""; 0]);
    }
}
