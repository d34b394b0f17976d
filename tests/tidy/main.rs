//! Tidy: the habits of the house that a compiler does not check.
//!
//! Problem: walls, storeys and sizes erode one convenient line at a time, and no review sees all such lines.
//!
//! Promise: one test, [`repository_is_tidy`], reads every tracked file and fails with a list of `path:line: rule: what
//! to do`. A rule is a function from the tree to findings. It stands in a file of its own, with tests that plant a
//! violation and see it found. Exceptions from a rule stand in a table beside the rule, each with its reason.
//!
//! Left out: everything that needs types. Clippy and rustdoc run beside tidy and know them.

mod circles;
mod clock;
mod codes;
mod commands;
mod comments;
mod fields;
mod files;
mod functions;
mod lasting;
mod leftovers;
mod lints;
mod manifests;
mod modules;
mod names;
mod origin;
mod page;
mod paths;
mod quotes;
mod source;
mod stages;
mod status;
mod storeys;
mod tasks;
mod top;
mod tree;
mod walls;

use tree::{Finding, Tree};

/// Finds violations of one habit.
type Rule = fn(&Tree, &mut Vec<Finding>);

/// Every rule, in the order in which findings are listed.
const RULES: [Rule; 22] = [
    top::check,
    manifests::check,
    walls::check,
    storeys::check,
    circles::check,
    clock::check,
    status::check,
    codes::check,
    lasting::check,
    tasks::check,
    names::check,
    files::check,
    functions::check,
    comments::check,
    fields::check,
    leftovers::check,
    lints::check,
    origin::check,
    paths::check,
    commands::check,
    stages::check,
    quotes::check,
];

#[test]
fn repository_is_tidy() {
    let tree = Tree::of_repository().expect("the repository can be read");
    let mut findings = Vec::new();
    for rule in RULES {
        rule(&tree, &mut findings);
    }
    let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} findings:\n{}\n", list.len(), list.join("\n"));
}

/// Returns what `rule` finds in a tree of the given paths and texts.
#[cfg(test)]
fn findings(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
    let mut findings = Vec::new();
    rule(&Tree::planted(files), &mut findings);
    findings.iter().map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.rule)).collect()
}
