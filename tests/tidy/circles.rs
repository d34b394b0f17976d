//! No file of a crate needs itself, directly or through others: a file uses only files that can be read before it.
//!
//! A circle of files is one file in several pieces: none of them can be understood, tested or moved alone. To open it,
//! move what both sides need into a file below both; do not pass a closure.

use std::collections::{BTreeSet, VecDeque};

use crate::modules::Modules;
use crate::tree::{Finding, Tree};

/// Where the crates are that must have none.
const FOLDERS: [&str; 8] = [
    "host/model/src/",
    "host/protocol/src/",
    "host/storage/src/",
    "host/query/src/",
    "host/sandbox/src/",
    "host/replication/src/",
    "host/node/src/",
    "host/cli/src/",
];

/// Which folders are not looked at, and why.
const ALLOWED: [(&str, &str); 0] = [];

/// Checks every crate of the host.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for folder in FOLDERS {
        let mut modules = Modules::of(tree, folder);
        let is_allowed = |path: &String| ALLOWED.iter().any(|(allowed, _)| path.starts_with(allowed));
        let skipped: BTreeSet<usize> = (0..modules.paths.len()).filter(|at| is_allowed(&modules.paths[*at])).collect();
        for (at, uses) in modules.uses.iter_mut().enumerate() {
            uses.retain(|other| !skipped.contains(&at) && !skipped.contains(&other.of));
        }
        for circle in circles(&modules) {
            findings.push(finding(&modules, &circle));
        }
    }
}

/// Returns the shortest circle of every knot of files that need one another, as places in `modules`.
fn circles(modules: &Modules) -> Vec<Vec<usize>> {
    let mut circles = Vec::new();
    let mut told: BTreeSet<usize> = BTreeSet::new();
    let reached: Vec<BTreeSet<usize>> = (0..modules.paths.len()).map(|at| reached(modules, at)).collect();
    for at in 0..modules.paths.len() {
        if told.contains(&at) || !reached[at].contains(&at) {
            continue;
        }
        let knot: Vec<usize> = reached[at].iter().copied().filter(|other| reached[*other].contains(&at)).collect();
        told.extend(&knot);
        circles.extend(knot.iter().filter_map(|start| shortest(modules, *start)).min_by_key(Vec::len));
    }
    circles
}

/// Returns every file that `start` needs, directly or not; itself only if it stands in a circle.
fn reached(modules: &Modules, start: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next = vec![start];
    while let Some(at) = next.pop() {
        next.extend(modules.uses[at].iter().map(|used| used.of).filter(|of| reached.insert(*of)));
    }
    reached
}

/// Returns the shortest way from `start` back to `start`, with `start` at its head only.
fn shortest(modules: &Modules, start: usize) -> Option<Vec<usize>> {
    let mut ways = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for used in &modules.uses[*way.last()?] {
            if used.of == start {
                return Some(way);
            }
            if seen.insert(used.of) {
                ways.push_back(way.iter().copied().chain([used.of]).collect());
            }
        }
    }
    None
}

fn finding(modules: &Modules, circle: &[usize]) -> Finding {
    let steps: Vec<String> = circle
        .iter()
        .zip(circle.iter().cycle().skip(1))
        .filter_map(|(from, to)| {
            let taken = modules.uses[*from].iter().find(|taken| taken.of == *to)?;
            Some(format!("{}:{} takes {} from {}", modules.paths[*from], taken.line, taken.name, modules.paths[*to]))
        })
        .collect();
    let line =
        modules.uses[circle[0]].iter().find(|taken| taken.of == circle[1 % circle.len()]).map_or(1, |taken| taken.line);
    Finding {
        path: modules.paths[circle[0]].clone(),
        line,
        rule: "circles",
        mend: format!("{}: move what both need into a file below both", steps.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let placed: Vec<(String, &str)> =
            files.iter().map(|(path, text)| (format!("host/model/src/{path}"), *text)).collect();
        let placed: Vec<(&str, &str)> = placed.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        findings(check, &placed)
    }

    #[test]
    fn circles_of_siblings_are_found_in_every_spelling() {
        for text in [
            "use super::b::B;",
            "use crate::a::{b::{self, B}, c};",
            "use super::b; fn f() { b::g() }",
            "fn f() { super::b::g() }",
            "use super::B; fn f(b: B) {}",
        ] {
            let files = [
                ("lib.rs", "mod a;"),
                ("a/mod.rs", "mod b; mod c; mod x; pub use b::B;"),
                ("a/x.rs", text),
                ("a/b.rs", "use super::c::C;"),
                ("a/c.rs", "use super::x::X;"),
            ];
            assert_eq!(found(&files), ["host/model/src/a/x.rs:1: circles"], "{text}");
        }
    }

    #[test]
    fn a_parent_that_uses_its_child_is_not_used_by_it() {
        let child = ("a/b.rs", "use super::A;");
        let circle = [("a/mod.rs", "mod b; pub struct A; fn f() { b::g() }"), child];
        assert_eq!(found(&circle), ["host/model/src/a/mod.rs:1: circles"]);
        let through_a_name = [("a/mod.rs", "mod b;\npub use b::g;\npub struct A; fn f() { g() }"), child];
        assert_eq!(found(&through_a_name), ["host/model/src/a/mod.rs:2: circles"]);
    }

    #[test]
    fn handing_on_declaring_and_methods_are_no_uses() {
        let child = ("a/b.rs", "use super::A; pub fn g() {} impl A { pub fn h(&self) {} }");
        let parent =
            "mod b;\npub use b::g;\npub struct A { g: u8 } impl A { fn f(&self) { let g = self.g; self.h() } }";
        assert_eq!(found(&[("a/mod.rs", parent), child]), [""; 0]);
        let lower = [
            ("a/mod.rs", "mod b; mod c; pub use c::C; fn f() { b::g() }"),
            ("a/b.rs", "use super::C;"),
            ("a/c.rs", "pub struct C;"),
        ];
        assert_eq!(found(&lower), [""; 0]);
    }

    #[test]
    fn other_crates_tests_and_comments_make_no_circle() {
        let files = [
            ("lib.rs", "mod http; mod b;"),
            ("http.rs", "use http::B; use crate::b::B; // crate::http\n#[cfg(test)] mod tests { use crate::b; }"),
            ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::http::X; }"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }

    #[test]
    fn every_exception_is_still_needed() {
        let tree = Tree::of_repository().expect("the repository can be read");
        for (folder, _) in ALLOWED {
            let home = FOLDERS.into_iter().find(|home| folder.starts_with(home)).expect("a folder of a crate");
            let modules = Modules::of(&tree, home);
            let inside = circles(&modules).iter().flatten().any(|at| modules.paths[*at].starts_with(folder));
            assert!(inside, "{folder} has no circle any more: take it out of the table");
        }
    }
}
