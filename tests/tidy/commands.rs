//! Pages name commands, variables and stages that exist, because readers copy lines from pages.
//!
//! Checked are `cargo <command>` with its `--package`, `STEWARD_…` variables, and the stages of an operation's road,
//! which are read from the code. Flags of `steward` itself are checked beside the command line, in
//! `cli/tests/pages.rs`, because only clap knows them.

use std::collections::BTreeSet;

use crate::page::{Page, Piece, pages};
use crate::tree::{File, Finding, Tree};

/// Commands that cargo or a component of the toolchain has.
const CARGO: [&str; 14] = [
    "add", "bench", "build", "check", "clean", "clippy", "deny", "doc", "fmt", "install", "run", "test", "tree",
    "update",
];

/// Where the stages of an operation's road are: each is a file, named like it.
const ROAD: &str = "host/node/src/operation/";

/// Stages whose file is elsewhere.
const ELSEWHERE: [(&str, &str); 1] = [("turn", "host/replication/src/partition/turn.rs")];

/// Where the settings stand whose variables are made from their keys.
const SETTINGS: &str = "host/node/src/config/settings.rs";

/// Checks every page.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let aliases = aliases(tree);
    for (file, page) in pages(tree) {
        for piece in page.spans.iter().chain(&page.commands) {
            cargo(tree, &aliases, file, piece, findings);
        }
        for piece in page.prose.iter().chain(&page.commands) {
            variables(tree, file, piece, findings);
        }
        stages(tree, file, &page, findings);
    }
}

/// Returns the names of the aliases of this repository.
fn aliases(tree: &Tree) -> Vec<&str> {
    let text = tree.text(".cargo/config.toml").unwrap_or_default();
    let section = text.split("[alias]").nth(1).unwrap_or_default().split("\n[").next().unwrap_or_default();
    section.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim()).collect()
}

fn cargo(tree: &Tree, aliases: &[&str], file: &File, piece: &Piece<'_>, findings: &mut Vec<Finding>) {
    let mut words = piece.text.split('#').next().unwrap_or_default().split_whitespace();
    if !words.any(|word| word == "cargo") {
        return;
    }
    let Some(command) = words.next() else { return };
    let is_name = command.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !command.starts_with('-');
    if is_name && !CARGO.contains(&command) && !aliases.contains(&command) {
        let mend = format!("`cargo {command}` is no command of cargo and no alias in .cargo/config.toml");
        findings.push(file.finding(piece.line, "commands", mend));
    }
    let named = words.clone().zip(words.skip(1)).filter(|(flag, _)| matches!(*flag, "-p" | "--package"));
    for (_, package) in named.filter(|(_, package)| !is_package(tree, package)) {
        findings.push(file.finding(piece.line, "commands", format!("there is no package {package}")));
    }
}

fn is_package(tree: &Tree, name: &str) -> bool {
    let line = format!("\nname = \"{name}\"");
    tree.files().any(|file| file.name() == "Cargo.toml" && file.text.contains(&line))
}

/// Finds variables that no code reads.
fn variables(tree: &Tree, file: &File, piece: &Piece<'_>, findings: &mut Vec<Finding>) {
    for (at, prefix) in piece.text.match_indices("STEWARD_") {
        let rest = &piece.text[at + prefix.len()..];
        let name = &rest[..rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(rest.len())];
        if !name.is_empty() && !is_read(tree, name) {
            let mend = format!("nothing reads STEWARD_{name}: it is no setting, and in no string of the code");
            findings.push(file.finding(piece.line, "commands", mend));
        }
    }
}

fn is_read(tree: &Tree, name: &str) -> bool {
    let key = format!("(\"{}\",", name.to_lowercase());
    let literal = format!("\"STEWARD_{name}\"");
    let is_setting = tree.text(SETTINGS).is_some_and(|text| text.contains(&key));
    is_setting || tree.rust().any(|(file, _)| file.text.contains(&literal))
}

