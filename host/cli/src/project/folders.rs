//! What is ours in the folder of a project, and how a tool's output passes through it.

use std::path::{Path, PathBuf};

use super::error::{Error, io};

/// Where everything that can be made anew lies: built components, compiled code, and the state of its host.
pub(crate) const FOLDER: &str = ".steward";

/// Where what is a part of the project lies: the SDK.
pub(super) const SUPPORT: &str = "steward";

/// The setting `code_cache` of a node, which holds for these commands too: several projects may share a folder.
const CODE_CACHE: &str = "STEWARD_CODE_CACHE";

/// Returns the folder in which compiled code of a project may be kept from one command to the next.
pub(super) fn code_cache(project: &Path) -> PathBuf {
    said_code_cache().unwrap_or_else(|| project.join(FOLDER).join("cache"))
}

/// Returns the folder of compiled code that the environment names, for what belongs to no project.
pub(crate) fn said_code_cache() -> Option<PathBuf> {
    std::env::var_os(CODE_CACHE).filter(|said| !said.is_empty()).map(PathBuf::from)
}

/// Returns the folder of compiled code for what belongs to no project: the one that the environment names, else one in the folder in
/// which programs of this user keep what can be made anew; none where nobody says which that is. Source: XDG Base Directory Specification.
pub(crate) fn own_code_cache() -> Option<PathBuf> {
    let named = |variable| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let of_user = || named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")));
    said_code_cache().or_else(|| Some(of_user()?.join("steward").join("code")))
}

/// Returns where a tool shall write its output `file`, in the folder of what can be made anew, which is there then.
///
/// # Errors
/// [`Error::Io`] if it cannot be made.
pub(super) fn output(project: &Path, file: &str) -> Result<PathBuf, Error> {
    let folder = project.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(|source| io(format!("create {}", folder.display()), source))?;
    Ok(folder.join(file))
}

/// Returns what a tool has written, and removes it: it would only be taken for the component that is made of it.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub(super) fn taken(output: &Path) -> Result<Vec<u8>, Error> {
    let written = std::fs::read(output).map_err(|source| io(format!("read {}", output.display()), source))?;
    let _ = std::fs::remove_file(output);
    Ok(written)
}

/// Returns the name of a project that has no other one: that of its folder.
pub(super) fn name(project: &Path) -> String {
    project.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
