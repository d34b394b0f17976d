//! A stage of an operation has one name: its file, the call in it, its span, and the label of its failures.
//!
//! `stage!(load, await load::load(road))` makes the span and the label out of its first word. This rule checks that
//! file and call have the same name, and that no stage calls another one.

use crate::source::{identifier, line_of};
use crate::tree::{Finding, Tree};

/// The only file that knows the order of the stages.
const ROAD: &str = "host/node/src/operation/mod.rs";

/// Checks every use of a stage.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let mut stages = Vec::new();
    for (file, source) in tree.product(ROAD) {
        for (at, found) in source.product.match_indices("stage!(") {
            let rest = &source.product[at + found.len()..];
            let name = identifier(rest);
            stages.push(name.to_owned());
            let called = rest[name.len()..].trim_start_matches([',', ' ']).trim_start_matches("await ");
            let has_file = tree.files().any(|other| other.path == format!("host/node/src/operation/{name}.rs"));
            if !has_file || !called.starts_with(&format!("{name}::")) {
                let mend = format!("stage {name}: name it after its file, and call a function of that file in it");
                findings.push(file.finding(line_of(&source.product, at), "stage-names", mend));
            }
        }
    }
    for name in &stages {
        for (file, source) in tree.product(&format!("host/node/src/operation/{name}.rs")) {
            for other in stages.iter().filter(|other| *other != name) {
                calls_of(&source.product, other).for_each(|at| {
                    let mend = format!("stage {name} calls stage {other}: let the road, in mod.rs, call both");
                    findings.push(file.finding(line_of(&source.product, at), "stage-calls", mend));
                });
            }
        }
    }
}

/// Returns where functions of the module `stage` are called; its types may be named.
fn calls_of<'a>(text: &'a str, stage: &str) -> impl Iterator<Item = usize> + use<'a> {
    let path = format!("{stage}::");
    let found: Vec<usize> = text.match_indices(&path).map(|(at, _)| at).collect();
    found.into_iter().filter(move |at| {
        let is_whole = !text[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let name = identifier(&text[at + path.len()..]);
        let behind = &text[at + path.len() + name.len()..];
        is_whole && name.starts_with(char::is_lowercase) && behind.starts_with('(')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn a_stage_under_another_name_is_found() {
        let road = "let a = stage!(load, await load::load(road))?;\nlet b = stage!(read, await load::load(road));\n\
                    let c = stage!(gone, gone::gone());";
        let files =
            [(ROAD, road), ("host/node/src/operation/load.rs", "//! a"), ("host/node/src/operation/read.rs", "//! b")];
        let found = findings(check, &files);
        assert_eq!(found, [format!("{ROAD}:2: stage-names"), format!("{ROAD}:3: stage-names")]);
    }

    #[test]
    fn a_stage_that_calls_another_is_found() {
        let road = "let a = stage!(load, await load::load(road))?;\nlet b = stage!(read, await read::read(road));";
        let read =
            "//! b\nuse super::load::Before;\nfn read() {\n    unload::load();\n    super::load::load(road)\n}\n";
        let files = [
            (ROAD, road),
            ("host/node/src/operation/load.rs", "//! a\nfn load() {\n    load::further();\n}\n"),
            ("host/node/src/operation/read.rs", read),
        ];
        assert_eq!(findings(check, &files), ["host/node/src/operation/read.rs:5: stage-calls"]);
    }
}
