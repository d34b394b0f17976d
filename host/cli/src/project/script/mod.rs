//! Services written as scripts: nothing is built, the texts are the module.
//!
//! **Promise.** `steward deploy counter.ts`, or `counter.py`, needs nothing but this binary. The file and those of the author's that it
//! imports become one module; the host does the rest, types included. Tests are the one thing that needs Node.js, or Python.
//!
//! Left out: packages of a registry. Those of npm have to be bundled into a file first, those of Python need a component.

mod error;
mod files;
mod javascript;
mod nodejs;
mod python;
mod types;

use std::path::Path;

use steward_sandbox::Language;

use super::tools::Made;

pub(crate) use error::Error;
pub(crate) use files::script;
pub(super) use nodejs::{has_node, link, tests};
pub(super) use types::check as check_types;

/// Returns true if a file may be a part of a script in JavaScript or TypeScript.
pub(super) fn is_javascript(file: &Path) -> bool {
    matches!(Language::of_file(&file.to_string_lossy()), Some(Language::JavaScript | Language::TypeScript))
}

/// Makes a module of the file `mark` in the folder of a project, and of what it imports.
///
/// # Errors
/// [`super::Error::Script`] says which file is at fault.
pub(super) fn make(folder: &Path, mark: &str) -> Result<Made, super::Error> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let module = script(&folder.join(mark))?.module();
    Ok(Made { name, module, said: String::new() })
}
