//! Services written as scripts: nothing is built, the texts are the module.
//!
//! **Promise.** `steward deploy counter.ts` needs nothing but this binary. The file and those that it imports, by names relative to
//! themselves, become one module; the host does the rest, types included. Tests are the one thing that needs Node.js.
//!
//! Left out: packages of a registry, which have to be bundled into a file first.

mod files;
mod nodejs;

use std::path::Path;

use steward_sandbox::Language;

use super::tools::Made;

pub(crate) use files::{Error, script};
pub(super) use nodejs::{link, tests};

/// Returns true if a file may be a part of a script.
pub(super) fn is_source(file: &Path) -> bool {
    Language::of_file(&file.to_string_lossy()).is_some()
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
