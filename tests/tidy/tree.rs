//! The tracked tree: which files there are, what they contain, and which of them are tests.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::source::Source;

/// Folders that are never tracked, for trees without git.
const NEVER_TRACKED: [&str; 4] = [".git", "target", "steward-data", "node_modules"];

/// One violation.
#[derive(Debug)]
pub(crate) struct Finding {
    /// The file, relative to the repository.
    pub(crate) path: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The name of the rule.
    pub(crate) rule: &'static str,
    /// How to mend it.
    pub(crate) mend: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.mend)
    }
}

/// One text file.
pub(crate) struct File {
    /// Relative to the repository, with forward slashes.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
    /// Its Rust code and comments apart; none for other languages.
    pub(crate) rust: Option<Source>,
}

impl File {
    fn new(path: String, text: String) -> File {
        let rust = path.ends_with(".rs").then(|| Source::of(&text));
        File { path, text, rust }
    }

    /// Returns the last name of the path, without its folder.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Returns the ending of the name; `sh` for scripts that name their interpreter in the first line.
    pub(crate) fn kind(&self) -> &str {
        match self.name().rsplit_once('.') {
            Some((stem, ending)) if !stem.is_empty() => ending,
            _ if self.text.starts_with("#!") => "sh",
            _ => "",
        }
    }

    /// Returns true for files that others wrote and we keep unchanged, and for inputs of fuzz targets, which are bytes.
    pub(crate) fn is_foreign(&self) -> bool {
        self.path.contains("/vendor/")
            || self.path.ends_with("/generated.rs")
            || self.path.starts_with("tests/fuzz/corpus/")
            || matches!(self.path.as_str(), "LICENSE" | "Cargo.lock")
    }

    /// Returns a violation in this file.
    pub(crate) fn finding(&self, line: usize, rule: &'static str, mend: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, rule, mend: mend.into() }
    }
}

/// All text files of the repository.
pub(crate) struct Tree {
    files: Vec<File>,
    tests: BTreeSet<String>,
}

impl Tree {
    /// Reads the repository that this test was compiled in: what git tracks, and what it would track.
    ///
    /// # Errors
    /// If a folder or a file cannot be read.
    pub(crate) fn of_repository() -> io::Result<Tree> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository");
        let mut paths = match tracked(root) {
            Some(paths) => paths,
            None => walked(root)?,
        };
        paths.sort();
        paths.dedup();
        let mut files = Vec::new();
        for path in paths {
            // A listed file may have been deleted since, and some files are no text.
            match std::fs::read_to_string(root.join(&path)) {
                Ok(text) => files.push(File::new(path, text)),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {}
                Err(error) => return Err(io::Error::new(error.kind(), format!("cannot read {path}: {error}"))),
            }
        }
        Ok(Tree::new(files))
    }

    /// Returns a tree of the given paths and texts.
    #[cfg(test)]
    pub(crate) fn planted(files: &[(&str, &str)]) -> Tree {
        Tree::new(files.iter().map(|(path, text)| File::new((*path).to_owned(), (*text).to_owned())).collect())
    }

    fn new(files: Vec<File>) -> Tree {
        let tests = files.iter().flat_map(test_files).collect();
        Tree { files, tests }
    }

    /// Returns every file.
    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// Returns every Rust file that people write, with its source.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files.iter().filter(|file| !file.is_foreign()).filter_map(|file| Some((file, file.rust.as_ref()?)))
    }

    /// Returns the Rust files below `folder` that run in the product: test modules are left out.
    pub(crate) fn product<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a File, &'a Source)> {
        self.rust().filter(move |(file, _)| file.path.starts_with(folder) && !self.is_test(file))
    }

    /// Returns the text of the file at `path`.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Returns true if `file` is compiled for tests only.
    fn is_test(&self, file: &File) -> bool {
        let folders = file.path.match_indices('/').map(|(at, _)| &file.path[..at]);
        self.tests.contains(&file.path)
            || folders.clone().any(|folder| self.tests.contains(folder))
            || folders.clone().any(|folder| matches!(folder.rsplit('/').next(), Some("tests" | "benches")))
            || file.rust.as_ref().is_some_and(Source::is_test_only)
    }
}

/// Returns the files and folders that `file` declares to be test modules.
fn test_files(file: &File) -> Vec<String> {
    let Some(source) = &file.rust else { return Vec::new() };
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let base = match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        other => format!("{folder}/{}", other.trim_end_matches(".rs")),
    };
    source
        .test_modules()
        .iter()
        .flat_map(|module| [format!("{base}/{module}.rs"), format!("{base}/{module}")])
        .collect()
}

/// Returns the paths that git tracks or would track; none if git is missing or this is no repository.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let list = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<String> = list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    (!paths.is_empty()).then_some(paths)
}

/// Returns the paths of all files below `root` besides build output.
fn walked(root: &Path) -> io::Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                if !NEVER_TRACKED.iter().any(|never| entry.file_name() == *never) {
                    folders.push(path);
                }
            } else {
                paths.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walk_and_git_see_this_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a parent");
        let this = "tests/tidy/tree.rs".to_owned();
        assert!(walked(root).expect("readable").contains(&this));
        assert!(tracked(root).is_none_or(|paths| paths.contains(&this)));
    }

    #[test]
    fn test_modules_are_no_product() {
        let tree = Tree::planted(&[
            ("host/a/src/lib.rs", "#[cfg(test)]\nmod proofs;\npub mod real;"),
            ("host/a/src/proofs.rs", ""),
            ("host/a/src/proofs/deep.rs", ""),
            ("host/a/src/real.rs", "#[cfg(test)] pub(crate) mod planted;"),
            ("host/a/src/real/planted.rs", ""),
            ("host/a/tests/whole.rs", ""),
        ]);
        let product: Vec<&str> = tree.product("host/").map(|(file, _)| file.path.as_str()).collect();
        assert_eq!(product, ["host/a/src/lib.rs", "host/a/src/real.rs"]);
    }

    #[test]
    fn kind_is_the_ending_or_the_interpreter() {
        let kind = |path: &str, text: &str| File::new(path.into(), text.into()).kind().to_owned();
        assert_eq!(kind("a/b.rs", ""), "rs");
        assert_eq!(kind(".ci/run", "#!/usr/bin/env bash\n"), "sh");
        assert_eq!(kind(".gitignore", ""), "");
    }
}
