//! The parts of a page in Markdown: headings, links, code in lines and in blocks.
//!
//! A scanner for the Markdown that we write: fenced blocks, code between single backticks, inline links, ATX headings.

use crate::tree::Tree;

/// A piece of a page.
pub(crate) struct Piece<'a> {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What it says, without the marks around it.
    pub(crate) text: &'a str,
}

/// One page, taken apart.
#[derive(Default)]
pub(crate) struct Page<'a> {
    /// Texts of headings, without their marks.
    pub(crate) headings: Vec<&'a str>,
    /// Code between backticks, outside of blocks.
    pub(crate) spans: Vec<Piece<'a>>,
    /// Targets of links.
    pub(crate) links: Vec<Piece<'a>>,
    /// Lines of fenced blocks whose language is of a shell.
    pub(crate) commands: Vec<Piece<'a>>,
    /// Lines outside of fenced blocks, and those of blocks without a language: drawings.
    pub(crate) prose: Vec<Piece<'a>>,
}

impl<'a> Page<'a> {
    /// Takes `text` apart.
    pub(crate) fn of(text: &'a str) -> Page<'a> {
        let mut page = Page::default();
        let mut block = None;
        for (line, text) in (1..).zip(text.lines()) {
            if let Some(language) = text.trim_start().strip_prefix("```") {
                block = if block.is_none() { Some(language.trim()) } else { None };
                continue;
            }
            match block {
                Some("sh" | "console" | "bash") => page.commands.push(Piece { line, text }),
                Some("") => page.prose.push(Piece { line, text }),
                Some(_) => {}
                None => page.line(line, text),
            }
        }
        page
    }

    fn line(&mut self, line: usize, text: &'a str) {
        if text.starts_with('#') {
            self.headings.push(text.trim_start_matches('#').trim());
        }
        self.prose.push(Piece { line, text });
        self.spans.extend(spans(text).map(|text| Piece { line, text }));
        for (at, mark) in text.match_indices("](") {
            let target = &text[at + mark.len()..];
            if let Some(end) = target.find(')') {
                self.links.push(Piece { line, text: &target[..end] });
            }
        }
    }

    /// Returns true if a link may end in `#anchor`: one of the headings is called so.
    pub(crate) fn has_anchor(&self, anchor: &str) -> bool {
        self.headings.iter().any(|heading| slug(heading) == anchor)
    }
}

/// Returns what stands between single backticks in a line.
pub(crate) fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|span| !span.is_empty())
}

/// Returns the anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Returns every page of the tree with its text.
pub(crate) fn pages(tree: &Tree) -> impl Iterator<Item = (&crate::tree::File, Page<'_>)> {
    tree.files().filter(|file| file.kind() == "md").map(|file| (file, Page::of(&file.text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_taken_apart() {
        let text = "# A `b` & C\n\nSee [d](e.md#f) and `g`.\n```sh\n$ h\n```\n```rust\n# i `j`\n```\n```\nk\n```\n";
        let page = Page::of(text);
        let texts =
            |pieces: &[Piece<'_>]| pieces.iter().map(|piece| (piece.line, piece.text.to_owned())).collect::<Vec<_>>();
        assert_eq!(page.headings, ["A `b` & C"]);
        assert!(page.has_anchor("a-b--c") && !page.has_anchor("a"));
        assert_eq!(texts(&page.spans), [(1, "b".to_owned()), (3, "g".to_owned())]);
        assert_eq!(texts(&page.links), [(3, "e.md#f".to_owned())]);
        assert_eq!(texts(&page.commands), [(5, "$ h".to_owned())]);
        assert!(texts(&page.prose).contains(&(11, "k".to_owned())));
    }
}
