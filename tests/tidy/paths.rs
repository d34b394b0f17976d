//! Pages and comments name what is there: paths, links with their anchors, and the sections that a `Source:` cites.
//!
//! | in | is taken for a path | and must be |
//! |---|---|---|
//! | a page, a comment | `` `http/error.rs` ``, `` `tests/rest` ``: ends like a file of ours or begins like a folder of ours | a file or folder, or the end of its path |
//! | a page | the target of a link, with `#anchor` | a file or folder beside the page, a heading of it |
//! | a comment | `host/docs/protocol.md, "Numbers" and "Quorum"` | a page, headings of it |
//!
//! `<name>` and `*` stand for any name, so `` `tests/rest/<name>.rs` `` is what a newcomer will write. Whatever else a `Source:`
//! says is a paper, an RFC or another program, and is not examined.

use crate::page::{Page, pages, spans};
use crate::source::line_of;
use crate::tree::{File, Finding, Tree};

/// What a path of ours ends with.
const ENDINGS: [&str; 4] = [".rs", ".md", ".wit", ".txt"];

/// What a path of ours begins with: folders at the top, and crates of the host with their sources.
const BEGINNINGS: [&str; 15] = [
    "host/",
    "sdk/",
    "guest-examples/",
    "wit/",
    "tests/",
    ".ci/",
    ".cargo/",
    "model/src/",
    "query/src/",
    "node/src/",
    "cli/src/",
    "storage/src/",
    "protocol/src/",
    "sandbox/src/",
    "replication/src/",
];

/// Paths that are named without being there: where, what, why.
const ALLOWED: [(&str, &str, &str); 1] = [("host/docs/style.md", "utils.rs", "an example of what not to write")];

/// Checks pages, and comments of Rust files.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let paths: Vec<&str> = tree.files().map(|file| file.path.as_str()).collect();
    for (file, page) in pages(tree) {
        for span in &page.spans {
            judge(&paths, file, span.line, span.text, findings);
        }
        for link in &page.links {
            if let Err(mend) = follow(tree, &paths, file, &page, link.text) {
                findings.push(file.finding(link.line, "links", mend));
            }
        }
    }
    // What the rules plant as violations stands in their own tests.
    for (file, source) in tree.rust().filter(|(file, _)| !file.path.starts_with("tests/tidy/")) {
        for (line, text) in (1..).zip(source.comments.lines()) {
            spans(text).for_each(|span| judge(&paths, file, line, span, findings));
        }
        cited(tree, file, &source.comments, findings);
    }
}

fn judge(paths: &[&str], file: &File, line: usize, span: &str, findings: &mut Vec<Finding>) {
    let path = without_line(span);
    let is_allowed = ALLOWED.iter().any(|(page, allowed, _)| *page == file.path && *allowed == path);
    if is_path(path) && !is_allowed && !exists(paths, path) {
        findings.push(file.finding(
            line,
            "paths",
            format!("`{path}` is not there: name what is, or <name> for what may be"),
        ));
    }
}

/// Returns true if `text` can only be meant as a path of this repository.
fn is_path(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-<>*".contains(c);
    let begins = BEGINNINGS.iter().any(|beginning| text.starts_with(beginning));
    let ends = ENDINGS.iter().any(|ending| text.len() > ending.len() && text.ends_with(ending));
    text.chars().all(plain) && !text.starts_with(['/', '*']) && !text.starts_with("./") && (begins || ends)
}

/// Returns `path` without the line number behind it.
fn without_line(path: &str) -> &str {
    match path.rsplit_once(':') {
        Some((before, line)) if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) => before,
        Some(_) | None => path,
    }
}

/// Returns true if a file or folder of the repository has `path`, or ends with it.
fn exists(paths: &[&str], path: &str) -> bool {
    let wanted: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    paths.iter().any(|path| {
        let names: Vec<&str> = path.split('/').collect();
        names.windows(wanted.len()).any(|window| window.iter().zip(&wanted).all(|(name, wanted)| fits(name, wanted)))
    })
}

/// Returns true if `name` is `wanted`, in which `<…>` and `*` stand for anything.
fn fits(name: &str, wanted: &str) -> bool {
    let (Some(open), close) = (wanted.find(['<', '*']), wanted.rfind(['>', '*'])) else { return name == wanted };
    let (before, after) = (&wanted[..open], close.map_or("", |close| &wanted[close + 1..]));
    name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
}

