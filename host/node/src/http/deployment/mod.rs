//! Deployments: what would happen if a guest module answered at a path, and what must not happen.
//!
//! ```text
//! POST /core/modules ───► plan ──── shown, with the refusal if there is one
//! POST /core/factories ─► check ─► decide ─► system group ─► service table ─► 201
//! PATCH …/<path> ───────►   │        └── once more, while nobody writes at the path
//!                           └── stored states must stay readable, paths must be free
//! ```
//!
//! The rules of the registry are not repeated here: a plan applies its command to a copy of the cluster state and reports
//! what that says. Checks that need documents or the host are here.

mod decide;
mod stored;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use steward_model::module::Digest;
use steward_model::service::{Capabilities, Descriptor};
use steward_model::{Link, outbound};
use steward_protocol::cluster::command::Deployment;
use steward_protocol::cluster::registry::{Authorship, Factory, GuestModule, Mounted, Overrides, Service};
use steward_protocol::cluster::{ClusterState, Command};

use super::error::Error;
use super::{Http, problem, route};
use crate::service::Schema;

pub(super) use decide::decide;
pub(super) use stored::{documents, unreadable};

/// Documents that a module could not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{path} keeps {} documents in state version{} {}, the module reads {}",
    self.unreadable(),
    if self.stored.len() == 1 { "" } else { "s" },
    listed(self.stored.keys()),
    listed(&self.reads)
)]
pub(super) struct Breaking {
    /// The factory.
    pub(super) path: Link,
    /// Which state versions the module does not read, and how many documents have them.
    pub(super) stored: BTreeMap<u32, u64>,
    /// Which state versions the module reads.
    pub(super) reads: Vec<u32>,
}