/// Finds stages that are none: in lists that begin with `admit`, and in tables of stages.
fn stages(tree: &Tree, file: &File, page: &Page<'_>, findings: &mut Vec<Finding>) {
    let known = known(tree);
    let mut in_table = false;
    let next = page.prose.iter().skip(1).map(|next| next.text).chain([""]);
    for (Piece { line, text }, next) in page.prose.iter().zip(next) {
        match text.strip_prefix("| ").and_then(|row| row.split(" |").next()) {
            Some("stage") if next.starts_with("|--") => in_table = true,
            Some(stage) if in_table => unknown(&known, file, *line, stage, findings),
            Some(_) => {}
            None => in_table = in_table && text.starts_with('|'),
        }
        for separator in ['→', ','] {
            for stage in listed(text, separator) {
                unknown(&known, file, *line, stage, findings);
            }
        }
    }
}

/// Returns the words of the list that begins with `admit`; none if there is none. Its last word may have others behind it.
fn listed(text: &str, separator: char) -> Vec<&str> {
    let begin = text.find("admit").map(|at| &text[at..]);
    let Some(list) = begin.filter(|list| list["admit".len()..].trim_start().starts_with(separator)) else {
        return Vec::new();
    };
    let mut stages = Vec::new();
    for part in list.split(separator) {
        let mut words = part.split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty());
        stages.extend(words.next());
        if words.next().is_some() {
            break;
        }
    }
    stages
}

/// Returns the names of all stages.
fn known(tree: &Tree) -> BTreeSet<&str> {
    let in_folder = |file: &'_ &File| file.path.strip_prefix(ROAD).is_some_and(|rest| !rest.contains('/'));
    let files = tree.files().filter(in_folder).map(|file| file.name().trim_end_matches(".rs"));
    files.chain(ELSEWHERE.iter().filter(|(_, path)| tree.text(path).is_some()).map(|(stage, _)| *stage)).collect()
}

fn unknown(known: &BTreeSet<&str>, file: &File, line: usize, stage: &str, findings: &mut Vec<Finding>) {
    if !stage.is_empty() && !known.contains(stage) {
        findings.push(file.finding(line, "stages", format!("{stage} is no stage: {ROAD} has no such file")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    const HOUSE: [(&str, &str); 5] = [
        (".cargo/config.toml", "[alias]\ntidy = \"test\"\n[env]\nx = 1\n"),
        ("host/a/Cargo.toml", "[package]\nname = \"steward-a\"\n"),
        ("host/node/src/config/settings.rs", "list(\"peer_nodes\", x)"),
        ("host/node/src/operation/admit.rs", "var(\"STEWARD_SEED\")"),
        ("host/node/src/operation/load.rs", ""),
    ];

    fn found(text: &str) -> Vec<String> {
        findings(check, &[HOUSE.as_slice(), &[("README.md", text)]].concat())
    }

    #[test]
    fn commands_and_packages_that_are_not_there_are_found() {
        for text in ["`cargo tidyy`", "`cargo x`", "`A=1 cargo alias`", "`cargo test -p steward-b`"] {
            assert_eq!(found(text), ["README.md:1: commands"], "{text}");
        }
        assert_eq!(found("```sh\n$ cargo walk --once\n```"), ["README.md:2: commands"]);
        assert_eq!(
            found(
                "`cargo tidy` `cargo test -p steward-a name` `cargo <alias>` cargo ship\n```sh\ncargo fmt # cargo x\n```"
            ),
            [""; 0]
        );
    }

    #[test]
    fn variables_that_nobody_reads_are_found() {
        assert_eq!(found("`STEWARD_SEEED`"), ["README.md:1: commands"]);
        assert_eq!(found("STEWARD_SEED, STEWARD_PEER_NODES, STEWARD_…"), [""; 0]);
    }

    #[test]
    fn stages_are_files_of_the_road() {
        assert_eq!(found("```\n│ admit → load → fly │\n```"), ["README.md:2: stages"]);
        assert_eq!(
            found("| stage | x |\n|---|---|\n| admit | a |\n| fly | b |\n\n| fly | c |"),
            ["README.md:4: stages"]
        );
        assert_eq!(found("| stage | admit, load, fly | x |"), ["README.md:1: stages"]);
        assert_eq!(found("admit → load │ a → b; | stage | is a word | as others |"), [""; 0]);
    }
}