/// Follows a link of a page.
fn follow(tree: &Tree, paths: &[&str], file: &File, page: &Page<'_>, link: &str) -> Result<(), String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (target, anchor) = link.split_once('#').map_or((link, None), |(target, anchor)| (target, Some(anchor)));
    let path = if target.is_empty() { file.path.clone() } else { beside(&file.path, without_line(target)) };
    let is_folder = |other: &&str| other.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/'));
    if !paths.contains(&path.as_str()) && !paths.iter().any(is_folder) {
        return Err(format!("{link} leads to {path}, which is not there"));
    }
    let Some(anchor) = anchor else { return Ok(()) };
    let has = match tree.text(&path) {
        _ if target.is_empty() => page.has_anchor(anchor),
        Some(text) => Page::of(text).has_anchor(anchor),
        None => false,
    };
    if has { Ok(()) } else { Err(format!("{link}: {path} has no heading of that name")) }
}

/// Returns the path of `target` as seen from the folder of `page`.
pub(crate) fn beside(page: &str, target: &str) -> String {
    let mut names: Vec<&str> = page.split('/').collect();
    names.pop();
    for name in target.trim_end_matches('/').split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.join("/")
}

/// Checks the pages that comments cite, and the headings in quotes behind them.
fn cited(tree: &Tree, file: &File, comments: &str, findings: &mut Vec<Finding>) {
    for (at, _) in comments.match_indices(".md") {
        let end = at + ".md".len();
        let begin =
            comments[..at].rfind(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c)).map_or(0, |at| at + 1);
        let (page, line) = (&comments[begin..end], line_of(comments, at));
        if !page.starts_with("host/") && !page.starts_with("sdk/") {
            continue;
        }
        let Some(text) = tree.text(page) else {
            findings.push(file.finding(line, "sources", format!("{page} is not there")));
            continue;
        };
        let headings = Page::of(text).headings;
        for section in sections(&comments[end..]) {
            if !headings.contains(&section.as_str()) {
                findings.push(file.finding(line, "sources", format!("{page} has no heading \"{section}\"")));
            }
        }
    }
}

/// Returns the headings in quotes that `text`, the rest of a comment, begins with: `, "A", "B" and "C"`.
fn sections(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().filter(|word| !matches!(*word, "//!" | "///" | "//")).collect();
    let text = words.join(" ");
    let mut rest = text.strip_prefix(',').unwrap_or_default();
    let mut sections = Vec::new();
    while let Some(section) = rest.strip_prefix(" \"") {
        let Some((section, after)) = section.split_once('"') else { break };
        sections.push(section.to_owned());
        rest = after.strip_prefix(" and").or_else(|| after.strip_prefix(',')).unwrap_or_default();
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    const HOUSE: [(&str, &str); 3] = [
        ("host/node/src/http/error.rs", ""),
        ("host/docs/protocol.md", "# P\n## Numbers\n## A new reign\n"),
        ("LICENSE", ""),
    ];

    fn found(path: &str, text: &str) -> Vec<String> {
        findings(check, &[HOUSE.as_slice(), &[(path, text)]].concat())
    }

    #[test]
    fn paths_that_are_not_there_are_found() {
        for text in
            ["`http/errors.rs`", "`host/node/src/http/error.rs/`:", "a\n\n`tests/rest`", "`node/src/<name>.txt`"]
        {
            let is_there = text.contains("error.rs/");
            assert_eq!(found("README.md", text).len(), usize::from(!is_there), "{text}");
        }
        assert_eq!(found("README.md", "x\n`gone.rs:7`"), ["README.md:2: paths"]);
        assert_eq!(found("host/a/src/b.rs", "//! See `http/gone.rs`."), ["host/a/src/b.rs:1: paths"]);
    }

    #[test]
    fn paths_that_are_there_and_other_words_are_free() {
        for text in [
            "`http/error.rs:12` `host/node` `node/src/http/`",
            "`http/<name>.rs` `host/docs/*.md`",
            "`/core/x.rs` `./a.rs`",
            "`x.rs y`",
        ] {
            assert_eq!(found("README.md", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn links_and_anchors_are_followed() {
        assert_eq!(
            found("host/docs/a.md", "[a](protocol.md#a-new-reign) [b](../../LICENSE) [c](https://x.y) [d](../node)"),
            [""; 0]
        );
        for link in ["gone.md", "protocol.md#gone", "../LICENSE", "#gone"] {
            assert_eq!(found("host/docs/a.md", &format!("[a]({link})")), ["host/docs/a.md:1: links"], "{link}");
        }
    }

    #[test]
    fn cited_sections_are_headings() {
        let good = "//! Source: host/docs/protocol.md, \"Numbers\" and\n//! \"A new\n//! reign\". Left out: \"x\".";
        assert_eq!(found("host/a/src/b.rs", good), [""; 0]);
        assert_eq!(
            found("host/a/src/b.rs", "// host/docs/protocol.md, \"Numbers\", \"Gone\"."),
            ["host/a/src/b.rs:1: sources"]
        );
        assert_eq!(found("host/a/src/b.rs", "// host/docs/gone.md"), ["host/a/src/b.rs:1: sources"]);
        assert_eq!(found("host/a/src/b.rs", "// Source: RFC 7396, \"x\"."), [""; 0]);
    }
}
