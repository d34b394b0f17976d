//! Builds examples in languages that have a tool of their own, with the binary under test, as an author would.
//!
//! **Promise.** A test needs only one call. A component is kept below the target folder with a digest of all that it is made of, so that
//! the tool runs only after a change, once for all tests and processes. Where the tool is missing, the caller learns what is missing.
//!
//! ```text
//!  steward new ──▶ project ◀── sources of the example        steward build ──▶ target/guests/examples/<language>-<name>.wasm
//! ```

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::build;

/// What tells a tool where the SDK is. An example finds it in this repository, and a project in its own folder.
const MANIFESTS: [&str; 2] = ["go.mod", "pyproject.toml"];

/// What of this repository becomes a part of every component, or makes it.
const MAKERS: [&str; 3] = ["wit", "host/cli/build.rs", "host/cli/src/project"];

/// How `steward build` says that it finds no tool.
const MISSING: &str = "error[tool-missing]";

/// Where an example is, and in which language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// Behind `--lang`; the SDK is called so too.
    pub language: &'static str,
    /// The folder of its sources in this repository; the one above has its name.
    pub folder: &'static str,
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine has no tool for the language.
    #[error("{said}")]
    Missing {
        /// What is missing.
        said: String,
    },
    /// The example does not build.
    #[error("{folder} does not build:\n{said}")]
    Build {
        /// The folder of the example.
        folder: &'static str,
        /// What the command said.
        said: String,
    },
    /// A file or the binary is out of reach.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried, and with what.
        doing: String,
        /// Why not.
        source: io::Error,
    },
}

/// Builds an example, unless that has been done since its sources, its SDK and its makers changed, and returns the component's path.
///
/// Blocks: up to a minute for what is built, or while another test or process builds it.
///
/// # Errors
/// [`Error`] says what is missing or wrong.
pub fn built(example: Example) -> Result<PathBuf, Error> {
    let name = example.name();
    let kept = build::target_folder().join("guests/examples");
    fs::create_dir_all(&kept).map_err(|source| io_error("create", &kept, source))?;
    let file = |ending: &str| kept.join(format!("{}-{name}.{ending}", example.language));
    let (component, sources, locked) = (file("wasm"), file("sources"), file("lock"));
    let lock = File::create(&locked).map_err(|source| io_error("create", &locked, source))?;
    lock.lock().map_err(|source| io_error("lock", &locked, source))?;
    let digest = example.digest()?;
    if component.is_file() && fs::read_to_string(&sources).is_ok_and(|kept| kept == digest) {
        return Ok(component);
    }
    let above = tempfile::tempdir().map_err(|source| io_error("create a folder for", &component, source))?;
    done(example, &run(above.path(), &["new", name, "--lang", example.language])?)?;
    let project = above.path().join(name);
    example.fill(&project)?;
    let made = PathBuf::from(done(example, &run(&project, &["build", "-q"])?)?);
    // Whoever reads the component meanwhile sees the old one or the new one, never a part.
    let part = file("part");
    fs::copy(&made, &part).map_err(|source| io_error("copy", &made, source))?;
    fs::rename(&part, &component).map_err(|source| io_error("rename", &part, source))?;
    fs::write(&sources, digest).map_err(|source| io_error("write", &sources, source))?;
    Ok(component)
}

impl Example {
    fn name(self) -> &'static str {
        Path::new(self.folder).iter().rev().nth(1).and_then(OsStr::to_str).unwrap_or(self.language)
    }

    /// Returns what names everything of which the component is made.
    fn digest(self) -> Result<String, Error> {
        let root = build::repository();
        let mut hasher = DefaultHasher::new();
        let sdk = format!("sdk/{}", self.language);
        for place in [self.folder, &sdk].into_iter().chain(MAKERS) {
            for path in files(&root.join(place))? {
                fs::read(&path).map_err(|source| io_error("read", &path, source))?.hash(&mut hasher);
                path.strip_prefix(&root).unwrap_or(&path).hash(&mut hasher);
            }
        }
        Ok(format!("{:016x}", hasher.finish()))
    }

    /// Puts the sources of the example in the place of those that a new project has.
    fn fill(self, project: &Path) -> Result<(), Error> {
        let folder = build::repository().join(self.folder);
        let is_manifest = |path: &Path| MANIFESTS.iter().any(|name| path.file_name() == Some(OsStr::new(name)));
        let own: Vec<PathBuf> = files(&folder)?.into_iter().filter(|path| !is_manifest(path)).collect();
        for path in entries(project)? {
            if path.is_file() && own.iter().any(|source| source.extension() == path.extension()) {
                fs::remove_file(&path).map_err(|source| io_error("remove", &path, source))?;
            }
        }
        for path in own {
            let place = project.join(path.strip_prefix(&folder).unwrap_or(&path));
            let above = place.parent().unwrap_or(project);
            fs::create_dir_all(above).map_err(|source| io_error("create", above, source))?;
            fs::copy(&path, &place).map_err(|source| io_error("copy", &path, source))?;
        }
        Ok(())
    }
}

fn run(folder: &Path, words: &[&str]) -> Result<Output, Error> {
    let steward = build::steward().map_err(|error| io_error("build", folder, io::Error::other(error)))?;
    let mut command = Command::new(steward);
    // The code is compiled here, and hosts that are given the component find it.
    command.current_dir(folder).env_remove("STEWARD_URL").envs(build::code_cache()).args(words);
    command.output().map_err(|source| Error::Io { doing: format!("run steward {}", words.join(" ")), source })
}

/// Returns what a command wrote to its standard output, if it succeeded.
fn done(example: Example, output: &Output) -> Result<String, Error> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let missing = said.lines().find_map(|line| line.trim().strip_prefix(MISSING));
    Err(match missing {
        Some(rest) => Error::Missing { said: rest.trim_start_matches([':', ' ']).to_owned() },
        None => Error::Build { folder: example.folder, said },
    })
}

/// Returns the files at or below a place that people wrote, in order.
fn files(place: &Path) -> Result<Vec<PathBuf>, Error> {
    if place.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let mut found = Vec::new();
    for path in entries(place)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with('.') && name != "__pycache__" {
            found.extend(files(&path)?);
        }
    }
    Ok(found)
}

/// Returns the entries of a folder, in order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let listed = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>();
    let mut paths = listed().map_err(|source| io_error("list", folder, source))?;
    paths.sort();
    Ok(paths)
}

fn io_error(doing: &str, path: &Path, source: io::Error) -> Error {
    Error::Io { doing: format!("{doing} {}", path.display()), source }
}
