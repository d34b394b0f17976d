//! Tests of scripts: Node.js runs them, as it would without us.
//!
//! What they import as `steward` is the SDK in the project, found in `node_modules` as npm would have put it there. TypeScript is tested as it
//! is served: without its types, from copies below `.steward/plain` with the same lines, so that any Node.js that has a test runner will do.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use steward_node::config::whole;
use steward_sandbox::{Config, Language, Sandbox, Script, ScriptFile};

use super::is_javascript;
use super::javascript::{imports, is_relative};
use crate::project::error::{Error, io};
use crate::project::folders::{FOLDER, SUPPORT, code_cache};
use crate::reading::BYTES_MAX;

/// Oldest Node.js whose test runner is no experiment.
const NODE_MAJOR_MIN: u32 = 20;

const INSTALL: &str = "apt-get install -y nodejs";

/// What the names of files with tests have before their ending.
const TEST: &str = ".test";

/// Lets a project find its SDK under the name by which it is imported.
///
/// # Errors
/// If the link cannot be made.
pub(in crate::project) fn link(folder: &Path) -> std::io::Result<()> {
    let packages = folder.join("node_modules");
    if packages.join("steward").exists() {
        return Ok(());
    }
    std::fs::create_dir_all(&packages)?;
    std::os::unix::fs::symlink(Path::new("..").join(SUPPORT), packages.join("steward"))
}

/// Returns the command that runs the tests of a project; `more` is for the runner.
///
/// # Errors
/// [`Error::Missing`] without Node.js, [`Error::Unreadable`] if a file is no TypeScript, or what cannot be read or written.
pub(in crate::project) fn tests(folder: &Path, more: &[OsString]) -> Result<Command, Error> {
    has_node()?;
    link(folder).map_err(|source| io(format!("link the SDK in {}", folder.display()), source))?;
    let names = names(folder).map_err(|source| io(format!("list {}", folder.display()), source))?;
    let is_typescript = |name: &String| Language::of_file(name) == Some(Language::TypeScript);
    let (place, names) = if names.iter().any(is_typescript) {
        let place = folder.join(FOLDER).join("plain");
        let plain = plain(folder, &names)?;
        let names = plain.iter().map(|file| file.name.clone()).collect();
        written(&place, plain).map_err(|source| io(format!("write {}", place.display()), source))?;
        (place, names)
    } else {
        (folder.to_owned(), names)
    };
    let mut command = Command::new("node");
    command.current_dir(place).arg("--test").args(more).args(names.iter().filter(|name| is_test(name)));
    Ok(command)
}

/// Looks for what runs the tests of scripts.
///
/// # Errors
/// [`Error::Missing`]
pub(in crate::project) fn has_node() -> Result<(), Error> {
    let missing = |missing: String| Error::Missing { missing, install: INSTALL };
    let asked = Command::new("node").arg("--version").output();
    let asked =
        asked.map_err(|error| missing(format!("tests of scripts are run by Node.js, and there is none: {error}")))?;
    let version = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= NODE_MAJOR_MIN) {
        return Ok(());
    }
    Err(missing(format!("tests of scripts are run by Node.js {NODE_MAJOR_MIN} or later, found {version:?}")))
}

fn is_test(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, _)| stem.ends_with(TEST))
}

/// Returns the scripts of a project, by their paths below its folder, in order: those of the author's.
fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut due = vec![PathBuf::new()];
    while let Some(within) = due.pop() {
        for entry in std::fs::read_dir(folder.join(&within))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = within.join(&name);
            let is_ours = within.as_os_str().is_empty() && matches!(name.as_str(), SUPPORT | "node_modules");
            if name.starts_with('.') || is_ours {
                continue;
            }
            if entry.file_type()?.is_dir() {
                due.push(path);
            } else if is_javascript(Path::new(&name)) && !name.ends_with(".d.ts") {
                names.push(path.to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Returns all scripts of a project as JavaScript, under names that say so.
fn plain(folder: &Path, names: &[String]) -> Result<Vec<ScriptFile>, Error> {
    let read = |name: &String| {
        let path = folder.join(name);
        let text =
            whole::text_of_file(&path, BYTES_MAX).map_err(|source| io(format!("read {}", path.display()), source))?;
        Ok(ScriptFile { name: name.clone(), text })
    };
    let files = names.iter().map(read).collect::<Result<Vec<_>, Error>>()?;
    let unreadable = |reason: String| Error::Unreadable { reason };
    let cache_folder = Some(code_cache(folder));
    let config = Config { cache_folder, instances_max: 4, idle_instances_max: 1, ..Config::default() };
    let sandbox = Sandbox::new(config).map_err(|error| unreadable(error.to_string()))?;
    let script = Script { language: Language::TypeScript, files };
    let files = sandbox.javascript(&script).map_err(|error| unreadable(error.to_string()))?;
    Ok(files.into_iter().map(renamed).collect())
}

/// Returns a file whose name, and those of the files that it imports, end as those of JavaScript do.
fn renamed(file: ScriptFile) -> ScriptFile {
    let mut text = file.text.clone();
    for import in imports(&file.text).into_iter().filter(|import| is_relative(import)) {
        if let Some(plain) = plain_name(import) {
            for quote in ['"', '\''] {
                text = text.replace(&format!("{quote}{import}{quote}"), &format!("{quote}{plain}{quote}"));
            }
        }
    }
    ScriptFile { name: plain_name(&file.name).unwrap_or(file.name), text }
}

fn plain_name(name: &str) -> Option<String> {
    [(".ts", ".js"), (".mts", ".mjs")].iter().find_map(|(from, to)| Some(format!("{}{to}", name.strip_suffix(from)?)))
}

fn written(place: &Path, files: Vec<ScriptFile>) -> std::io::Result<()> {
    if place.exists() {
        std::fs::remove_dir_all(place)?;
    }
    std::fs::create_dir_all(place)?;
    std::fs::write(place.join("package.json"), "{\"type\":\"module\"}\n")?;
    for ScriptFile { name, text } in files {
        let path = place.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(place))?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_typescript_become_those_of_javascript_with_the_imports() {
        let text =
            "import { a } from \"./a.ts\";\nimport './b.js';\nimport { t } from \"steward\";\nconst s = \"c.ts\";\n";
        let file = renamed(ScriptFile { name: "x/s.test.ts".to_owned(), text: text.to_owned() });
        assert_eq!((file.name.as_str(), file.text), ("x/s.test.js", text.replace("./a.ts", "./a.js")));
        assert!(is_test("x/s.test.js") && !is_test("x/s.js") && !is_test("test.js"));
    }

    #[test]
    fn only_the_authors_own_scripts_are_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in
            ["a.ts", "b/c.test.js", "d.d.ts", "e.txt", ".steward/f.js", "steward/index.js", "node_modules/g/g.js"]
        {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, "").expect("a file");
        }
        assert_eq!(names(folder.path()).expect("a list"), ["a.ts", "b/c.test.js"]);
    }
}
