//! Files are short, and contain no bytes that nobody sees.

use crate::tree::{File, Finding, Tree};

/// Most lines of a file that people read as a program.
const LINES_MAX: usize = 500;

/// Endings of files whose length is limited.
const LIMITED: [&str; 6] = ["rs", "wit", "sh", "js", "css", "py"];

/// Endings of files whose white space is checked. Golden files may need theirs and have other endings.
const CLEAN: [&str; 12] = ["rs", "wit", "sh", "js", "css", "py", "toml", "md", "html", "json", "yml", "go"];

/// Checks lengths and white space.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.files().filter(|file| !file.is_foreign()) {
        if LIMITED.contains(&file.kind()) {
            length(file, findings);
        }
        if CLEAN.contains(&file.kind()) && !file.path.contains("/golden/") {
            white_space(file, findings);
        }
    }
}

fn length(file: &File, findings: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    if lines > LINES_MAX {
        let mend = format!("{lines} lines, {LINES_MAX} are allowed: split it by ideas");
        findings.push(file.finding(LINES_MAX + 1, "file-length", mend));
    }
}

fn white_space(file: &File, findings: &mut Vec<Finding>) {
    for (line, text) in (1..).zip(file.text.split('\n')) {
        if text.ends_with([' ', '\t', '\r']) {
            findings.push(file.finding(line, "trailing-space", "remove the white space at the end of the line"));
        }
        if file.kind() == "rs" && text.contains('\t') {
            findings.push(file.finding(line, "tab", "indent with spaces, and write \\t in strings"));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(file.finding(file.text.lines().count(), "last-line", "end the file with a line break"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn long_files_are_found() {
        let (long, short) = ("//\n".repeat(501), "//\n".repeat(500));
        let files = [("a.rs", long.as_str()), ("b.rs", &short), ("c.md", &long), ("d/vendor/e.js", &long)];
        assert_eq!(findings(check, &files), ["a.rs:501: file-length"]);
    }

    #[test]
    fn invisible_bytes_are_found() {
        let files = [("a.rs", "x \n\ty\nz"), ("b.toml", "a = 1\t\n"), ("c.txt", "golden \n"), ("d.md", "")];
        let expected = ["a.rs:1: trailing-space", "a.rs:2: tab", "a.rs:3: last-line", "b.toml:1: trailing-space"];
        assert_eq!(findings(check, &files), expected);
    }
}
