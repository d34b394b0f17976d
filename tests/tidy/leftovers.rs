//! Nothing is half done: no placeholders, no debug prints, no test that is silently off.

use crate::source::{line_of, words};
use crate::tree::{Finding, Tree};

/// Macros of unfinished work.
const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Checks every Rust file, tests included.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        let code = &source.code;
        for name in MACROS {
            for at in words(code, name).filter(|at| code[at + name.len()..].starts_with("!(")) {
                findings.push(file.finding(
                    line_of(code, at),
                    "leftover",
                    format!("`{name}!`: finish it or remove it"),
                ));
            }
        }
        for (at, _) in code.match_indices("#[ignore]") {
            let mend = "say why: `#[ignore = \"needs …\"]`, or make it run";
            findings.push(file.finding(line_of(code, at), "ignored-test", mend));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn unfinished_work_is_found() {
        let text = "fn a() { todo!() }\nfn b() { dbg!(1); }\nfn c() { unimplemented!(\"d\") }\n#[ignore]\nfn e() {}";
        let found = findings(check, &[("a.rs", text)]);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found.contains(&"a.rs:4: ignored-test".to_owned()));
    }

    #[test]
    fn words_about_it_are_not_found() {
        let text = "// todo!()\nlet todo = \"dbg!()\";\n#[ignore = \"needs root\"]\nfn a() {}";
        assert_eq!(findings(check, &[("a.rs", text)]), [""; 0]);
    }
}
