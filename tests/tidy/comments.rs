//! Comments say why, as the code stands: no plans, no history, no numbers of discussions elsewhere.

use crate::source::words;
use crate::tree::{File, Finding, Tree};

/// Marks of work that is not done.
const PLANS: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];

/// Phrases that tell how the code came to be, in lower case. A phrase that also describes what happens at run time, such
/// as "no longer" by itself, is not here.
const HISTORY: [&str; 18] = [
    "previously",
    "formerly",
    "has been changed",
    "have been changed",
    "it used to",
    "this used to",
    "which used to",
    "that used to",
    "we used to",
    "used to be",
    "we no longer",
    "code no longer",
    "this no longer",
    "now uses",
    "now returns",
    "renamed from",
    "refactored",
    "in an earlier version of this",
];

/// Checks the comments of every language that we write.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.files().filter(|file| !file.is_foreign()) {
        for (line, text) in comments(file) {
            judge(file, line, &text, findings);
        }
    }
}

fn judge(file: &File, line: usize, text: &str, findings: &mut Vec<Finding>) {
    if let Some(mark) = PLANS.into_iter().find(|mark| words(text, mark).next().is_some()) {
        let mend = format!("{mark}: do it, or say the limit in the module head");
        findings.push(file.finding(line, "plan-in-comment", mend));
    }
    let lower = text.to_lowercase();
    if let Some(phrase) = HISTORY.into_iter().find(|phrase| words(&lower, phrase).next().is_some()) {
        let mend = format!("\"{phrase}\" tells history: say why the code is as it is");
        findings.push(file.finding(line, "history-in-comment", mend));
    }
    if names_issue(&lower) {
        findings.push(file.finding(line, "issue-in-comment", "say the reason itself instead of a number"));
    }
}

/// Returns true if the text names an issue or a pull request by number. Keys of effects (`…@3#0`) are none.
fn names_issue(text: &str) -> bool {
    let digit = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let hash = text.match_indices('#').any(|(at, _)| {
        let stands_alone = text[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || c == '(');
        stands_alone && digit(&text[at + 1..])
    });
    hash || ["issue ", "/issues/", "/pull/"]
        .iter()
        .any(|word| text.match_indices(word).any(|(at, _)| digit(&text[at + word.len()..])))
}

/// Returns the comments of a file by line.
fn comments(file: &File) -> Vec<(usize, String)> {
    if let Some(source) = &file.rust {
        return (1..).zip(source.comments.lines().map(str::to_owned)).collect();
    }
    let marks: &[&str] = match file.kind() {
        "wit" | "js" | "css" | "ts" | "go" | "c" => &["//", "/*", "*"],
        "sh" | "toml" | "py" | "yml" => &["#"],
        _ => return Vec::new(),
    };
    let lines = (1..).zip(file.text.lines());
    lines
        .filter(|(_, line)| marks.iter().any(|mark| line.trim_start().starts_with(mark)))
        .map(|(number, line)| (number, line.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn plans_history_and_issues_are_found() {
        for (text, rule) in [
            ("// TODO later", "plan-in-comment"),
            ("/* a\n FIXME */", "plan-in-comment"),
            ("/// Previously a map.", "history-in-comment"),
            ("// This used to lock.", "history-in-comment"),
            ("// See #123.", "issue-in-comment"),
            ("// (#7)", "issue-in-comment"),
            ("// of issue 12", "issue-in-comment"),
        ] {
            let found = findings(check, &[("a.rs", text)]);
            assert!(found.len() == 1 && found[0].ends_with(rule), "{text}: {found:?}");
        }
        assert_eq!(findings(check, &[("a.toml", "# TODO\n"), ("b.wit", "  /// XXX\n")]).len(), 2);
    }

    #[test]
    fn true_sentences_about_the_code_are_not_found() {
        let text = "// The key used to sign; a node that no longer answers.\n/// `/core/a@3#0` and #[test]\nlet a = \"TODO #1\";";
        assert_eq!(findings(check, &[("a.rs", text), ("b.md", "TODO #12\n")]), [""; 0]);
    }
}
