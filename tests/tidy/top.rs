//! The top level of the repository is fixed: a newcomer sees all of it at once.

use crate::tree::{Finding, Tree};

/// Everything at the top besides dot-files.
const ENTRIES: [&str; 9] =
    ["Cargo.toml", "Cargo.lock", "LICENSE", "README.md", "host", "sdk", "guest-examples", "wit", "tests"];

/// What must be there.
const NEEDED: [&str; 4] = ["Cargo.toml", "Cargo.lock", "LICENSE", "README.md"];

/// Crates and folders of the host; a split that separates things which change together is a cost.
const HOST: [&str; 9] = ["docs", "model", "protocol", "storage", "query", "replication", "sandbox", "node", "cli"];

/// Checks the first names of all paths.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let mut seen = Vec::new();
    for file in tree.files() {
        let mut names = file.path.split('/');
        let (first, second) = (names.next().unwrap_or_default(), names.next());
        if !first.starts_with('.') && !ENTRIES.contains(&first) && !seen.contains(&first) {
            seen.push(first);
            let mend = format!("{first} has no place at the top: put it below host, sdk, tests or into a dot-file");
            findings.push(file.finding(1, "top-level", mend));
        }
        if let Some(second) =
            second.filter(|second| first == "host" && !HOST.contains(second) && !seen.contains(second))
        {
            seen.push(second);
            findings.push(file.finding(
                1,
                "top-level",
                format!("host/{second} is no part of the house: see architecture.md"),
            ));
        }
    }
    for needed in NEEDED.into_iter().filter(|needed| tree.text(needed).is_none()) {
        findings.push(Finding {
            path: needed.to_owned(),
            line: 1,
            rule: "top-level",
            mend: "the file is missing".into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    const WHOLE: [(&str, &str); 4] = [("Cargo.toml", ""), ("Cargo.lock", ""), ("LICENSE", ""), ("README.md", "")];

    #[test]
    fn strangers_and_gaps_are_found() {
        let mut files = WHOLE.to_vec();
        files.extend([("scripts/a.sh", ""), ("scripts/b.sh", ""), ("host/extra/Cargo.toml", "")]);
        assert_eq!(findings(check, &files), ["scripts/a.sh:1: top-level", "host/extra/Cargo.toml:1: top-level"]);
        assert_eq!(findings(check, &WHOLE[..3]), ["README.md:1: top-level"]);
    }

    #[test]
    fn the_house_is_free() {
        let mut files = WHOLE.to_vec();
        files.extend([(".ci/run", ""), ("host/docs/style.md", ""), ("host/model/src/lib.rs", ""), ("wit/a.wit", "")]);
        assert_eq!(findings(check, &files), [""; 0]);
    }
}
