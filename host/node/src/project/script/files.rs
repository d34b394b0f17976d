//! The files of a script: the one with the service, and those that it imports.
//!
//! Imports are found by their form, without parsing: whatever reads `from "./…"` or `import "./…"` and names a file that is there is
//! taken along. One that is named in a comment alone does no harm. One that is missing is told by the host, with its line.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

use steward_sandbox::{Language, Script, ScriptFile};

/// What a name in an import may lack, or have instead of what the file is called.
const ENDINGS: [&str; 2] = ["ts", "js"];

/// Why files make no script.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file cannot be read, or is no text.
    #[error("cannot read {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The name of a file does not say that it is a script.
    #[error("{} is no script: its name ends neither with .js nor with .ts", path.display())]
    NoScript { path: PathBuf },
    /// A file imports one that lies above the folder of the script.
    #[error(
        "{importer} imports {import:?}, which lies outside of the script's folder; move it below, or bundle both into one file"
    )]
    Outside {
        /// The file that imports.
        importer: String,
        import: String,
    },
    /// A file imports a package.
    #[error(
        "{importer} imports {import:?}, and a script has no packages but \"steward\"; bundle it into the file first, such as by \
         `npx esbuild {importer} --bundle --format=esm --external:steward --outfile=bundle.js`"
    )]
    Package {
        /// The file that imports.
        importer: String,
        import: String,
    },
}

/// Returns the script whose service is in the file `path`.
///
/// # Errors
/// [`Error`] says which file is at fault.
pub(crate) fn script(path: &Path) -> Result<Script, Error> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let language = Language::of_file(&name).ok_or_else(|| Error::NoScript { path: path.to_owned() })?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut due = vec![name.clone()];
    let mut seen = BTreeSet::from([name]);
    let mut files = Vec::new();
    while let Some(name) = due.pop() {
        let path = folder.join(&name);
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Io { path, source })?;
        for import in imports(&text) {
            if let Some(found) = resolved(&folder, &name, import)?
                && seen.insert(found.clone())
            {
                due.push(found);
            }
        }
        files.push(ScriptFile { name, text });
    }
    Ok(Script { language, files })
}

/// Returns the file that an import names, by its path below the folder; none if it is the SDK, or not there.
fn resolved(folder: &Path, importer: &str, import: &str) -> Result<Option<String>, Error> {
    if !is_relative(import) {
        let is_sdk = import == "steward" || import.starts_with("steward/");
        let refused = || Error::Package { importer: importer.to_owned(), import: import.to_owned() };
        return if is_sdk { Ok(None) } else { Err(refused()) };
    }
    let mut parts: Vec<String> = importer.split('/').map(str::to_owned).collect();
    parts.pop();
    for part in Path::new(import).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::ParentDir if parts.pop().is_none() => {
                return Err(Error::Outside { importer: importer.to_owned(), import: import.to_owned() });
            }
            Component::ParentDir | Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    let plain = parts.join("/");
    let stem = plain.strip_suffix(".js").unwrap_or(&plain);
    let others = ENDINGS.iter().map(|ending| format!("{stem}.{ending}"));
    Ok([plain.clone()].into_iter().chain(others).find(|name| folder.join(name).is_file()))
}

/// Returns true if an import names a file, and not a package.
pub(super) fn is_relative(import: &str) -> bool {
    import.starts_with("./") || import.starts_with("../")
}

/// Returns what a text imports.
pub(super) fn imports(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for word in ["from", "import"] {
        for (at, _) in text.match_indices(word) {
            let rest = text[at + word.len()..].trim_start();
            let Some(quote) = rest.chars().next().filter(|first| matches!(first, '"' | '\'')) else { continue };
            let is_word = !text[..at]
                .ends_with(|last: char| last.is_alphanumeric() || matches!(last, '_' | '$' | '.' | '"' | '\''));
            let name = rest[1..].split(quote).next().unwrap_or_default();
            if is_word && !name.is_empty() && !name.contains(|c: char| c.is_whitespace()) {
                found.push(name);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        folder
    }

    #[test]
    fn a_script_takes_along_what_it_imports() {
        let files = [
            (
                "counter.ts",
                "import { service } from \"steward\";\nimport { a } from './lib/a.js';\nimport \"./b\";\nexport * from \"./none.js\";\n",
            ),
            ("lib/a.ts", "import { b } from \"../b.js\"; // not the text \"from './c.js'\" alone\n"),
            ("b.js", "export const b = 1;\n"),
            ("unused.ts", ""),
        ];
        let folder = folder(&files);
        let script = script(&folder.path().join("counter.ts")).expect("a script");
        let mut names: Vec<_> = script.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!((script.language, names.remove(0)), (Language::TypeScript, "counter.ts"));
        names.sort_unstable();
        assert_eq!(names, ["b.js", "lib/a.ts"]);
    }

    #[test]
    fn packages_and_files_outside_are_refused() {
        let folder =
            folder(&[("a/s.js", "import x from '../../up.js';"), ("p.js", "import _ from \"lodash\";"), ("s.txt", "")]);
        let refused = |name: &str| script(&folder.path().join(name)).expect_err("refused").to_string();
        assert!(refused("a/s.js").contains("outside of the script's folder"));
        assert!(refused("p.js").contains("\"lodash\"") && refused("p.js").contains("esbuild p.js --bundle"));
        assert!(refused("s.txt").contains("neither with .js nor with .ts"));
        assert!(refused("none.js").contains("cannot read"));
    }
}
