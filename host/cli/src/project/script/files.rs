//! The files of a script: the one with the service, and those that it imports.
//!
//! Imports are found by their form, without parsing, in a way of each language. What is named in a comment alone does no harm. What is
//! missing is told by the host, with its line.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use steward_node::config::whole;
use steward_sandbox::{Language, Script, ScriptFile};

use super::error::Error;
use super::{javascript, python};
use crate::reading::BYTES_MAX;

/// Returns the script whose service is in the file `path`.
///
/// # Errors
/// [`Error`] says which file is at fault.
pub(crate) fn script(path: &Path) -> Result<Script, Error> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let language = Language::of_file(&name).ok_or_else(|| Error::NoScript { path: path.to_owned() })?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut due = vec![name.clone()];
    let mut seen = BTreeSet::from([name]);
    let mut files = Vec::new();
    while let Some(name) = due.pop() {
        let path = folder.join(&name);
        let text = text_of(&path).map_err(|source| Error::Io { path, source })?;
        let imported = match language {
            Language::JavaScript | Language::TypeScript => javascript::imported(&folder, &name, &text)?,
            Language::Python => python::imported(&folder, &name, &text),
        };
        due.extend(imported.into_iter().filter(|found| seen.insert(found.clone())));
        files.push(ScriptFile { name, text });
    }
    Ok(Script { language, files })
}

/// Reads a text of a script, which may be no longer than what a host takes as a whole.
fn text_of(path: &Path) -> io::Result<String> {
    whole::text_of_file(path, BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        folder
    }

    #[test]
    fn a_script_takes_along_what_it_imports() {
        let files = [
            (
                "counter.ts",
                "import { service } from \"steward\";\nimport { a } from './lib/a.js';\nimport \"./b\";\nexport * from \"./none.js\";\n",
            ),
            ("lib/a.ts", "import { b } from \"../b.js\"; // not the text \"from './c.js'\" alone\n"),
            ("b.js", "export const b = 1;\n"),
            ("unused.ts", ""),
        ];
        let folder = folder(&files);
        let script = script(&folder.path().join("counter.ts")).expect("a script");
        let mut names: Vec<_> = script.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!((script.language, names.remove(0)), (Language::TypeScript, "counter.ts"));
        names.sort_unstable();
        assert_eq!(names, ["b.js", "lib/a.ts"]);
    }

    #[test]
    fn a_script_in_python_takes_along_the_modules_beside_it() {
        let files = [
            (
                "counter.py",
                "import json, money as m\nfrom lib import rates\nfrom steward import service\nimport none\n",
            ),
            ("money.py", "from lib.deep.more import (\n    one,  # not two\n)\n"),
            ("lib/__init__.py", ""),
            ("lib/rates.py", "try: from . import tables\nexcept ImportError: pass\n"),
            ("lib/tables.py", "from .deep import more; from ..up import nothing\n"),
            ("lib/deep/more.py", "\"\"\"One may import unused.\"\"\"\n"),
            ("unused.py", ""),
            ("steward.py", ""),
        ];
        let folder = folder(&files);
        let script = script(&folder.path().join("counter.py")).expect("a script");
        let mut names: Vec<_> = script.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!((script.language, names.remove(0)), (Language::Python, "counter.py"));
        names.sort_unstable();
        assert_eq!(names, ["lib/__init__.py", "lib/deep/more.py", "lib/rates.py", "lib/tables.py", "money.py"]);
    }

    #[test]
    fn packages_and_files_outside_are_refused() {
        let folder =
            folder(&[("a/s.js", "import x from '../../up.js';"), ("p.js", "import _ from \"lodash\";"), ("s.txt", "")]);
        let refused = |name: &str| script(&folder.path().join(name)).expect_err("refused").to_string();
        assert!(refused("a/s.js").contains("outside of the script's folder"));
        assert!(refused("p.js").contains("\"lodash\"") && refused("p.js").contains("esbuild p.js --bundle"));
        assert!(refused("s.txt").contains("none of .js, .ts and .py"));
        assert!(refused("none.js").contains("cannot read"));
    }
}
