//! The tree reads the same wherever it was made, and whoever made it: no paths of one machine, no words about its
//! authors.

use crate::source::words;
use crate::tree::{Finding, Tree};

/// Beginnings of paths that exist on one machine only. Written in two parts, so that this file passes.
const PLACES: [&str; 5] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/tmp", "/w/"),
    concat!("/Us", "ers/"),
];

/// Words on who or what wrote a file.
const AUTHORS: [&str; 9] = [
    concat!("A", "I"),
    concat!("LL", "M"),
    concat!("G", "PT"),
    concat!("ChatG", "PT"),
    concat!("Clau", "de"),
    concat!("Anth", "ropic"),
    concat!("OpenA", "I"),
    concat!("Copi", "lot"),
    concat!("Co-authored", "-by"),
];

/// Checks every text file besides those of others.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.files().filter(|file| !file.is_foreign()) {
        for (line, text) in (1..).zip(file.text.lines()) {
            if let Some(place) = PLACES.into_iter().find(|place| names_place(text, place)) {
                let mend = format!("{place} exists on one machine: use a relative or temporary path");
                findings.push(file.finding(line, "machine-path", mend));
            }
            if let Some(author) = AUTHORS.into_iter().find(|author| words(text, author).next().is_some()) {
                findings.push(file.finding(line, "authorship", format!("\"{author}\": say what the thing is")));
            }
        }
    }
}

/// Returns true if `text` contains a path that begins with `place`, not only as a part of a longer one.
fn names_place(text: &str, place: &str) -> bool {
    text.match_indices(place).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}>)*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    #[test]
    fn paths_of_one_machine_are_found() {
        let text = format!("a\nlet a = \"{}me/b\";\n", "/ho");
        assert_eq!(findings(check, &[("a.rs", &text)]), ["a.rs:2: machine-path"]);
    }

    #[test]
    fn words_on_authors_are_found() {
        let text = format!("# Written by an {}{}.\n", "A", "I");
        assert_eq!(findings(check, &[("b.md", &text)]), ["b.md:1: authorship"]);
    }

    #[test]
    fn relative_paths_and_longer_words_are_free() {
        let text = format!("src{}rk/mod.rs MAIN AIM CLAIM e-mail ..{}rk/\n", "/wo", "/wo");
        assert_eq!(findings(check, &[("a.md", &text)]), [""; 0]);
    }
}