fn listed<'a>(numbers: impl IntoIterator<Item = &'a u32>) -> String {
    numbers.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Breaking {
    fn unreadable(&self) -> u64 {
        self.stored.values().sum()
    }

    /// Returns what programs want to know about it.
    pub(super) fn members(&self) -> Map<String, Value> {
        let stored: Map<String, Value> =
            self.stored.iter().map(|(version, n)| (version.to_string(), json!(n))).collect();
        let mut members = Map::new();
        members.insert("unreadableDocuments".to_owned(), self.unreadable().into());
        members.insert("unreadableStateVersions".to_owned(), stored.into());
        members.insert("readsStateVersions".to_owned(), self.reads.clone().into());
        members
    }
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
    fn of(factory: Option<&Factory>, module: Digest) -> Change {
        match factory.and_then(|factory| factory.mounted.as_ref()) {
            None => Change::Create,
            Some(mounted) if mounted.module == module => Change::Nothing,
            Some(_) => Change::Update,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Change::Create => "create",
            Change::Update => "update",
            Change::Nothing => "none",
        }
    }
}

/// Returns what a guest gets of what it wants: the hosts outside that the operator of this node allows.
pub(super) fn granted(allowed: &[String], wanted: &Capabilities) -> Capabilities {
    Capabilities { outbound: outbound::granted(allowed, &wanted.outbound) }
}

/// Returns the command that lets a module answer at `path`, decided on revision `revision` of its factory.
pub(super) fn command(
    http: &Http,
    path: &Link,
    revision: u64,
    module: (Digest, &Descriptor),
    message: String,
    change: Change,
) -> Command {
    let (digest, descriptor) = module;
    let overrides =
        Overrides { granted: granted(&http.parts.outbound_allowed, &descriptor.capabilities), ..Overrides::default() };
    let mounted = Mounted { module: digest, service: Service::of(descriptor), overrides };
    let deployment = Deployment { path: path.clone(), revision, mounted, authorship: authorship(http, message) };
    match change {
        Change::Create => Command::MountFactory(deployment),
        Change::Update | Change::Nothing => Command::MoveFactory(deployment),
    }
}

/// Returns who asks for a change now. Nobody is known by name as long as there is no authorization.
pub(super) fn authorship(http: &Http, message: String) -> Authorship {
    Authorship { by: String::new(), at: http.operations().clock().timestamp(), message }
}

/// Checks what the registry does not know: whose the path is, whether the schema can be used, and whether every stored
/// document stays readable.
///
/// # Errors
/// [`Error::Reserved`], [`Error::Schema`], [`Error::Breaking`], or those of the state store.
pub(super) async fn check(http: &Arc<Http>, path: &Link, descriptor: &Descriptor) -> Result<(), Error> {
    if let Some(reason) = route::reserved(path) {
        return Err(Error::Reserved { path: path.to_string(), reason });
    }
    Schema::compile(&descriptor.state_schema)?;
    match unreadable(http, path, descriptor).await? {
        Some(breaking) => Err(Error::Breaking(Box::new(breaking))),
        None => Ok(()),
    }
}

/// Returns what mounting `module` at `path` would do, for people and for `deploy --check`.
///
/// # Errors
/// Those of the state store; a refusal is a part of the plan.
pub(super) async fn plan(
    http: &Arc<Http>,
    path: &Link,
    module: &GuestModule,
    descriptor: &Descriptor,
) -> Result<Value, Error> {
    let state = http.parts.control.state();
    let factory = state.factory(path);
    let change = Change::of(factory, module.digest);
    let refusal = match change {
        Change::Nothing => None,
        Change::Create | Change::Update => refusal(http, &state, path, module, descriptor, change).await,
    };
    let from = factory.filter(|_| change != Change::Create).map(|factory| from(&state, factory));
    let count = documents(http, path).await?;
    let wanted = &descriptor.capabilities.outbound;
    let grants = granted(&http.parts.outbound_allowed, &descriptor.capabilities).outbound;
    let withheld: Vec<&String> = wanted.iter().filter(|host| !grants.contains(host)).collect();
    let before = from.as_ref().and_then(|from| from["stateVersion"].as_u64());
    let mut versions: Vec<u64> = before.into_iter().collect();
    if before != Some(u64::from(descriptor.state_version)) {
        versions.push(descriptor.state_version.into());
    }
    let mut reads = descriptor.reads_state_versions.clone();
    reads.push(descriptor.state_version);
    reads.sort_unstable();
    reads.dedup();
    Ok(json!({
        "factory": path,
        "change": change.as_str(),
        "fromRevision": from.as_ref().map(|from| from["revision"].clone()),
        "from": from,
        "stateVersions": versions,
        "readsStateVersions": reads,
        "documents": count,
        "grants": {"outbound": grants},
        "withheld": {"outbound": withheld},
        "refusal": refusal.map(|error| problem::summary(&error)),
    }))
}

fn from(state: &ClusterState, factory: &Factory) -> Value {
    let digest = factory.mounted.as_ref().map(|mounted| mounted.module);
    let module = digest.and_then(|digest| state.module(&digest));
    let descriptor = module.and_then(|module| module.descriptor().ok());
    json!({
        "revision": factory.revision,
        "digest": digest,
        "version": module.map(|module| &module.version),
        "stateVersion": descriptor.map(|descriptor| descriptor.state_version),
    })
}

async fn refusal(
    http: &Arc<Http>,
    state: &ClusterState,
    path: &Link,
    module: &GuestModule,
    descriptor: &Descriptor,
    change: Change,
) -> Option<Error> {
    if let Err(error) = check(http, path, descriptor).await {
        return Some(error);
    }
    let revision = state.factory(path).map_or(0, |factory| factory.revision);
    let named = (module.digest, descriptor);
    let steps = [Command::RegisterModule(module.clone()), command(http, path, revision, named, String::new(), change)];
    let mut trial = state.clone();
    let refused = steps.iter().find_map(|step| trial.apply(step).err());
    refused.map(Error::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_cannot_be_read_are_counted() {
        let path = Link::parse("/core/counters").expect("a valid link");
        let breaking = Breaking { path, stored: BTreeMap::from([(1, 1200), (2, 4)]), reads: vec![3] };
        let told = "/core/counters keeps 1204 documents in state versions 1, 2, the module reads 3";
        assert_eq!(breaking.to_string(), told);
        assert_eq!(breaking.members()["unreadableStateVersions"], json!({"1": 1200, "2": 4}));
    }
}
