//! The script runner: made ready once, for all scripts of a node.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use crate::error::PrepareError;
use crate::exports::Exports;
use crate::instance::state::State;

/// The component, compressed by gzip. The recipe that makes it, and what is in it, stand beside it.
static COMPRESSED: &[u8] = include_bytes!("../../../../sdk/javascript/runner/runner.wasm.gz");

/// Version of the world that the runner speaks.
pub(crate) const WORLD: &str = "0.1.0";

/// The interface of its function that takes types out, and the name of that.
const TYPESCRIPT: (&str, &str) = ("steward:script/typescript@0.1.0", "strip");

/// The runner, compiled and linked.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Arc<Exports>,
    /// Its function that takes types out.
    pub(crate) strip: ComponentExportIndex,
}

/// The runner of an engine, once a script has needed it.
#[derive(Default)]
pub(crate) struct Runners(Mutex<Option<Runner>>);

impl Runners {
    /// Returns the runner; `make` makes it the first time.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn get(&self, make: impl FnOnce() -> Result<Runner, PrepareError>) -> Result<Runner, PrepareError> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some(runner) => Ok(runner.clone()),
            None => Ok(made.insert(make()?).clone()),
        }
    }
}

impl Runner {
    /// Links the compiled component.
    ///
    /// # Errors
    /// [`PrepareError::ImportType`] if the linker does not offer what it wants.
    pub(crate) fn link(component: &Component, linker: &Linker<State>) -> Result<Runner, PrepareError> {
        let exports = Arc::new(Exports::find(component)?);
        let typescript = component.get_export_index(None, TYPESCRIPT.0);
        let strip = typescript.and_then(|typescript| component.get_export_index(Some(&typescript), TYPESCRIPT.1));
        let strip = strip.expect("the recipe of the runner makes it with all functions of its world");
        let pre = linker.instantiate_pre(component);
        let pre = pre.map_err(|error| PrepareError::ImportType { reason: format!("{error:#}") })?;
        Ok(Runner { pre, exports, strip })
    }
}

/// Returns the bytes of the component.
pub(crate) fn component() -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(COMPRESSED).read_to_end(&mut bytes).expect("it was compressed when it was made");
    bytes
}

#[cfg(test)]
mod tests {
    use steward_model::module::Digest;

    use super::*;

    /// What the recipe has written down.
    const RECORDED: &str = include_str!("../../../../sdk/javascript/runner/digest");

    #[test]
    fn the_runner_is_the_one_that_the_recipe_has_made() {
        assert_eq!(Digest::of(&component()).to_string(), RECORDED.trim());
        assert!(COMPRESSED.len() < 1 << 20, "{} bytes", COMPRESSED.len());
    }

    #[test]
    fn the_runner_asks_for_nothing_of_a_system() {
        let survey = crate::module::inspect::survey(&component()).expect("a component");
        let foreign = survey.imports.iter().find(|import| !import.starts_with("steward:"));
        assert_eq!(foreign, None);
        assert!(survey.exports.iter().any(|export| export == crate::bindings::SERVICE_0_1), "{:?}", survey.exports);
    }
}
