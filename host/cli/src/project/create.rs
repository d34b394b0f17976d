//! `steward new`: a folder with a service that works, its tests, and everything that it needs of ours.
//!
//! **Promise.** The folder is there whole or not at all: it is written beside its place, under a name of its own, and moved there at
//! the end. What is there already is never touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::embedded;
use super::folders::SUPPORT;
use super::language::Language;
use super::name::{self, Name};
use super::script;

/// What the templates call themselves, and their crate.
const TEMPLATE: (&str, &str) = ("my-service", "my_service");

/// Why there is no new project.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The last part of the path is no name.
    #[error(transparent)]
    Name(#[from] name::Error),
    /// Something is there already.
    #[error("{} is there already, and is not empty", place.display())]
    Occupied { place: PathBuf },
    /// It cannot be in there.
    #[error("there is {} {} to make a folder in", if *is_other { "no folder but a file at" } else { "no folder" }, above.display())]
    NoFolder { above: PathBuf, is_other: bool },
    /// A file or folder cannot be written.
    #[error("cannot create {}", place.display())]
    Io { place: PathBuf, source: io::Error },
}

/// Writes a new project to `place`, whose last part is its name. Returns the name.
///
/// # Errors
/// [`Error`] says why not; nothing is left behind then.
pub(crate) fn create(place: &Path, language: Language) -> Result<Name, Error> {
    // A path that ends with none, such as `..`, is shown as it was given.
    let last = place.file_name().unwrap_or(place.as_os_str()).to_string_lossy();
    let name = Name::parse(&last)?;
    let above = above(place);
    if !above.is_dir() {
        return Err(Error::NoFolder { above: above.to_owned(), is_other: above.exists() });
    }
    if is_occupied(place) {
        return Err(Error::Occupied { place: place.to_owned() });
    }
    match written(place, &name, language) {
        Ok(()) => Ok(name),
        // Somebody else was quicker.
        Err(error) if is_occupied(place) => {
            tracing::debug!(%error, "a folder appeared while a project was written");
            Err(Error::Occupied { place: place.to_owned() })
        }
        Err(source) => Err(Error::Io { place: place.to_owned(), source }),
    }
}

/// An empty folder is free; a link to somewhere is not.
fn is_occupied(place: &Path) -> bool {
    match place.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::read_dir(place).map_or(true, |mut entries| entries.next().is_some()),
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Returns the folder in which something is.
fn above(place: &Path) -> &Path {
    place.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn written(place: &Path, name: &Name, language: Language) -> io::Result<()> {
    let part = tempfile::Builder::new().prefix(".steward-new-").tempdir_in(above(place))?;
    let whole = part.path().join(name.as_str());
    for (path, text) in files(language) {
        let path = whole.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&whole))?;
        fs::write(path, text.replace(TEMPLATE.0, name.as_str()).replace(TEMPLATE.1, &name.snake()))?;
    }
    match language {
        Language::Rust | Language::Go | Language::C | Language::Python => {}
        Language::JavaScript | Language::TypeScript => script::link(&whole)?,
    }
    fs::rename(whole, place)
}

