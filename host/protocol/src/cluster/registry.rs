//! The registry: which guest modules the cluster has, and which of them answers at which path.
//!
//! Problem: an operator deploys a module, moves a factory to another version, and rolls back, while nodes come and go.
//! Later somebody asks who did what, when and why.
//!
//! Promise: a module is named by the digest of its bytes and never changes. A factory counts its revisions from 1, and
//! goes on counting after it was unmounted and mounted again. So a request that was decided on an old revision is
//! refused for ever. The newest [`HISTORY_MAX`] revisions of a factory are remembered, with the words of those who
//! asked for them.
//!
//! Left out: the bytes of modules. They lie in the module store of a node, under their digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steward_model::module::Digest;
use steward_model::service::{
    self, Capabilities, Descriptor, DescriptorError, LimitsWanted, OptionsError, ServiceOption,
};
use steward_model::{Link, Timestamp};

use super::refused::Refused;
pub use super::service::Service;

/// How many revisions of a factory are remembered.
pub const HISTORY_MAX: usize = 100;

/// Who asked for a change, when, and why in their own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorship {
    /// The self-link of the user, or empty.
    pub by: String,
    /// When the request came in.
    pub at: Timestamp,
    /// The reason that was given, or empty.
    pub message: String,
}

/// An installed guest module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestModule {
    /// The digest of its bytes, by which nodes fetch it.
    pub digest: Digest,
    /// Name of the service, from the descriptor.
    pub name: String,
    /// Version of the module, from the descriptor.
    pub version: String,
    /// The descriptor in JSON, as the node that took the module in has checked it.
    pub descriptor: String,
    /// Size of the component.
    pub size_bytes: u64,
    /// Who installed it first, and when.
    pub installed: Authorship,
}

impl GuestModule {
    /// Parses the descriptor.
    ///
    /// # Errors
    /// [`DescriptorError`] if it was checked by a host with other rules; the module cannot run on this one.
    pub fn descriptor(&self) -> Result<Descriptor, DescriptorError> {
        Descriptor::parse(&self.descriptor)
    }
}

/// What an operator decided at deployment, above the descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Overrides {
    /// Options in place of the descriptor's.
    pub options: Option<Vec<ServiceOption>>,
    /// Maintenance interval in place of the descriptor's, in microseconds.
    pub maintenance_interval_micros: Option<u64>,
    /// Number of kept versions in place of the descriptor's.
    pub version_retention: Option<u64>,
    /// Limits in place of the descriptor's.
    pub limits: Option<LimitsWanted>,
    /// What the guest may do besides: nothing that is not listed here is allowed.
    pub granted: Capabilities,
}

impl Overrides {
    /// Returns the descriptor by which the host runs the service: the guest's wishes under the operator's decisions.
    ///
    /// # Errors
    /// [`OptionsError`] if the options do not go together; the operator has to choose others.
    pub fn apply(&self, descriptor: &Descriptor) -> Result<Descriptor, OptionsError> {
        let mut effective = descriptor.clone();
        if let Some(options) = &self.options {
            service::check_options(options)?;
            effective.options.clone_from(options);
        }
        if let Some(interval) = self.maintenance_interval_micros {
            effective.maintenance_interval_micros = interval;
        }
        if let Some(retention) = self.version_retention {
            effective.version_retention = retention;
        }
        if let Some(limits) = &self.limits {
            effective.limits.clone_from(limits);
        }
        effective.capabilities.clone_from(&self.granted);
        Ok(effective)
    }
}

/// What a factory runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// The digest of the guest module that answers.
    pub module: Digest,
    /// Documents of a lane, or handlers alone.
    pub service: Service,
    /// What the operator decided above the descriptor.
    pub overrides: Overrides,
}

/// What shall answer at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Where it shall answer.
    pub path: Link,
    /// The revision of the factory that this was decided on; 0: there was none.
    pub revision: u64,
    /// What it shall run.
    pub mounted: Mounted,
    /// Who asked for it.
    pub authorship: Authorship,
}

/// One change of a factory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its number, from 1.
    pub number: u64,
    /// The module from then on; none: the factory was unmounted.
    pub module: Option<Digest>,
    /// The module until then.
    pub previous: Option<Digest>,
    /// Who asked for it.
    pub authorship: Authorship,
}

