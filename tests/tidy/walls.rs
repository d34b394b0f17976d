//! The walls between the crates of the host: what each may not know, in its manifest and in its code.

use crate::manifests::{Section, dependencies};
use crate::source::{line_of, words};
use crate::tree::{Finding, Tree};

/// What one crate may not know.
struct Wall {
    folder: &'static str,
    /// Why the wall stands.
    reason: &'static str,
    /// Crates that it may not depend on.
    crates: &'static [&'static str],
    /// Paths and words that its code may not contain, besides these crates.
    words: &'static [&'static str],
}

const WALLS: [Wall; 7] = [
    Wall {
        folder: "host/model/",
        reason: "the words parse, compare and encode, and nothing else",
        crates: &[
            "steward-protocol",
            "steward-storage",
            "steward-query",
            "steward-sandbox",
            "steward-node",
            "tokio",
            "hyper",
            "wasmtime",
            "fjall",
            "rand",
            "getrandom",
            "uuid",
        ],
        words: &["std::fs", "std::net", "std::thread", "Instant", "SystemTime", "async fn"],
    },
    Wall {
        folder: "host/protocol/",
        reason: "decisions that touch the world make the simulation lie: take time, randomness and answers as arguments",
        crates: &[
            "steward-storage",
            "steward-query",
            "steward-sandbox",
            "steward-node",
            "tokio",
            "tokio-util",
            "futures-util",
            "async-trait",
            "openraft",
            "hyper",
            "http",
            "wasmtime",
            "fjall",
            "rand",
            "getrandom",
            "uuid",
            "jiff",
        ],
        words: &[
            "std::fs",
            "std::net",
            "std::thread",
            "std::env",
            "Instant",
            "SystemTime",
            "HashMap",
            "HashSet",
            "RandomState",
            "async fn",
            "await",
            "Mutex",
            "RwLock",
        ],
    },
    Wall {
        folder: "host/storage/",
        reason: "the disk knows neither who owns a partition nor who asks",
        crates: &[
            "steward-protocol",
            "steward-query",
            "steward-sandbox",
            "steward-node",
            "openraft",
            "hyper",
            "http",
            "wasmtime",
            "tower",
        ],
        words: &["std::net"],
    },
    Wall {
        folder: "host/replication/",
        reason: "the simulation runs this code: time, threads, disks and messages are given",
        crates: &[
            "steward-query",
            "steward-sandbox",
            "steward-node",
            "tokio",
            "tokio-util",
            "openraft",
            "hyper",
            "http",
            "wasmtime",
            "tower",
            "rand",
            "getrandom",
            "uuid",
            "jiff",
        ],
        words: &["std::fs", "std::net", "std::thread", "std::env", "Instant", "SystemTime"],
    },
    Wall {
        folder: "host/query/",
        reason: "what a query means is tested against a naive evaluator alone: documents, time and budget are given",
        crates: &[
            "steward-protocol",
            "steward-storage",
            "steward-replication",
            "steward-sandbox",
            "steward-node",
            "tokio",
            "tokio-util",
            "tracing",
            "openraft",
            "hyper",
            "http",
            "wasmtime",
            "fjall",
            "tower",
            "rand",
            "getrandom",
            "uuid",
            "jiff",
        ],
        words: &["std::fs", "std::net", "std::thread", "std::env", "Instant", "SystemTime", "async fn", "await"],
    },
    Wall {
        folder: "host/sandbox/",
        reason: "guests reach HTTP, peers and partitions only through an import that the node offers",
        crates: &[
            "steward-protocol",
            "steward-storage",
            "steward-query",
            "steward-node",
            "openraft",
            "hyper",
            "hyper-util",
            "tower",
            "tower-http",
            "fjall",
        ],
        words: &["std::net"],
    },
    Wall {
        folder: "host/node/",
        reason: "terminals, projects and watched files are the command line's, which is built beside the node",
        crates: &[
            "steward-cli",
            "clap",
            "clap_complete",
            "clap_mangen",
            "comfy-table",
            "indicatif",
            "notify",
            "wit-component",
            "wit-parser",
        ],
        words: &[],
    },
];

/// Checks manifests and code of the walled crates.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for wall in &WALLS {
        manifest(tree, wall, findings);
        for (file, source) in tree.product(wall.folder) {
            let code = &source.product;
            for word in wall.words {
                for at in words(code, word) {
                    let mend = format!("`{word}` is behind a wall: {}", wall.reason);
                    findings.push(file.finding(line_of(code, at), "walls", mend));
                }
            }
            for name in wall.crates {
                for at in uses(code, &name.replace('-', "_")) {
                    let mend = format!("crate {name} is behind a wall: {}", wall.reason);
                    findings.push(file.finding(line_of(code, at), "walls", mend));
                }
            }
        }
    }
}

fn manifest(tree: &Tree, wall: &Wall, findings: &mut Vec<Finding>) {
    let path = format!("{}Cargo.toml", wall.folder);
    let Some(file) = tree.files().find(|file| file.path == path) else { return };
    for dependency in dependencies(&file.text) {
        if dependency.section != Section::Development && wall.crates.contains(&dependency.name) {
            let mend = format!("dependency {} is behind a wall: {}", dependency.name, wall.reason);
            findings.push(file.finding(dependency.line, "walls", mend));
        }
    }
}

/// Returns where `code` begins a path with the crate `name`.
fn uses<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    words(code, name).filter(move |at| {
        let before = code[..*at].trim_end();
        let after = code[at + name.len()..].trim_start();
        let in_path = after.starts_with("::") || (before.ends_with("use") && after.starts_with([';', ' ', 'a']));
        in_path && !before.ends_with("::") && !before.ends_with('.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn forbidden_code_is_found() {
        for text in [
            "use std::collections::HashMap;",
            "let now = std::time::Instant::now();",
            "fn f(a: tokio::sync::Notify) {}",
            "use steward_storage::log;",
            "pub async fn f() {}",
        ] {
            let found = findings(check, &[("host/protocol/src/queue.rs", text)]);
            assert!(
                !found.is_empty() && found.iter().all(|found| found == "host/protocol/src/queue.rs:1: walls"),
                "{text}"
            );
        }
    }

    #[test]
    fn forbidden_dependencies_are_found() {
        let manifest = "[dependencies]\nhyper.workspace = true\n[dev-dependencies]\nhttp.workspace = true\n";
        assert_eq!(findings(check, &[("host/sandbox/Cargo.toml", manifest)]), ["host/sandbox/Cargo.toml:2: walls"]);
    }

    #[test]
    fn own_modules_words_and_tests_are_free() {
        let text = "use steward_model::operand; // tokio::spawn, HashMap\nlet http = self.http(); mod rand_like;\n\
                    #[cfg(test)]\nmod tests { use std::collections::HashMap; }";
        assert_eq!(findings(check, &[("host/protocol/src/queue.rs", text)]), [""; 0]);
        assert_eq!(findings(check, &[("host/node/src/http/mod.rs", "use tokio::time::Instant;")]), [""; 0]);
    }
}
