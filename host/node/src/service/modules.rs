//! The guest modules of this node that are ready to be called, made of the bytes that its [`ModuleStore`] keeps.
//!
//! A module is prepared once per process: compiled or loaded from the code cache, and linked. It describes itself when
//! it is installed, and the host goes by that description from then on. If it were asked again and said something else,
//! its documents would change their meaning.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steward_model::Link;
use steward_model::module::Digest;
use steward_model::problem::{Kind, Problem};
use steward_model::service::Descriptor;
use steward_sandbox::{Module, PrepareError, Sandbox};
use steward_storage::space::is_full;

use super::store::{ModuleStore, StoreError};

/// How long bytes are kept that nothing names: an upload stores them first and has them named afterwards.
const UNWANTED_FOR: Duration = Duration::from_secs(3600);

/// Why a module is not to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModulesError {
    /// The sandbox refuses it.
    #[error("{0}")]
    Refused(#[from] PrepareError),
    /// Its bytes are not to be had.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl ModulesError {
    /// Returns the failure as everybody speaks of it.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            ModulesError::Refused(PrepareError::Busy { .. }) => {
                Problem::later(Kind::Unavailable, "overloaded", 5, self)
            }
            ModulesError::Refused(refused) => Problem::never(Kind::Unprocessable, refused.code(), self),
            ModulesError::Store(StoreError::Missing { .. }) => Problem::never(Kind::Internal, "module-missing", self),
            ModulesError::Store(StoreError::Damaged { .. }) => Problem::never(Kind::Internal, "module-damaged", self),
            ModulesError::Store(StoreError::File { source, .. }) if is_full(source) => {
                Problem::later(Kind::NoSpace, "no-space", 30, "the disk is full: the module is not stored")
            }
            // Where the file lies is for the log: it tells strangers about the machine.
            ModulesError::Store(StoreError::File { path, source }) => {
                tracing::warn!(file = %path.display(), reason = %source, "guest module file cannot be used");
                let detail =
                    format!("the file of the guest module cannot be used: {source}; the log of the node names it");
                Problem::never(Kind::Internal, "module-file", detail)
            }
        }
    }
}

pub(crate) struct Modules {
    store: Arc<dyn ModuleStore>,
    sandbox: Sandbox,
    prepared: Mutex<HashMap<Digest, Arc<Module>>>,
}

impl Modules {
    /// Returns the modules that `store` keeps.
    pub(crate) fn new(store: Arc<dyn ModuleStore>, sandbox: Sandbox) -> Modules {
        Modules { store, sandbox, prepared: Mutex::new(HashMap::new()) }
    }

    /// Returns which calls and modules wait.
    pub(crate) fn waiting(&self) -> steward_sandbox::Waiting {
        self.sandbox.waiting()
    }

    fn known(&self, digest: Digest) -> Option<Arc<Module>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned()
    }

    fn keep(&self, module: Arc<Module>) -> Arc<Module> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(prepared.entry(module.digest()).or_insert(module))
    }

    /// Prepares a module that was uploaded, and stores it durably under its digest; a stored one that is damaged is replaced.
    /// `path` is where it is to answer, if that was said. Takes as long as compiling does.
    ///
    /// # Errors
    /// [`ModulesError`]: nothing was stored.
    pub(crate) fn install(&self, bytes: &[u8], path: Option<&Link>) -> Result<Arc<Module>, ModulesError> {
        let module = match self.known(Digest::of(bytes)) {
            Some(module) => module,
            None => self.keep(self.sandbox.prepare_for(bytes, path.cloned())?),
        };
        // A core module is kept as the component that was made of it.
        self.store.put(module.component_bytes().map_or(bytes, |component| component))?;
        Ok(module)
    }

    /// Stores a module that another node has taken in, as [`Modules::install`] does.
    ///
    /// # Errors
    /// [`ModulesError`]: nothing was stored.
    pub(crate) fn keep_for_others(&self, bytes: &[u8]) -> Result<(), ModulesError> {
        match self.install(bytes, None) {
            // Nothing else is wrong with it. It has been compiled, and the group says what it is called.
            Err(ModulesError::Refused(PrepareError::NoPath)) => Ok(self.store.put(bytes).map(|_| ())?),
            installed => installed.map(|_| ()),
        }
    }

    /// Prepares a module without storing it, to see what it is. Takes as long as compiling does.
    ///
    /// # Errors
    /// [`ModulesError::Refused`] says what is wrong with it.
    pub(crate) fn examine(&self, bytes: &[u8], path: Option<&Link>) -> Result<Arc<Module>, ModulesError> {
        match self.known(Digest::of(bytes)) {
            Some(module) => Ok(module),
            None => Ok(self.sandbox.prepare_for(bytes, path.cloned())?),
        }
    }

    /// Returns a stored module, prepared, as the service that it described when it was taken in.
    ///
    /// # Errors
    /// [`ModulesError`] if its bytes are missing, damaged, or refused by this version of the host.
    pub(crate) fn load(&self, digest: Digest, described: Descriptor) -> Result<Arc<Module>, ModulesError> {
        if let Some(module) = self.known(digest) {
            return Ok(module);
        }
        let bytes = self.store.get(digest)?;
        Ok(self.keep(self.sandbox.prepare_as(&bytes, described)?))
    }

    /// Returns true if this node keeps bytes under the digest.
    pub(crate) fn keeps(&self, digest: Digest) -> bool {
        self.store.has(digest)
    }

    /// Returns which of these modules this node does not keep.
    ///
    /// # Errors
    /// [`ModulesError::Store`] if what it keeps cannot be read.
    pub(crate) fn missing(&self, wanted: impl Iterator<Item = Digest>) -> Result<Vec<Digest>, ModulesError> {
        let kept: BTreeSet<Digest> = self.store.list()?.into_iter().collect();
        Ok(wanted.filter(|digest| !kept.contains(digest)).collect())
    }

    /// Forgets the modules that are not installed any more, and those of which only a dry run or an upload that came to nothing has
    /// left something. May block.
    pub(crate) fn forget_except(&self, installed: &dyn Fn(Digest) -> bool) {
        {
            let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
            prepared.retain(|digest, _| installed(*digest));
        }
        match self.store.remove_unwanted(installed, UNWANTED_FOR) {
            Ok(removed) => removed.iter().for_each(|digest| {
                tracing::info!(digest = digest.short(), "guest module removed: nothing names it");
            }),
            Err(error) => tracing::warn!(%error, "guest modules that nothing names stay"),
        }
    }
}
