//! A project: the folder in which somebody writes a service, and what makes a guest module of it.
//!
//! **Problem.** An author knows one language and its tool, and wants to know nothing of targets, components and interfaces.
//!
//! **Promise.** A new project needs nothing but the language's own tool: everything of ours is embedded in this binary and is written
//! into it. A project is built and tested by that tool, with its own words. What it lacks is said with one command that
//! installs it; nothing is installed by us. Whatever is built lies below `.steward/` of the project, besides what the tool keeps for itself.
//!
//! Left out: projects of several services.

mod c;
mod component;
pub(crate) mod create;
mod embedded;
mod error;
mod folders;
mod go;
mod language;
mod name;
mod python;
mod rust;
pub(crate) mod script;
mod tools;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use error::Error;
use error::io;
pub(crate) use folders::{FOLDER, own_code_cache, said_code_cache};
pub(crate) use language::Language;
pub(crate) use name::Name;
pub(crate) use tools::{Effort, Made, Tools, Voice};

/// A folder with the sources of a service.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    folder: PathBuf,
    language: Language,
}

/// Looks for the tool of a language as a project in `folder` would. Scripts need none but for their tests.
///
/// # Errors
/// [`Error::Missing`] says what is missing, and how to get it.
pub(crate) fn look_for(language: Language, folder: &Path) -> Result<(), Error> {
    match language {
        Language::Rust => rust::look_for(folder),
        Language::Go => go::find(folder).map(|_| ()),
        Language::C => c::find().map(|_| ()),
        Language::Python => python::tests(folder, &[]).map(|_| ()),
        Language::JavaScript | Language::TypeScript => script::has_node(),
    }
}

impl Project {
    /// Returns the project in `folder`.
    ///
    /// # Errors
    /// [`Error::NoProject`] if there is none.
    pub(crate) fn open(folder: &Path) -> Result<Project, Error> {
        let none = || Error::NoProject { folder: folder.to_owned() };
        let language = Language::ALL.into_iter().find(|language| folder.join(language.mark()).is_file());
        let found = language.ok_or_else(none)?;
        // Tools run in the folder and name their files by full paths.
        let folder = folder.canonicalize().map_err(|source| io(format!("open {}", folder.display()), source))?;
        Ok(Project { folder, language: found })
    }

    /// Returns the folder, by its full path.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lets the language's tool make a module. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`Error`] says what is missing or wrong.
    pub(crate) fn make(&self, effort: Effort, tools: &Tools) -> Result<Made, Error> {
        match self.language {
            Language::Rust => rust::make(&self.folder, effort, tools),
            Language::Go => go::make(&self.folder, effort, tools),
            Language::C => c::make(&self.folder, effort, tools),
            Language::Python => python::make(&self.folder, self.language.mark(), effort, tools),
            Language::JavaScript | Language::TypeScript => script::make(&self.folder, self.language.mark()),
        }
    }

    /// Checks what the language's own tool checks besides, and making a module does not. Returns what is to be said; empty: nothing.
    ///
    /// # Errors
    /// [`Error`] says what is wrong.
    pub(crate) fn check(&self, tools: &Tools) -> Result<String, Error> {
        match self.language {
            Language::TypeScript => script::check_types(&self.folder, self.language.mark(), tools),
            Language::Rust | Language::Go | Language::C | Language::Python | Language::JavaScript => Ok(String::new()),
        }
    }

    /// Returns the command that runs the project's tests; `more` is for the runner.
    ///
    /// # Errors
    /// [`Error`] says what is missing, or wrong with the files.
    pub(crate) fn tests(&self, more: &[OsString]) -> Result<Command, Error> {
        match self.language {
            Language::Rust => rust::tests(&self.folder, more),
            Language::Go => go::tests(&self.folder, more),
            Language::C => c::tests(&self.folder, more),
            Language::Python => python::tests(&self.folder, more),
            Language::JavaScript | Language::TypeScript => script::tests(&self.folder, more),
        }
    }

    /// Returns true if a change of the file `path` may change what is made.
    pub(crate) fn is_source(&self, path: &Path) -> bool {
        let Ok(within) = path.strip_prefix(&self.folder) else { return false };
        let ours = within.components().next().is_some_and(|first| self.keeps_out(first.as_os_str()));
        let made = self.language.made_by_tools().iter().any(|name| within == Path::new(name));
        let is_read = match self.language {
            Language::Rust | Language::Go | Language::C | Language::Python => true,
            Language::JavaScript | Language::TypeScript => script::is_javascript(within),
        };
        is_read && !ours && !made
    }

    /// Returns true if nothing below this entry of the project's folder is a source.
    pub(crate) fn keeps_out(&self, entry: &OsStr) -> bool {
        let entry = entry.to_string_lossy();
        entry.starts_with('.') || self.language.made_by_tools().contains(&&*entry)
    }

    /// Returns the folder in which compiled code of the project may be kept from one command to the next.
    pub(crate) fn cache(&self) -> PathBuf {
        folders::code_cache(&self.folder)
    }

    /// Keeps a component where people find it, and returns its path.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub(crate) fn keep(&self, name: &str, component: &[u8]) -> Result<PathBuf, Error> {
        let folder = self.folder.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|source| io(format!("create {}", folder.display()), source))?;
        let path = folder.join(format!("{name}.wasm"));
        let written = || {
            // Whoever reads it meanwhile sees the old one or the new one, never a part.
            let mut part = tempfile::NamedTempFile::new_in(&folder)?;
            std::io::Write::write_all(&mut part, component)?;
            part.persist(&path).map_err(|error| error.error)
        };
        written().map_err(|source| io(format!("write {}", path.display()), source))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("Cargo.toml"), "").expect("a file");
        let project = Project::open(folder.path()).expect("a project");
        (folder, project)
    }

    #[test]
    fn a_folder_without_the_mark_of_a_language_is_no_project() {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = Project::open(folder.path()).expect_err("an empty folder").to_string();
        let marks = "Cargo.toml or go.mod or service.c or service.py or service.js or service.ts";
        assert!(refused.ends_with(&format!("is no project: it has no {marks}")), "{refused}");
    }

    #[test]
    fn what_tools_make_is_no_source() {
        let (_folder, project) = project();
        let is_source = |path: &str| project.is_source(&project.folder().join(path));
        assert!(is_source("src/lib.rs") && is_source("Cargo.toml") && is_source("steward/sdk/rust/src/lib.rs"));
        assert!(!is_source("target/debug/a.d") && !is_source("Cargo.lock"));
        assert!(!is_source(".steward/a.wasm") && !is_source(".git/index"));
        assert!(!project.is_source(Path::new("/elsewhere/src/lib.rs")));
    }

    #[test]
    fn a_component_is_replaced_whole() {
        let (_folder, project) = project();
        let first = project.keep("orders", b"one").expect("kept");
        assert_eq!(project.keep("orders", b"two").expect("kept"), first);
        assert_eq!(std::fs::read(&first).expect("readable"), b"two");
        assert_eq!(std::fs::read_dir(project.folder().join(FOLDER)).expect("a folder").count(), 1);
    }
}
