//! Log lines have fields in plain words. A field is never the `Debug` of a value (`?name`): that prints whatever a
//! struct happens to hold, changes with every refactoring, and will show bodies of documents one day.
//!
//! Give the type a `Display` and write `%name`, or log the numbers that matter, each in a field of its own.

use crate::source::{identifier, line_of, words};
use crate::tree::{Finding, Tree};

/// Macros whose arguments are fields.
const MACROS: [&str; 12] = [
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "event",
    "span",
    "trace_span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
];

/// Checks the code that runs in the product.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.product("host/") {
        for name in MACROS {
            for at in words(&source.product, name) {
                let arguments = &source.product[at + name.len()..];
                let Some(arguments) = arguments.strip_prefix("!(") else { continue };
                for field in debug_fields(arguments) {
                    let mend = format!("`?{field}` prints a struct: give it a Display and write `%{field}`");
                    findings.push(file.finding(line_of(&source.product, at), "debug-field", mend));
                }
            }
        }
    }
}

/// Returns the names after a question mark that begins a field or its value, up to the end of the macro's arguments.
fn debug_fields(arguments: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut depth = 0_usize;
    let mut before = ',';
    for (at, c) in arguments.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            '?' if depth == 0 && matches!(before, ',' | '=') => fields.push(identifier(&arguments[at + 1..])),
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn debug_of_a_value_is_found_wherever_it_stands() {
        for text in [
            "fn a() { tracing::warn!(?error, \"lost\") }",
            "fn a() { debug!(%link, status = ?answer.status, \"done\") }",
            "fn a() { tracing::info!(\n    link,\n    ?row,\n) }",
            "fn a() { tracing::info_span!(\"stage\", ?operation) }",
        ] {
            let found = findings(check, &[("host/a/src/b.rs", text)]);
            assert!(found.len() == 1 && found[0].ends_with("debug-field"), "{text}: {found:?}");
        }
    }

    #[test]
    fn plain_fields_and_early_returns_are_not_found() {
        let text = "fn a() { debug!(%link, at = read(name)?, \"why ?not\"); b?; info!(c = d.e()?) }";
        assert_eq!(findings(check, &[("host/a/src/b.rs", text), ("tests/b.rs", "fn a() { info!(?b) }")]), [""; 0]);
    }
}
