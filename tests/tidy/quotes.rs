//! Code that a page quotes stands in its file, word for word: a reader who follows the link finds the lines of the
//! page.
//!
//! A quote is a block of Rust, WIT or text directly below a line with a link to a file of that kind; the last link of
//! the line counts. The lines of the block must stand in the file one behind the other. They may be shifted to the
//! left, all by the same width. In the tour every block of Rust or WIT is a quote, so that none escapes this rule for
//! want of a link.

use crate::paths::beside;
use crate::tree::{File, Finding, Tree};

/// Languages of blocks that may be quotes, and the ending of the files that they are taken from.
const LANGUAGES: [(&str, &str); 3] = [("rust", ".rs"), ("wit", ".wit"), ("text", ".txt")];

/// Pages whose code is always quoted from somewhere.
const TOUR: &str = "host/docs/tour/";

/// A fenced block, and the line above it.
struct Block<'a> {
    /// The line of the fence, from 1.
    line: usize,
    language: &'a str,
    lines: Vec<&'a str>,
    above: &'a str,
}

/// Checks every page.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.files().filter(|file| file.kind() == "md") {
        for block in blocks(&file.text) {
            if let Some(mend) = judge(tree, file, &block) {
                findings.push(file.finding(block.line, "quotes", mend));
            }
        }
    }
}

/// Returns what is wrong with a block, if anything is.
fn judge(tree: &Tree, page: &File, block: &Block<'_>) -> Option<String> {
    let (_, ending) = LANGUAGES.into_iter().find(|(language, _)| *language == block.language)?;
    let Some(target) = last_link(block.above).filter(|target| target.ends_with(ending)) else {
        let has_to = page.path.starts_with(TOUR) && block.language != "text";
        return has_to.then(|| format!("put a link to the {ending} file that this is quoted from above the block"));
    };
    let path = beside(&page.path, target);
    let Some(text) = tree.text(&path) else { return Some(format!("{path}, which is quoted here, is not there")) };
    let source: Vec<&str> = text.lines().collect();
    if stands_in(&source, &block.lines) {
        return None;
    }
    let missing = block.lines.iter().find(|line| !source.iter().any(|other| other.trim() == line.trim()));
    Some(match missing {
        Some(line) => format!("{path} has no line \"{}\": quote it anew, and read the page around it", line.trim()),
        None => format!("{path} has these lines in another order or indented otherwise: quote it anew"),
    })
}

/// Returns true if `quote` stands in `source` without a gap, shifted by the same number of spaces everywhere.
fn stands_in(source: &[&str], quote: &[&str]) -> bool {
    let Some(first) = quote.first() else { return true };
    source.windows(quote.len()).any(|window| {
        let Some(shift) = indent(window[0]).checked_sub(indent(first)) else { return false };
        window.iter().zip(quote).all(|(line, quoted)| match quoted.is_empty() {
            true => line.is_empty(),
            false => line.get(shift..) == Some(quoted) && line[..shift].trim().is_empty(),
        })
    })
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Returns the target of the last link in a line, without what stands behind a `#`.
fn last_link(line: &str) -> Option<&str> {
    let (_, target) = line.rsplit_once("](")?;
    target.split([')', '#']).next()
}

/// Returns all fenced blocks of a page, in their order.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut above) = (Vec::new(), "");
    let mut lines = (1..).zip(text.lines());
    while let Some((line, text)) = lines.next() {
        match text.strip_prefix("```") {
            Some(language) => {
                let lines = lines.by_ref().map(|(_, text)| text).take_while(|text| !text.starts_with("```")).collect();
                blocks.push(Block { line, language: language.trim(), lines, above });
                above = "";
            }
            None if text.trim().is_empty() => {}
            None => above = text,
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    const SOURCE: (&str, &str) = ("host/a/src/b.rs", "mod c {\n    fn d() {\n        e();\n\n        f();\n    }\n}\n");

    fn found(page: &str, text: &str) -> Vec<String> {
        findings(check, &[SOURCE, (page, text)])
    }

    #[test]
    fn a_quote_that_is_not_in_its_file_is_found() {
        let above = "It [calls](../../a/src/b.rs):\n\n";
        for block in ["fn d() {\n    e(1);", "e();\nf();", "fn d() {\ne();", "fn d() {\n    e();\n\n    f();\n}\n}\n}"]
        {
            let text = format!("{above}```rust\n{block}\n```\n");
            assert_eq!(found("host/docs/tour/x.md", &text), ["host/docs/tour/x.md:3: quotes"], "{block}");
        }
        assert_eq!(found("README.md", "[b](host/a/src/c.rs)\n```rust\ne();\n```\n"), ["README.md:2: quotes"]);
    }

    #[test]
    fn a_quote_may_be_shifted_as_a_whole() {
        for block in ["fn d() {\n    e();\n\n    f();\n}", "    fn d() {\n        e();", "f();"] {
            let text = format!("See [here](other.md) and [there](../../a/src/b.rs#L2):\n\n```rust\n{block}\n```\n");
            assert_eq!(found("host/docs/tour/x.md", &text), [""; 0], "{block}");
        }
    }

    #[test]
    fn code_of_the_tour_names_its_file() {
        let text = "Some words.\n\n```rust\nfn g() {}\n```\n\n```\na drawing\n```\n\n```text\nout\n```\n";
        assert_eq!(found("host/docs/tour/x.md", text), ["host/docs/tour/x.md:3: quotes"]);
        assert_eq!(found("host/docs/style.md", text), [""; 0]);
    }
}
