//! The script runners: each made ready once, for all scripts of a node that it can run.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use steward_model::module::Digest;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use super::file::Interpreter;
use crate::error::PrepareError;
use crate::exports::Exports;
use crate::instance::state::State;

/// A component as it stands in the repository, beside the recipe that makes it and a page on what is in it.
struct Embedded {
    /// Its bytes, compressed by gzip.
    compressed: &'static [u8],
    /// Their digest before that, as the recipe has written it down: compiled code is found by it, without any of the bytes.
    digest: &'static str,
}

static QUICK_JS: Embedded = Embedded {
    compressed: include_bytes!("../../../../sdk/javascript/runner/runner.wasm.gz"),
    digest: include_str!("../../../../sdk/javascript/runner/digest"),
};

static C_PYTHON: Embedded = Embedded {
    compressed: include_bytes!("../../../../sdk/python/runner/runner.wasm.gz"),
    digest: include_str!("../../../../sdk/python/runner/digest"),
};

/// Version of the world that the runners speak.
pub(crate) const WORLD: &str = "0.1.0";

/// The interface of the function that takes types out, and the name of that.
const TYPESCRIPT: (&str, &str) = ("steward:script/typescript@0.1.0", "strip");

impl Interpreter {
    /// Returns the digest of its component.
    pub(crate) fn digest(self) -> Digest {
        Digest::parse(self.embedded().digest.trim()).expect("the recipe writes a digest")
    }

    /// Returns what its component is called in the log.
    pub(crate) fn runner(self) -> &'static str {
        match self {
            Interpreter::QuickJs => "script runner of JavaScript",
            Interpreter::CPython => "script runner of Python",
        }
    }

    /// Returns the bytes of its component.
    pub(crate) fn component(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = flate2::read::GzDecoder::new(self.embedded().compressed).read_to_end(&mut bytes);
        read.expect("it was compressed when it was made");
        bytes
    }

    fn embedded(self) -> &'static Embedded {
        match self {
            Interpreter::QuickJs => &QUICK_JS,
            Interpreter::CPython => &C_PYTHON,
        }
    }
}

/// A runner, compiled and linked.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Arc<Exports>,
    /// Its function that takes types out; none where there is nothing to take out.
    pub(crate) strip: Option<ComponentExportIndex>,
}

/// The runners of an engine, each once a script has needed it.
#[derive(Default)]
pub(crate) struct Runners {
    quick_js: Slot,
    c_python: Slot,
}

type Slot = Mutex<Option<Runner>>;

impl Runners {
    /// Returns a runner; `make` makes it the first time.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn get(
        &self,
        interpreter: Interpreter,
        make: impl FnOnce() -> Result<Runner, PrepareError>,
    ) -> Result<Runner, PrepareError> {
        let slot = match interpreter {
            Interpreter::QuickJs => &self.quick_js,
            Interpreter::CPython => &self.c_python,
        };
        let mut made = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some(runner) => Ok(runner.clone()),
            None => Ok(made.insert(make()?).clone()),
        }
    }
}

impl Runner {
    /// Links a compiled component.
    ///
    /// # Errors
    /// [`PrepareError::ImportType`] if the linker does not offer what it wants.
    pub(crate) fn link(component: &Component, linker: &Linker<State>) -> Result<Runner, PrepareError> {
        let exports = Arc::new(Exports::find(component)?);
        let typescript = component.get_export_index(None, TYPESCRIPT.0);
        let strip = typescript.and_then(|typescript| component.get_export_index(Some(&typescript), TYPESCRIPT.1));
        let pre = linker.instantiate_pre(component);
        let pre = pre.map_err(|error| PrepareError::ImportType { reason: format!("{error:#}") })?;
        Ok(Runner { pre, exports, strip })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::bindings::SERVICE_0_1;
    use crate::imports::RANDOM;
    use crate::module::inspect::{Inspection, survey};

    /// What the runner of Python was made of, as its recipe has written it down: digests and paths in the repository.
    const SOURCES: &str = include_str!("../../../../sdk/python/runner/sources");

    fn surveyed(interpreter: Interpreter) -> Inspection {
        survey(&interpreter.component()).expect("a component")
    }

    #[test]
    fn each_runner_is_the_one_that_its_recipe_has_made() {
        for (interpreter, bytes_max) in [(Interpreter::QuickJs, 1 << 20), (Interpreter::CPython, 8 << 20)] {
            assert_eq!(Digest::of(&interpreter.component()), interpreter.digest(), "{interpreter:?}");
            let bytes = interpreter.embedded().compressed.len();
            assert!(bytes < bytes_max, "{interpreter:?}: {bytes} bytes");
            assert!(surveyed(interpreter).exports.iter().any(|export| export == SERVICE_0_1), "{interpreter:?}");
        }
    }

    #[test]
    fn the_runner_of_python_was_made_of_what_is_here() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let recorded: Vec<_> = SOURCES.lines().filter_map(|line| line.split_once("  ")).collect();
        for (digest, path) in &recorded {
            let source = std::fs::read(root.join(path)).unwrap_or_default();
            assert_eq!(
                Digest::of(&source).to_string(),
                *digest,
                "{path} is another one: run sdk/python/runner/make.sh"
            );
        }
        for entry in std::fs::read_dir(root.join("sdk/python/steward")).expect("the SDK") {
            let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            // The mock host is a folder.
            let is_left_out = !name.ends_with(".py");
            let is_recorded = recorded.iter().any(|(_, path)| *path == format!("sdk/python/steward/{name}"));
            assert_ne!(is_left_out, is_recorded, "{name}: run sdk/python/runner/make.sh");
        }
    }

    #[test]
    fn the_runner_of_javascript_asks_for_nothing_of_a_system() {
        let survey = surveyed(Interpreter::QuickJs);
        assert_eq!(survey.imports.iter().find(|import| !import.starts_with("steward:")), None);
        assert!(survey.exports.iter().any(|export| export == TYPESCRIPT.0), "{:?}", survey.exports);
    }

    #[test]
    fn the_runner_of_python_gets_randomness_from_nowhere_else() {
        let survey = surveyed(Interpreter::CPython);
        let random: Vec<_> = survey.imports.iter().filter(|import| import.starts_with("wasi:random/")).collect();
        assert_eq!(random, [RANDOM]);
    }
}
