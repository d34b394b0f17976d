//! Functions fit on a screen.

use crate::source::{block_end, identifier, line_of, words};
use crate::tree::{Finding, Tree};

/// Most lines from the one with `fn` to the one with the closing brace.
const LINES_MAX: usize = 70;

/// Checks the length of every function, nested ones and those in tests included.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        for at in words(&source.code, "fn") {
            let Some((name, open)) = body(&source.code, at) else { continue };
            let first = line_of(&source.code, at);
            let lines = source.code[at..block_end(&source.code, open)].matches('\n').count() + 1;
            if lines > LINES_MAX {
                let mend = format!(
                    "{name} has {lines} lines, {LINES_MAX} are allowed: keep the branches, move the work into leaves"
                );
                findings.push(file.finding(first, "function-length", mend));
            }
        }
    }
}

/// Returns the name of the function declared at `at` and its opening brace; none for a type or a body-less method.
fn body(code: &str, at: usize) -> Option<(&str, usize)> {
    let signature = &code[at + "fn".len()..];
    let named = signature.trim_start();
    let name = identifier(named.trim_start_matches('$'));
    if name.is_empty() {
        return None;
    }
    let (mut depth, mut generic, mut constant) = (0_usize, 0_usize, 0_usize);
    let mut previous = ' ';
    for (offset, c) in signature.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '<' if constant == 0 => generic += 1,
            '>' if constant == 0 && previous != '-' => generic = generic.saturating_sub(1),
            // A constant among generic arguments: `Ring<{ N + 1 }>`.
            '{' if generic > 0 => constant += 1,
            '}' if constant > 0 => constant -= 1,
            '{' if depth == 0 => return Some((name, at + "fn".len() + offset)),
            ';' if depth == 0 && constant == 0 => return None,
            _ => {}
        }
        previous = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    fn function(head: &str, lines: usize) -> String {
        format!("{head} {{\n{}}}\n", "    let a = \"}\"; // }\n".repeat(lines - 2))
    }

    #[test]
    fn long_functions_are_found() {
        let text = function("\npub async fn long<T>(a: [u8; 4]) -> fn(u8) -> Ring<u8, { 1 + 2 }>\nwhere T: A", 71);
        assert_eq!(findings(check, &[("a.rs", &text)]), ["a.rs:2: function-length"]);
    }

    #[test]
    fn functions_that_fit_are_not_found() {
        let text =
            format!("trait A {{ fn a(&self) -> [u8; 3]; }}\n{}{}", function("fn b()", 70), function("fn c()", 70));
        assert_eq!(findings(check, &[("a.rs", &text)]), [""; 0]);
    }

    #[test]
    fn clauses_that_end_with_a_comma_have_a_body_still() {
        let text = function("fn a<T>()\nwhere\n    T: B,\n", 71);
        assert_eq!(findings(check, &[("a.rs", &text)]).len(), 1);
    }
}
