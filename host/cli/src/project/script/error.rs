//! Why files make no script.

use std::io;
use std::path::PathBuf;

/// Why files make no script.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file cannot be read, or is no text.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The name of a file does not say that it is a script.
    #[error("{} is no script: its name ends with none of .js, .ts and .py", path.display())]
    NoScript {
        /// The file.
        path: PathBuf,
    },
    /// A file imports one that lies above the folder of the script.
    #[error(
        "{importer} imports {import:?}, which lies outside of the script's folder; move it below, or bundle both into one file"
    )]
    Outside {
        /// The file that imports.
        importer: String,
        /// What it imports.
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
        /// What it imports.
        import: String,
    },
}
