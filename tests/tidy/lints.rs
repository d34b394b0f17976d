//! A lint is silenced only where it must be, and with the reason. `expect` tells when it is no longer needed; `allow`
//! is for generated code, in which a lint may fire or not.

use crate::source::line_of;
use crate::tree::{Finding, Tree};

/// Attributes that silence lints.
const ATTRIBUTES: [&str; 4] = ["#[allow(", "#![allow(", "#[expect(", "#![expect("];

/// Checks attributes that silence lints.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        let code = &source.code;
        let is_root = matches!(file.name(), "lib.rs" | "main.rs");
        for attribute in ATTRIBUTES {
            for (at, _) in code.match_indices(attribute) {
                let end = code[at..].find(")]").map_or(code.len(), |end| at + end);
                let begins_line = at == 0 || code[..at].ends_with('\n');
                let mend = if is_root && begins_line && attribute.starts_with("#!") {
                    "the whole crate is too much: silence it at the smallest scope"
                } else if !code[at..end].contains("reason") {
                    "say why: `#[expect(…, reason = \"…\")]`"
                } else {
                    continue;
                };
                findings.push(file.finding(line_of(code, at), "silenced-lint", mend));
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
    fn lints_silenced_for_a_whole_crate_are_found() {
        let text =
            "//! Head.\n#![allow(dead_code, reason = \"later\")]\nmod a {\n    #![allow(b, reason = \"generated\")]\n}";
        assert_eq!(findings(check, &[("a/src/lib.rs", text)]), ["a/src/lib.rs:2: silenced-lint"]);
    }

    #[test]
    fn expectations_with_a_reason_are_free() {
        let text = "#[expect(\n    clippy::a,\n    reason = \"generated (by bindgen)\"\n)]";
        assert_eq!(findings(check, &[("a.rs", text)]), [""; 0]);
    }
}
