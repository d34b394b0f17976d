//! The storeys of `host/node`: a module uses lower storeys and its own, never a higher one.

use crate::source::{identifier, line_of, words};
use crate::tree::{Finding, Tree};

/// The crate with storeys.
const FOLDER: &str = "host/node/src/";

/// From the ground up. A new module gets its place here first.
const STOREYS: [(usize, &[&str]); 7] = [
    (1, &["clock", "config", "descriptors", "failure", "outward", "shutdown", "telemetry"]),
    (2, &["peer"]),
    (3, &["cluster", "liveness", "sync"]),
    (4, &["partition", "service", "subscribe"]),
    (5, &["deployment", "operation", "query"]),
    (6, &["http", "imports", "maintenance", "outbox"]),
    (7, &["node"]),
];

/// Checks every path from one module of the node to another.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.product(FOLDER) {
        let within = module_path(&file.path);
        let Some(own) = within.first() else { continue };
        let Some(own_storey) = storey(own) else {
            let mend = format!("module {own} has no storey: give it one in tests/tidy/storeys.rs");
            findings.push(file.finding(1, "storeys", mend));
            continue;
        };
        for (at, other) in references(&source.product, within.len()) {
            if let Some(other_storey) = storey(other).filter(|other_storey| *other_storey > own_storey) {
                let mend = format!(
                    "{own} (storey {own_storey}) uses {other} (storey {other_storey}): turn the call around, pass a value \
                     or a trait of the lower storey"
                );
                findings.push(file.finding(line_of(&source.product, at), "storeys", mend));
            }
        }
    }
}

/// Returns the names of the modules from the root of the crate to the one in `path`; none for the root itself.
fn module_path(path: &str) -> Vec<&str> {
    let inner = path.strip_prefix(FOLDER).unwrap_or(path).trim_end_matches(".rs");
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    if matches!(inner, "lib" | "main") { Vec::new() } else { inner.split('/').collect() }
}

fn storey(module: &str) -> Option<usize> {
    STOREYS.iter().find(|(_, modules)| modules.contains(&module)).map(|(storey, _)| *storey)
}

/// Returns every name that `code`, `depth` modules below the root, takes from the root, and where.
fn references(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let mut references = Vec::new();
    for at in words(code, "crate").filter(|at| !code[..*at].ends_with('$')) {
        if let Some(rest) = code[at + "crate".len()..].strip_prefix("::") {
            references.extend(heads(rest).into_iter().map(|head| (at, head)));
        }
    }
    for at in words(code, "super").filter(|at| !code[..*at].ends_with("super::")) {
        let mut rest = &code[at..];
        let mut up = 0;
        while let Some(higher) = rest.strip_prefix("super::") {
            rest = higher;
            up += 1;
        }
        if up >= depth {
            references.extend(heads(rest).into_iter().map(|head| (at, head)));
        }
    }
    references
}

/// Returns the first names of a path, or of all paths of a group `{a::b, c}`.
fn heads(path: &str) -> Vec<&str> {
    let Some(group) = path.strip_prefix('{') else { return vec![identifier(path)] };
    let mut heads = Vec::new();
    let (mut depth, mut expected) = (0_usize, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            c if expected && !c.is_whitespace() => {
                heads.push(identifier(&group[at..]));
                expected = false;
            }
            _ => {}
        }
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn climbing_is_found_in_every_spelling() {
        for text in [
            "use crate::http::route;",
            "use crate::{clock, http::{a, b}};",
            "use crate::{\n    peer::{x, y},\n    http,\n};",
            "fn a() { crate::http::b() }",
            "use super::super::http::route;",
        ] {
            let found = findings(check, &[("host/node/src/partition/effects.rs", text)]);
            assert_eq!(found, ["host/node/src/partition/effects.rs:1: storeys"], "{text}");
        }
    }

    #[test]
    fn lower_storeys_and_siblings_are_free() {
        let text = "use crate::{clock::Clock, service};\nuse super::turn;\nuse steward_protocol::cluster;\n// crate::http\n\
                    #[cfg(test)]\nmod tests { use crate::http::client; }";
        assert_eq!(findings(check, &[("host/node/src/partition/mod.rs", text)]), [""; 0]);
        assert_eq!(findings(check, &[("host/node/src/lib.rs", "pub mod http; use crate::http::a;")]), [""; 0]);
    }

    #[test]
    fn modules_without_a_storey_are_found() {
        assert_eq!(findings(check, &[("host/node/src/cellar/mod.rs", "")]), ["host/node/src/cellar/mod.rs:1: storeys"]);
    }
}