/// A path at which a guest module answers, or has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factory {
    /// Where it answers; its documents are one segment below.
    pub path: Link,
    /// Number of the newest revision.
    pub revision: u64,
    /// What it runs; none: it was unmounted.
    pub mounted: Option<Mounted>,
    /// The newest [`HISTORY_MAX`] revisions, oldest first.
    pub history: Vec<Revision>,
}

impl Factory {
    /// Returns true if the history begins with the first revision: no module has answered here that is not in it.
    pub fn remembers_all(&self) -> bool {
        self.history.first().is_none_or(|revision| revision.number == 1)
    }

    /// Returns when a module answered here again after none had; none if one always has, as far as is remembered, or none does now.
    pub fn back_at(&self) -> Option<Timestamp> {
        let away = self.history.iter().rposition(|revision| revision.module.is_none())?;
        self.history.get(away + 1).map(|revision| revision.authorship.at)
    }

    fn revise(&mut self, mounted: Option<Mounted>, authorship: Authorship) -> u64 {
        self.revision += 1;
        let module = mounted.as_ref().map(|mounted| mounted.module);
        let previous = self.mounted.as_ref().map(|mounted| mounted.module);
        if self.history.len() == HISTORY_MAX {
            self.history.remove(0);
        }
        self.history.push(Revision { number: self.revision, module, previous, authorship });
        self.mounted = mounted;
        self.revision
    }
}

/// All guest modules and factories.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Registry {
    pub(super) modules: BTreeMap<Digest, GuestModule>,
    pub(super) factories: BTreeMap<Link, Factory>,
}

impl Registry {
    /// Returns the module with this digest.
    pub fn module(&self, digest: &Digest) -> Option<&GuestModule> {
        self.modules.get(digest)
    }

    /// Returns all modules by digest.
    pub fn modules(&self) -> impl Iterator<Item = &GuestModule> {
        self.modules.values()
    }

    /// Returns the factory at exactly this path, mounted or not.
    pub fn factory(&self, path: &Link) -> Option<&Factory> {
        self.factories.get(path)
    }

    /// Returns all factories by path, unmounted ones included.
    pub fn factories(&self) -> impl Iterator<Item = &Factory> {
        self.factories.values()
    }

    /// Returns the mounted factory with the longest path that is `link` or an ancestor of it, and what it runs.
    pub fn factory_of(&self, link: &Link) -> Option<(&Factory, &Mounted)> {
        let mut path = link.as_str();
        loop {
            if let Some(factory) = self.factories.get(path)
                && let Some(mounted) = &factory.mounted
            {
                return Some((factory, mounted));
            }
            path = match path.rfind('/') {
                Some(0) if path.len() > 1 => "/",
                Some(slash) if slash > 0 => &path[..slash],
                Some(_) | None => return None,
            };
        }
    }

    /// Returns the unmounted factory to which `link` belongs; none if it belongs to a mounted one, or to none.
    ///
    /// A service without documents answers below its path wherever nothing else does, also where a factory was: what that has left behind
    /// is not the service's.
    pub fn unmounted_of(&self, link: &Link) -> Option<&Factory> {
        let has_documents = |factory: &Factory| {
            factory.mounted.as_ref().is_some_and(|mounted| matches!(mounted.service, Service::Stateful { .. }))
        };
        // Right below a factory are its documents, whatever was mounted there while it was not.
        if link.parent().and_then(|parent| self.factories.get(&parent)).is_some_and(has_documents) {
            return None;
        }
        let nearest = std::iter::once(link.as_str()).chain(link.above()).find_map(|path| self.factories.get(path))?;
        nearest.mounted.is_none().then_some(nearest)
    }

    /// Takes a module in. The same bytes again change nothing: they are the same module.
    pub(super) fn install(&mut self, module: &GuestModule) {
        self.modules.entry(module.digest).or_insert_with(|| module.clone());
    }

    /// Lets a module go. One that is not there needs nothing: whoever has not heard what came of a command proposes it again.
    pub(super) fn remove(&mut self, digest: Digest) -> Result<(), Refused> {
        let runs = |factory: &&Factory| factory.mounted.as_ref().is_some_and(|mounted| mounted.module == digest);
        if let Some(factory) = self.factories.values().find(runs) {
            return Err(Refused::ModuleMounted { digest, path: factory.path.clone() });
        }
        self.modules.remove(&digest);
        Ok(())
    }

