//! Names say what a thing is. A word that fits everything says nothing, so it is refused.

use crate::source::{identifier, line_of, words};
use crate::tree::{File, Finding, Tree};

/// Names that no module, file or folder has. The path `/core/…` of the REST interface is no module.
const MODULES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "misc", "manager", "core"];

/// Words that no name of a type contains, after the glossary.
const WORDS: [&str; 12] =
    ["Manager", "Helper", "Helpers", "Util", "Utils", "Common", "Misc", "Impl", "Master", "Slave", "Dead", "Shard"];

/// Keywords before the name of a type.
const DECLARATIONS: [&str; 5] = ["struct", "enum", "trait", "type", "union"];

/// Checks names of files, modules and types.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        for part in file.path.trim_end_matches(".rs").split('/').filter(|part| MODULES.contains(part)) {
            findings.push(file.finding(1, "names", format!("`{part}` says nothing: name the module after its idea")));
        }
        declared(file, &source.code, &["mod"], findings, |name| {
            MODULES.contains(&name).then(|| format!("`{name}` says nothing: name the module after its idea"))
        });
        declared(file, &source.code, &DECLARATIONS, findings, |name| {
            let word = WORDS.into_iter().find(|word| camel_words(name).any(|part| part == *word))?;
            Some(format!("`{word}` in {name} says nothing or is taken: see the glossary"))
        });
    }
}

/// Judges every name that follows one of `keywords` in `code`.
fn declared(
    file: &File,
    code: &str,
    keywords: &[&str],
    findings: &mut Vec<Finding>,
    judge: impl Fn(&str) -> Option<String>,
) {
    for keyword in keywords {
        for at in words(code, keyword) {
            let after = &code[at + keyword.len()..];
            let name = identifier(after.trim_start());
            if let Some(mend) = judge(name).filter(|_| after.starts_with(char::is_whitespace)) {
                findings.push(file.finding(line_of(code, at), "names", mend));
            }
        }
    }
}

/// Returns the words of a name in camel case.
fn camel_words(name: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = name.match_indices(|c: char| c.is_ascii_uppercase()).map(|(at, _)| at).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([name.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| &name[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn empty_names_are_found() {
        assert_eq!(findings(check, &[("host/a/src/util/x.rs", "")]), ["host/a/src/util/x.rs:1: names"]);
        assert_eq!(findings(check, &[("host/a/src/helpers.rs", "")]), ["host/a/src/helpers.rs:1: names"]);
        for text in ["mod common {}", "pub struct ReplicaManager;", "enum ManagerState {}", "trait StoreImpl {}"] {
            assert_eq!(findings(check, &[("a.rs", text)]), ["a.rs:1: names"], "{text}");
        }
    }

    #[test]
    fn names_that_only_contain_the_letters_are_not_found() {
        let text =
            "struct Deadline; enum Implication {} mod commons; // struct Manager\nlet a = \"/core/x\"; impl A {}";
        assert_eq!(findings(check, &[("host/a/src/utility/stats.rs", text)]), [""; 0]);
    }
}
