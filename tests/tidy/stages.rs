//! A stage of an operation has one name: its file, the call in it, its span, and the label of its failures.
//!
//! `stage!(load, await load::load(road))` makes the span and the label out of its first word. This rule checks that
//! file and call have the same name.

use crate::source::{identifier, line_of};
use crate::tree::{Finding, Tree};

/// The only file that knows the order of the stages.
const ROAD: &str = "host/node/src/operation/mod.rs";

/// Checks every use of a stage.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.product(ROAD) {
        for (at, found) in source.product.match_indices("stage!(") {
            let rest = &source.product[at + found.len()..];
            let name = identifier(rest);
            let called = rest[name.len()..].trim_start_matches([',', ' ']).trim_start_matches("await ");
            let has_file = tree.files().any(|other| other.path == format!("host/node/src/operation/{name}.rs"));
            if !has_file || !called.starts_with(&format!("{name}::")) {
                let mend = format!("stage {name}: name it after its file, and call a function of that file in it");
                findings.push(file.finding(line_of(&source.product, at), "stage-names", mend));
            }
        }
    }
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
}
