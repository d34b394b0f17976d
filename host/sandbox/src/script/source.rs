//! The texts of a script, as the runner gets them through an import that no other guest has.

use std::sync::Arc;

use wasmtime::component::{ComponentType, Lower};

use super::file::ScriptFile;

/// A file as the runner gets it.
#[derive(Debug, Clone, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Source {
    /// Its path below the folder of the script.
    pub(crate) name: String,
    /// Its text, as the runner understands it: JavaScript, or Python.
    pub(crate) text: String,
}

impl Source {
    /// Returns it as a file.
    pub(crate) fn file(&self) -> ScriptFile {
        ScriptFile { name: self.name.clone(), text: self.text.clone() }
    }
}

/// The files of a script, the one with the service first.
pub(crate) type Sources = Arc<[Source]>;
