//! The form of a script module.
//!
//! ```text
//! \0asm 0d 00 01 00                    a component, as every module is one
//! custom section "steward-script"      {"language":"typescript","files":[{"name":"counter.ts","text":"…"},…]}
//! ```
//!
//! The first file is the one that exports the service; the others are those that it imports. Tools that know nothing of scripts see an
//! empty component.

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

use super::mixed::Mixed;
use crate::error::PrepareError;

/// Name of the custom section.
const SECTION: &str = "steward-script";

/// What every component begins with.
const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

/// Number of a custom section.
const CUSTOM: u8 = 0;

/// A language of scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// ECMAScript modules.
    JavaScript,
    /// The same, with types.
    TypeScript,
    /// Python.
    Python,
}

/// What runs scripts of some languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interpreter {
    /// Of JavaScript, and of TypeScript without its types.
    QuickJs,
    /// Of Python.
    CPython,
}

impl Language {
    /// Returns the language of a file, by the ending of its name.
    pub fn of_file(name: &str) -> Option<Language> {
        match name.rsplit_once('.')?.1 {
            "js" | "mjs" => Some(Language::JavaScript),
            "ts" | "mts" => Some(Language::TypeScript),
            "py" => Some(Language::Python),
            _ => None,
        }
    }

    /// Returns its name, as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Language::JavaScript => "JavaScript",
            Language::TypeScript => "TypeScript",
            Language::Python => "Python",
        }
    }

    /// Returns what runs it.
    pub(crate) fn interpreter(self) -> Interpreter {
        match self {
            Language::JavaScript | Language::TypeScript => Interpreter::QuickJs,
            Language::Python => Interpreter::CPython,
        }
    }
}

/// A file of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptFile {
    /// Its path below the folder of the script, with slashes, such as `shared/money.ts`.
    pub name: String,
    /// Its text, as the author wrote it.
    pub text: String,
}

/// A service as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The language of its first file.
    pub language: Language,
    /// The file that exports the service, and those that it imports.
    pub files: Vec<ScriptFile>,
}

impl Script {
    /// Returns the script as a module.
    pub fn module(&self) -> Vec<u8> {
        let texts = serde_json::to_vec(self).expect("texts and words have a JSON form");
        let mut section = leb128(SECTION.len());
        section.extend_from_slice(SECTION.as_bytes());
        section.extend_from_slice(&texts);
        let mut module = PREAMBLE.to_vec();
        module.push(CUSTOM);
        module.extend(leb128(section.len()));
        module.extend(section);
        module
    }

    /// Returns true if a module is a script: nobody has to read one of megabytes to its end to learn that it is none.
    pub(crate) fn is_module(bytes: &[u8]) -> bool {
        section(bytes).is_some()
    }

    /// Returns the script that a module is.
    ///
    /// # Errors
    /// [`PrepareError::Broken`] if it is none, or its texts cannot be read; [`PrepareError::Mixed`] if one interpreter cannot run them all.
    pub fn of_module(bytes: &[u8]) -> Result<Script, PrepareError> {
        let broken = |reason: &str| PrepareError::Broken { reason: format!("section {SECTION}: {reason}") };
        let texts = section(bytes).ok_or_else(|| broken("it is not there"))?;
        let script: Script = serde_json::from_slice(texts).map_err(|error| broken(&error.to_string()))?;
        let first = script.files.first().ok_or_else(|| broken("there is no file in it"))?;
        let foreign = |file: &&ScriptFile| {
            Language::of_file(&file.name).is_some_and(|found| found.interpreter() != script.language.interpreter())
        };
        match script.files.iter().find(foreign) {
            Some(file) => Err(mixed(script.language, first, file).into()),
            None => Ok(script),
        }
    }
}

fn mixed(language: Language, first: &ScriptFile, foreign: &ScriptFile) -> Mixed {
    let found = Language::of_file(&foreign.name).unwrap_or(language).name();
    Mixed { first: first.name.clone(), language: language.name(), foreign: foreign.name.clone(), found }
}

/// Returns the content of the section, if it is the first of a component.
fn section(bytes: &[u8]) -> Option<&[u8]> {
    bytes.starts_with(PREAMBLE).then_some(())?;
    match Parser::new(0).parse_all(bytes).nth(1)?.ok()? {
        Payload::CustomSection(section) if section.name() == SECTION => Some(section.data()),
        _ => None,
    }
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        bytes.push(if number > 0 { low | 0x80 } else { low });
        if number == 0 {
            return bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Script {
        let files = vec![ScriptFile { name: "counter.ts".to_owned(), text: text.to_owned() }];
        Script { language: Language::TypeScript, files }
    }

    #[test]
    fn a_script_is_a_component_with_a_section_of_its_own() {
        for text in ["", "export default 1;\n", &"// ä🦀\"\\\n".repeat(5000)] {
            let module = script(text).module();
            assert!(Script::is_module(&module));
            assert_eq!(Script::of_module(&module).expect("readable"), script(text));
            wasmparser::Validator::new().validate_all(&module).expect("a valid component");
        }
    }

    #[test]
    fn what_is_no_script_is_told_from_one_that_is_broken() {
        for other in [b"\0asm\x01\0\0\0".as_slice(), PREAMBLE, b"nonsense", b""] {
            assert!(!Script::is_module(other));
        }
        let mut module = script("x").module();
        let end = module.len() - 1;
        module[end] = b'!';
        assert!(matches!(Script::of_module(&module), Err(PrepareError::Broken { .. })));
        let none = Script { language: Language::JavaScript, files: Vec::new() };
        assert!(matches!(Script::of_module(&none.module()), Err(PrepareError::Broken { .. })));
    }

    #[test]
    fn files_for_different_interpreters_are_no_script() {
        let mixed = |language, names: [&str; 2]| {
            let files = names.map(|name| ScriptFile { name: name.to_owned(), text: String::new() }).to_vec();
            Script::of_module(&Script { language, files }.module())
        };
        assert!(mixed(Language::JavaScript, ["a.js", "b.ts"]).is_ok());
        let refused = mixed(Language::Python, ["a.py", "b.ts"]).expect_err("mixed").to_string();
        assert!(refused.contains("b.ts is TypeScript, and the script of a.py is Python"), "{refused}");
        // The first file has to be of the language too.
        assert!(mixed(Language::TypeScript, ["a.py", "b.py"]).is_err());
    }

    #[test]
    fn the_ending_of_a_name_says_the_language() {
        assert_eq!(Language::of_file("a/counter.mts"), Some(Language::TypeScript));
        assert_eq!(Language::of_file("counter.js"), Some(Language::JavaScript));
        assert_eq!(Language::of_file("lib/counter.py"), Some(Language::Python));
        assert_eq!(Language::of_file("counter.wasm"), None);
        assert_eq!(Language::of_file("js"), None);
    }
}
