//! What keeps a project from being built or tested.

use std::path::PathBuf;

use super::language::Language;
use super::script;

/// Why a project cannot be built or tested.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The folder holds no project.
    #[error("{} is no project: it has no {}", folder.display(), Language::marks())]
    NoProject { folder: PathBuf },
    /// The language's tool is not there, or is not able to make guest modules.
    #[error("{missing}")]
    Missing {
        missing: String,
        /// The command that installs it.
        install: &'static str,
    },
    /// The tool found something wrong; its words are here unless people have seen them.
    #[error("{tool} failed")]
    Failed {
        tool: String,
        /// What it said; empty if it said it aloud.
        said: String,
    },
    /// The tool succeeded and has made no module.
    #[error("{reason}")]
    NoModule {
        /// What is wrong with the project.
        reason: String,
        /// How to mend it.
        mend: &'static str,
    },
    /// The files make no script.
    #[error(transparent)]
    Script(#[from] script::Error),
    /// A file of a script cannot be understood.
    #[error("{reason}")]
    Unreadable {
        /// What is wrong, with file and line.
        reason: String,
    },
    /// Somebody does not want it any more.
    #[error("stopped")]
    Stopped,
    /// A file or a program is out of reach.
    #[error("cannot {doing}")]
    Io {
        /// What was tried, and with what.
        doing: String,
        source: std::io::Error,
    },
}

/// Returns the failure of a file or a program.
pub(super) fn io(doing: String, source: std::io::Error) -> Error {
    Error::Io { doing, source }
}
