//! A lint is silenced where it must be, with the reason, and in a way that tells when the need is gone.

use crate::source::line_of;
use crate::tree::{Finding, Tree};

/// Checks attributes that silence lints.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        let code = &source.code;
        for (at, _) in code.match_indices("#[allow(").chain(code.match_indices("#![allow(")) {
            let mend = "use `#[expect(…, reason = \"…\")]` at the smallest scope";
            findings.push(file.finding(line_of(code, at), "silenced-lint", mend));
        }
        for (at, _) in code.match_indices("#[expect(").chain(code.match_indices("#![expect(")) {
            let end = code[at..].find(")]").map_or(code.len(), |end| at + end);
            if !code[at..end].contains("reason") {
                findings.push(file.finding(line_of(code, at), "silenced-lint", "add `reason = \"…\"`"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn lints_silenced_without_a_reason_are_found() {
        for text in ["#![allow(dead_code)]", "#[allow(clippy::too_many_arguments)]", "#[expect(\n    a\n)]"] {
            assert_eq!(findings(check, &[("a.rs", text)]), ["a.rs:1: silenced-lint"], "{text}");
        }
    }

    #[test]
    fn expectations_with_a_reason_are_free() {
        let text = "#[expect(\n    clippy::a,\n    reason = \"generated (by bindgen)\"\n)]";
        assert_eq!(findings(check, &[("a.rs", text)]), [""; 0]);
    }
}
