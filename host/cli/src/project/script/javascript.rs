//! What a script in JavaScript or TypeScript imports: whatever reads `from "./…"` or `import "./…"` and names a file that is there.

use std::path::{Component, Path};

use super::error::Error;

/// What a name in an import may lack, or have instead of what the file is called.
const ENDINGS: [&str; 2] = ["ts", "js"];

/// Returns the files below `folder` that the text of the file `importer` imports, by their paths there.
///
/// # Errors
/// [`Error::Package`] or [`Error::Outside`] if it imports what a script cannot have.
pub(super) fn imported(folder: &Path, importer: &str, text: &str) -> Result<Vec<String>, Error> {
    let found = imports(text).into_iter().map(|import| resolved(folder, importer, import));
    found.filter_map(Result::transpose).collect()
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
