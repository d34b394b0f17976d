//! Every command of `steward` that a page shows is one that clap knows, with its flags.

use std::path::{Path, PathBuf};

use super::super::{argv, help};

/// Returns every page of the repository.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("host/cli lies in the repository");
    let mut folders: Vec<PathBuf> =
        ["host/docs", "sdk", "guest-examples", "tests", "wit"].iter().map(|folder| root.join(folder)).collect();
    let mut pages = vec![root.join("README.md")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder that can be read") {
            let path = entry.expect("an entry that can be read").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// Returns the words of every command of `steward` in `text`: in blocks and between backticks.
fn commands(text: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            found.extend(line.strip_prefix("$ ").unwrap_or(line).strip_prefix("steward "));
        } else {
            found.extend(line.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("steward ")));
        }
    }
    // What stands behind the command belongs to the shell or to the reader.
    let ends = |word: &&str| !matches!(*word, "&" | "|" | ">" | "#" | "&&" | ";" | "\\");
    found.iter().map(|code| code.split_whitespace().take_while(ends).collect()).collect()
}

/// Returns what is wrong with a command, if anything.
fn fault(words: &[&str]) -> Option<String> {
    let words = argv::with_start(["steward"].iter().chain(words).map(Into::into));
    let words: Vec<&str> = words.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let whole = help::command(clap::ColorChoice::Never);
    let mut levels = vec![&whole];
    for name in words.iter().filter(|word| !word.starts_with('-')) {
        match levels.last().and_then(|level| level.find_subcommand(name)) {
            Some(below) => levels.push(below),
            None if levels.len() == 1 && **name != *"help" => return Some(format!("`{name}` is no command")),
            None => break,
        }
    }
    let flags = || words.iter().filter_map(|word| word.strip_prefix("--")).map(|flag| flag.split('=').next());
    let known = |flag: &str| {
        let listed = |level: &&clap::Command| {
            level.get_arguments().any(|argument| {
                let names = argument.get_long_and_visible_aliases().unwrap_or_default();
                names.contains(&flag) || argument.get_all_aliases().unwrap_or_default().contains(&flag)
            })
        };
        matches!(flag, "help" | "version") || levels.iter().any(listed)
    };
    flags().flatten().find(|flag| !known(flag)).map(|flag| format!("--{flag} is no flag of it"))
}

#[test]
fn commands_in_pages_are_commands() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page that can be read");
        for words in commands(&text) {
            count += 1;
            wrong
                .extend(fault(&words).map(|fault| format!("{}: steward {}: {fault}", page.display(), words.join(" "))));
        }
    }
    assert!(count > 10, "pages show {count} commands only: are they looked for in the right places?");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_commands_are_noticed() {
    for words in [&["strat"][..], &["start", "--prot", "1"], &["log", "FOLDER", "--lnk", "x"], &["get", "--sandbox"]] {
        assert!(fault(words).is_some(), "{words:?}");
    }
    for words in [&["start", "--port", "0"][..], &["--port", "1"], &["help", "log"], &["log", "DIR", "--output=json"]] {
        assert_eq!(fault(words), None, "{words:?}");
    }
    let page = "`steward get /a`\nsteward is\n```sh\n$ steward log x & y\n  steward deploy z\n```\n";
    assert_eq!(commands(page), [vec!["get", "/a"], vec!["log", "x"], vec!["deploy", "z"]]);
}