    pub(super) fn mount(&mut self, deployment: &Deployment) -> Result<u64, Refused> {
        let path = &deployment.path;
        self.check_module(deployment.mounted.module)?;
        if let Some(revision) = self.repeated(path, deployment.revision, Some(&deployment.mounted)) {
            return Ok(revision);
        }
        if let Some(factory) = self.factories.get(path).filter(|factory| factory.mounted.is_some()) {
            return Err(Refused::PathTaken { path: path.clone(), revision: factory.revision });
        }
        self.check_revision(path, deployment.revision)?;
        self.check_neighbours(path, deployment.mounted.service)?;
        let empty = || Factory { path: path.clone(), revision: 0, mounted: None, history: Vec::new() };
        let factory = self.factories.entry(path.clone()).or_insert_with(empty);
        Ok(factory.revise(Some(deployment.mounted.clone()), deployment.authorship.clone()))
    }

    pub(super) fn remount(&mut self, deployment: &Deployment) -> Result<u64, Refused> {
        let path = &deployment.path;
        self.check_module(deployment.mounted.module)?;
        if let Some(revision) = self.repeated(path, deployment.revision, Some(&deployment.mounted)) {
            return Ok(revision);
        }
        let (factory, current) = self.mounted_at(path, deployment.revision)?;
        let (from, to) = (current.service, deployment.mounted.service);
        if from != to {
            return Err(Refused::ServiceDiffers { path: path.clone(), from, to });
        }
        Ok(factory.revise(Some(deployment.mounted.clone()), deployment.authorship.clone()))
    }

    pub(super) fn unmount(&mut self, path: &Link, revision: u64, authorship: &Authorship) -> Result<u64, Refused> {
        if let Some(revision) = self.repeated(path, revision, None) {
            return Ok(revision);
        }
        let (factory, _) = self.mounted_at(path, revision)?;
        Ok(factory.revise(None, authorship.clone()))
    }

    /// Returns the revision of a factory that is what somebody wants to make of the revision before: whoever has not heard what came of
    /// a command proposes it again, and two may want the same at once.
    fn repeated(&self, path: &Link, decided_on: u64, wanted: Option<&Mounted>) -> Option<u64> {
        let factory = self.factories.get(path)?;
        let is_next = decided_on.checked_add(1) == Some(factory.revision);
        (is_next && factory.mounted.as_ref() == wanted).then_some(factory.revision)
    }

    fn mounted_at(&mut self, path: &Link, revision: u64) -> Result<(&mut Factory, Mounted), Refused> {
        let mounted = self.factories.get(path).and_then(|factory| factory.mounted.clone());
        let mounted = mounted.ok_or_else(|| Refused::NotMounted { path: path.clone() })?;
        self.check_revision(path, revision)?;
        let factory = self.factories.get_mut(path).expect("the path has a factory: its mount was just read");
        Ok((factory, mounted))
    }

    fn check_module(&self, digest: Digest) -> Result<(), Refused> {
        if self.modules.contains_key(&digest) { Ok(()) } else { Err(Refused::UnknownModule { digest }) }
    }

    fn check_revision(&self, path: &Link, revision: u64) -> Result<(), Refused> {
        let current = self.factories.get(path).map_or(0, |factory| factory.revision);
        if current == revision {
            return Ok(());
        }
        Err(Refused::StaleRevision { path: path.clone(), revision, current })
    }

    /// Refuses a path that is one for documents of another factory, or the other way round: they would hide each other.
    fn check_neighbours(&self, path: &Link, service: Service) -> Result<(), Refused> {
        let stateful = |service| matches!(service, Service::Stateful { .. });
        let above = path.parent().and_then(|parent| self.factories.get(&parent));
        if let Some(factory) = above.filter(|f| f.mounted.as_ref().is_some_and(|m| stateful(m.service))) {
            return Err(Refused::Overlap { path: path.clone(), other: factory.path.clone() });
        }
        let below = |f: &&Factory| f.mounted.is_some() && f.path.parent().as_ref() == Some(path);
        match self.factories.values().find(below) {
            Some(factory) if stateful(service) => {
                Err(Refused::Overlap { path: path.clone(), other: factory.path.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }
}
