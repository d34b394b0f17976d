//! The guest modules on this node's disk, and the prepared ones in memory.
//!
//! A module's bytes lie in `modules/<digest>.wasm` of the data folder; what the file's name says is checked whenever it is
//! read. Preparing (compiling, or loading from the code cache, and asking for the descriptor) happens once per module.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use steward_model::module::Digest;
use steward_sandbox::{Module, PrepareError, Sandbox};
use steward_storage::lasting;

/// Why a module is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ModulesError {
    /// The sandbox refuses it.
    #[error("{0}")]
    Refused(#[from] PrepareError),
    /// The file cannot be read or written.
    #[error("guest module file {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what its name says.
    #[error("guest module file {} is damaged: its digest is {found}; copy the file from another node or upload the module again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What it holds.
        found: Digest,
    },
}

/// See the head of this module.
pub struct Modules {
    folder: PathBuf,
    sandbox: Sandbox,
    prepared: Mutex<HashMap<Digest, Arc<Module>>>,
}

impl Modules {
    /// Returns the modules in `folder`, which is made if it does not exist.
    ///
    /// # Errors
    /// [`ModulesError::File`] if the folder cannot be made.
    pub fn open(folder: &Path, sandbox: Sandbox) -> Result<Modules, ModulesError> {
        let failed = |source| ModulesError::File { path: folder.to_owned(), source };
        lasting::make_folder(folder).map_err(failed)?;
        Ok(Modules { folder: folder.to_owned(), sandbox, prepared: Mutex::new(HashMap::new()) })
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }

    fn known(&self, digest: Digest) -> Option<Arc<Module>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned()
    }

    fn keep(&self, module: Arc<Module>) -> Arc<Module> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(prepared.entry(module.digest()).or_insert(module))
    }

    /// Prepares a module that was uploaded, and stores it durably under its digest. Takes as long as compiling does.
    ///
    /// # Errors
    /// [`ModulesError`]: nothing was stored.
    pub fn install(&self, bytes: &[u8]) -> Result<Arc<Module>, ModulesError> {
        let module = match self.known(Digest::of(bytes)) {
            Some(module) => module,
            None => self.keep(self.sandbox.prepare(bytes)?),
        };
        let path = self.path(module.digest());
        // A core module is kept as the component that was made of it.
        let bytes = module.component_bytes().map_or(bytes, |component| component);
        if !path.exists() {
            lasting::replace(&path, bytes).map_err(|source| ModulesError::File { path, source })?;
        }
        Ok(module)
    }

    /// Prepares a module without storing it, to see what it is. Takes as long as compiling does.
    ///
    /// # Errors
    /// [`ModulesError::Refused`] says what is wrong with it.
    pub fn examine(&self, bytes: &[u8]) -> Result<Arc<Module>, ModulesError> {
        match self.known(Digest::of(bytes)) {
            Some(module) => Ok(module),
            None => Ok(self.sandbox.prepare(bytes)?),
        }
    }

    /// Returns a stored module, prepared.
    ///
    /// # Errors
    /// [`ModulesError`] if the file is missing, damaged, or refused by this version of the host.
    pub fn load(&self, digest: Digest) -> Result<Arc<Module>, ModulesError> {
        if let Some(module) = self.known(digest) {
            return Ok(module);
        }
        let path = self.path(digest);
        let bytes = std::fs::read(&path).map_err(|source| ModulesError::File { path: path.clone(), source })?;
        let found = Digest::of(&bytes);
        if found != digest {
            return Err(ModulesError::Damaged { path, found });
        }
        Ok(self.keep(self.sandbox.prepare(&bytes)?))
    }

    /// Forgets the prepared modules that are not installed any more. Their files stay, for a rollback of the cluster state.
    pub fn forget_except(&self, installed: &dyn Fn(Digest) -> bool) {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.retain(|digest, _| installed(*digest));
    }
}
