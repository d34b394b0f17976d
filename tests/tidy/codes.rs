//! Programs decide by the code of a problem, so each one stands in the page for users, with what to do about it.

use crate::source::{identifier, line_of, words};
use crate::tree::{Finding, Tree};

/// Where problems are made.
const FOLDER: &str = "host/node/src/";

/// The page that lists their codes.
const PAGE: &str = "host/docs/rest.md";

/// Checks that every code which the node writes stands in the page, or what it begins with does: `` `guest-…` ``.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let Some(page) = tree.text(PAGE) else { return };
    let is_listed = |code: &str| {
        let family = code.split_once('-').is_some_and(|(family, _)| page.contains(&format!("`{family}-…`")));
        family || page.contains(&format!("`{code}`"))
    };
    for (file, source) in tree.product(FOLDER) {
        for (at, code) in codes(&source.product, &file.text) {
            if !is_listed(code) {
                let mend = format!("`{code}` is not in {PAGE}: say there what a client does about it");
                findings.push(file.finding(line_of(&source.product, at), "codes", mend));
            }
        }
    }
}

/// Returns the literals behind a kind of problem, `Kind::Conflict, "node-present"`, and the shorthand `conflict("node-present")`. What
/// strings hold is blank in `product`, and stands in `text` at the same place.
fn codes<'a>(product: &'a str, text: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let behind = |at: usize, rest: &str, before: &str| {
        let quoted = rest.trim_start().strip_prefix(before)?.trim_start();
        quoted.starts_with('"').then(|| at + product[at..].len() - quoted.len() + 1)
    };
    let of_kinds = words(product, "Kind").filter_map(move |at| {
        let named = product[at..].strip_prefix("Kind::")?;
        behind(at, &named[identifier(named).len()..], ",")
    });
    let of_conflicts =
        words(product, "conflict").filter_map(move |at| behind(at, &product[at + "conflict".len()..], "("));
    of_kinds.chain(of_conflicts).filter_map(|at| Some((at, text.get(at..)?.split_once('"')?.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn codes_that_the_page_does_not_have_are_found() {
        let page = "| 409 | `conflict`, `deploy-…` | read again |";
        let text = "fn a() {\n    never(Kind::Conflict, \"conflict\"); // \u{e4}\n    Problem::later(\n        Kind::Unavailable,\n        \"busy\",\n    );\n    conflict(\"deploy-path\").hint(\"x\");\n    conflict(\"node-present\")\n}";
        let found = findings(check, &[("host/node/src/a.rs", text), (PAGE, page)]);
        assert_eq!(found, [5, 8].map(|line| format!("host/node/src/a.rs:{line}: codes")));
    }

    #[test]
    fn what_is_no_code_is_not_found() {
        let text = "fn a(kind: Kind) -> Kind { match kind { Kind::Late => conflict(kind, \"x\"), _ => Kind::Gone } }";
        assert_eq!(findings(check, &[("host/node/src/a.rs", text), (PAGE, "")]), [""; 0]);
    }
}