/// Returns the files of a new project.
fn files(language: Language) -> Vec<(PathBuf, &'static str)> {
    let (own, support) = match language {
        Language::Rust => ([embedded::RUST, embedded::RUST_LOCK].concat(), embedded::RUST_SUPPORT),
        Language::Go => (embedded::GO.to_vec(), embedded::GO_SUPPORT),
        Language::C => (embedded::C.to_vec(), embedded::C_SUPPORT),
        Language::Python => (embedded::PYTHON.to_vec(), embedded::PYTHON_SUPPORT),
        Language::JavaScript => (embedded::JAVASCRIPT.to_vec(), embedded::SCRIPT_SUPPORT),
        Language::TypeScript => (embedded::TYPESCRIPT.to_vec(), embedded::SCRIPT_SUPPORT),
    };
    let support = support.iter().map(|(path, text)| (Path::new(SUPPORT).join(path), *text));
    own.into_iter().map(|(path, text)| (PathBuf::from(path), text)).chain(support).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_project_carries_its_name_and_all_that_it_needs() {
        let above = tempfile::tempdir().expect("a folder");
        let place = above.path().join("red-orders");
        assert_eq!(create(&place, Language::Rust).expect("created").as_str(), "red-orders");
        let expected = [".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "src", "steward", "tests"];
        assert_eq!(names(&place), expected);
        let read = |path: &str| fs::read_to_string(place.join(path)).expect("a file");
        assert!(read("src/lib.rs").contains("#[service(name = \"red-orders\", factory = \"/core/red-orders\")]"));
        assert!(read("tests/service.rs").contains("use red_orders::Counter;"));
        assert!(read("steward/sdk/rust/src/bindings.rs").contains("include!(\"bindings/generated.rs\")"));
        assert!(place.join("steward/sdk/rust/src/bindings/generated.rs").is_file());
        assert!(place.join("steward/wit/world.wit").is_file());
        for (path, text) in files(Language::Rust) {
            assert!(!text.contains(TEMPLATE.0) || !read(&path.display().to_string()).contains(TEMPLATE.0), "{path:?}");
        }
    }

    #[test]
    fn a_project_in_a_script_language_finds_its_sdk_as_npm_would_have_put_it() {
        let above = tempfile::tempdir().expect("a folder");
        for (language, ending) in [(Language::JavaScript, "js"), (Language::TypeScript, "ts")] {
            let place = above.path().join(format!("orders-{ending}"));
            create(&place, language).expect("created");
            let read = |path: &str| fs::read_to_string(place.join(path)).expect("a file");
            assert!(read(&format!("service.{ending}")).contains(&format!("service(\"/core/orders-{ending}\"")));
            assert!(read(&format!("service.test.{ending}")).contains(&format!("./service.{ending}")));
            assert!(read("node_modules/steward/package.json").contains("\"steward\""));
            assert!(read("node_modules/steward/index.d.ts").contains("export function service"));
            assert!(place.join("steward/README.md").is_file() && !place.join("steward/runner.js").exists());
            assert!(!read("README.md").contains(TEMPLATE.0));
        }
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let above = tempfile::tempdir().expect("a folder");
        let place = above.path().join("orders");
        fs::create_dir(&place).expect("a folder");
        create(&place, Language::Rust).expect("an empty folder is free");
        let before = names(&place);
        let refused = create(&place, Language::Rust).expect_err("it is full now").to_string();
        assert!(refused.ends_with("orders is there already, and is not empty"), "{refused}");
        assert_eq!((names(&place), names(above.path())), (before, vec!["orders".to_owned()]));
    }

    #[test]
    fn nothing_is_left_of_what_could_not_be_written() {
        let above = tempfile::tempdir().expect("a folder");
        let missing = create(&above.path().join("no/orders"), Language::Rust);
        assert!(matches!(missing, Err(Error::NoFolder { is_other: false, .. })), "{missing:?}");
        fs::write(above.path().join("file"), "").expect("writable");
        let within = create(&above.path().join("file/orders"), Language::Rust);
        assert!(matches!(within, Err(Error::NoFolder { is_other: true, .. })), "{within:?}");
        fs::remove_file(above.path().join("file")).expect("removable");
        let upwards = create(&above.path().join(".."), Language::Rust).expect_err("no name").to_string();
        assert!(upwards.starts_with('"') && upwards.contains("..\" cannot be the name"), "{upwards}");
        assert!(matches!(create(&above.path().join("Orders"), Language::Rust), Err(Error::Name(_))));
        assert_eq!(names(above.path()), [""; 0]);
    }

    #[test]
    fn a_project_of_each_language_is_known_by_its_mark_and_carries_its_name() {
        let above = tempfile::tempdir().expect("a folder");
        for language in Language::ALL {
            let place = above.path().join(format!("{}-orders", language.name()));
            let name = create(&place, language).expect("created");
            assert!(place.join(language.mark()).is_file(), "{name:?}");
            let readme = fs::read_to_string(place.join("README.md")).expect("a page");
            assert!(readme.contains(&format!("/core/{}", name.as_str())) && !readme.contains(TEMPLATE.0), "{readme}");
            let support = place.join(SUPPORT);
            let manuals = [support.join("sdk").join(language.name()).join("README.md"), support.join("README.md")];
            assert!(
                manuals.iter().any(|manual| manual.is_file()) && place.join(SUPPORT).join("LICENSE").is_file(),
                "{name:?}"
            );
        }
    }
}
