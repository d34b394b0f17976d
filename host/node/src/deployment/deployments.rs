//! The means by which deployments are changed, and the commands that come of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use steward_model::module::Digest;
use steward_model::service::{Capabilities, Descriptor};
use steward_model::{Link, outbound};
use steward_protocol::cluster::Command;
use steward_protocol::cluster::command::Deployment;
use steward_protocol::cluster::registry::{Authorship, Factory, Mounted, Overrides, Service};
use steward_sandbox::Module;

use super::error::Error;
use crate::cluster::ControlLog;
use crate::failure;
use crate::operation::Operations;
use crate::service::{Kept, Modules, keep_elsewhere};
use crate::shutdown::Shutdown;

/// Changes what is deployed.
pub(crate) struct Deployments {
    pub(super) operations: Arc<Operations>,
    pub(super) control: Arc<dyn ControlLog>,
    /// The guest modules on this node.
    modules: Arc<Modules>,
    pub(super) bounds: Bounds,
    pub(super) shutdown: Shutdown,
}

/// What a deployment does to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Something answers where nothing did.
    Create,
    /// Another module answers.
    Update,
    /// The module answers there already.
    Nothing,
}

impl Change {
    pub(super) fn of(factory: Option<&Factory>, module: Digest) -> Change {
        match factory.and_then(|factory| factory.mounted.as_ref()) {
            None => Change::Create,
            Some(mounted) if mounted.module == module => Change::Nothing,
            Some(_) => Change::Update,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Change::Create => "create",
            Change::Update => "update",
            Change::Nothing => "none",
        }
    }
}

/// What modules may be given, and may cost.
pub(crate) struct Bounds {
    /// Patterns of the hosts that guests may call, if they want to.
    pub outbound_allowed: Vec<String>,
    /// Most steps of the schema of a state.
    pub schema_steps_max: u32,
    /// How long a node may compile one.
    pub deadline: Duration,
}

impl Deployments {
    /// Returns what changes the deployments of this group; what modules may be given and may cost is in `bounds`.
    pub(crate) fn new(
        operations: Arc<Operations>,
        control: Arc<dyn ControlLog>,
        modules: Arc<Modules>,
        bounds: Bounds,
        shutdown: Shutdown,
    ) -> Arc<Deployments> {
        Arc::new(Deployments { operations, control, modules, bounds, shutdown })
    }

    /// Returns who asks for a change now. Nobody is known by name as long as there is no authorization.
    pub(crate) fn authorship(&self, message: String) -> Authorship {
        Authorship { by: String::new(), at: self.operations.clock().timestamp(), message }
    }

    /// Has as many nodes keep a module as hold an update, this one among them, which keeps it already.
    ///
    /// # Errors
    /// [`Error::KeptByFew`]: the module is not registered, and may be uploaded again.
    pub(crate) async fn keep_elsewhere(&self, module: &Bytes) -> Result<(), Error> {
        let Some(links) = self.operations.links() else { return Ok(()) };
        let Kept { nodes, refusals } = keep_elsewhere(links, module, self.bounds.deadline).await;
        let kept = nodes + 1;
        let quorum = self.control.state().quorum().value;
        match kept >= quorum as usize {
            true => Ok(()),
            false => Err(Error::KeptByFew { kept, quorum, refusals }),
        }
    }

    /// Returns a registered module, ready to be called.
    ///
    /// # Errors
    /// [`Error::Module`] if it is not to be had on this node.
    pub(super) async fn ready(&self, digest: Digest, descriptor: &Descriptor) -> Result<Arc<Module>, Error> {
        let (modules, descriptor) = (Arc::clone(&self.modules), descriptor.clone());
        // It may have to be compiled.
        let load = move || failure::contain(|| modules.load(digest, descriptor));
        Ok(tokio::task::spawn_blocking(load).await.map_err(|_| Error::Broken)??)
    }

    /// Returns what a guest gets of what it wants: the hosts outside that the operator of this node allows.
    pub(super) fn granted(&self, wanted: &Capabilities) -> Capabilities {
        Capabilities { outbound: outbound::granted(&self.bounds.outbound_allowed, &wanted.outbound) }
    }

    /// Returns the command that lets a module answer at `path`, decided on revision `revision` of its factory.
    pub(super) fn command(
        &self,
        path: &Link,
        revision: u64,
        module: (Digest, &Descriptor),
        message: String,
        change: Change,
    ) -> Command {
        let (digest, descriptor) = module;
        let overrides = Overrides { granted: self.granted(&descriptor.capabilities), ..Overrides::default() };
        let mounted = Mounted { module: digest, service: Service::of(descriptor), overrides };
        let deployment = Deployment { path: path.clone(), revision, mounted, authorship: self.authorship(message) };
        match change {
            Change::Create => Command::MountFactory(deployment),
            Change::Update | Change::Nothing => Command::MoveFactory(deployment),
        }
    }
}
