//! What a deployment would do: the answer to `deploy --check`, and what people confirm.

use serde_json::{Value, json};
use steward_model::outbound::ALL_ALLOWED;
use steward_model::service::Descriptor;
use steward_model::{Lane, Link};
use steward_protocol::cluster::registry::{Factory, GuestModule};
use steward_protocol::cluster::{ClusterState, Command};
use steward_sandbox::Module;

use super::deployments::{Change, Deployments};
use super::error::Error;

impl Deployments {
    /// Returns what mounting `module` at `path` would do, for people and for `deploy --check`.
    ///
    /// # Errors
    /// Those of the state store; a refusal is a part of the plan.
    pub(crate) async fn plan(&self, path: &Link, module: &GuestModule, ready: &Module) -> Result<Value, Error> {
        let descriptor = ready.descriptor();
        let state = self.control.state();
        let factory = state.factory(path);
        let change = Change::of(factory, module.digest);
        let refusal = match change {
            Change::Nothing => None,
            Change::Create | Change::Update => self.refusal(&state, path, module, ready, change).await,
        };
        let from = factory.filter(|_| change != Change::Create).map(|factory| from(&state, factory));
        let count = self.documents(&[path]).await?[0];
        let wanted = &descriptor.capabilities.outbound;
        let grants = self.granted(&descriptor.capabilities).outbound;
        let is_granted = |host: &String| grants.contains(host) || (host == ALL_ALLOWED && !grants.is_empty());
        let withheld: Vec<&String> = wanted.iter().filter(|host| !is_granted(host)).collect();
        let now = factory.filter(|_| change == Change::Update).and_then(|factory| mounted_module(&state, factory));
        // If it cannot read what the new one writes, the first update makes a rollback impossible.
        let replaced = now.and_then(|now| now.descriptor().ok());
        let before = from.as_ref().and_then(|from| from["stateVersion"].as_u64());
        let mut versions: Vec<u64> = before.into_iter().collect();
        if before != Some(u64::from(descriptor.state_version)) {
            versions.push(descriptor.state_version.into());
        }
        Ok(json!({
            "factory": path,
            "change": change.as_str(),
            "fromRevision": from.as_ref().map(|from| from["revision"].clone()),
            "from": from,
            "lane": match descriptor.lane() {
                Lane::Persisted => "persisted",
                Lane::Volatile => "volatile",
            },
            "stateVersions": versions,
            "readsStateVersions": descriptor.readable_state_versions(),
            "sameDescriptor": now.map(|now| now.descriptor == module.descriptor),
            "noWayBack": replaced.as_ref().is_some_and(|replaced| !replaced.reads(descriptor.state_version)),
            "leftOut": replaced.map(|replaced| left_out(&replaced, descriptor)).unwrap_or_default(),
            "documents": count,
            "grants": {"outbound": grants},
            "withheld": {"outbound": withheld},
            "refusal": refusal.map(|error| summary(&error)),
        }))
    }

    async fn refusal(
        &self,
        state: &ClusterState,
        path: &Link,
        module: &GuestModule,
        ready: &Module,
        change: Change,
    ) -> Option<Error> {
        let descriptor = ready.descriptor();
        if let Err(error) = self.check(path, ready, descriptor).await {
            return Some(error);
        }
        let revision = state.factory(path).map_or(0, |factory| factory.revision);
        let named = (module.digest, descriptor);
        let steps =
            [Command::RegisterModule(module.clone()), self.command(path, revision, named, String::new(), change)];
        let mut trial = state.clone();
        let refused = steps.iter().find_map(|step| trial.apply(step).err());
        refused.map(Error::Refused)
    }
}

fn from(state: &ClusterState, factory: &Factory) -> Value {
    let digest = factory.mounted.as_ref().map(|mounted| mounted.module);
    let module = mounted_module(state, factory);
    let descriptor = module.and_then(|module| module.descriptor().ok());
    json!({
        "revision": factory.revision,
        "digest": digest,
        "version": module.map(|module| &module.version),
        "stateVersion": descriptor.map(|descriptor| descriptor.state_version),
    })
}

fn mounted_module<'a>(state: &'a ClusterState, factory: &Factory) -> Option<&'a GuestModule> {
    factory.mounted.as_ref().and_then(|mounted| state.module(&mounted.module))
}

/// Returns the fields of states of now that the new module's do not have: they are in no state that it writes. A migration decides on
/// them by itself.
fn left_out(now: &Descriptor, new: &Descriptor) -> Vec<String> {
    let fields = |schema: &Value| schema.get("properties").and_then(Value::as_object).cloned();
    let Some(left) = fields(&new.state_schema).filter(|_| now.state_version == new.state_version) else {
        return Vec::new();
    };
    let before = fields(&now.state_schema).unwrap_or_default();
    before.into_iter().map(|(name, _)| name).filter(|name| !left.contains_key(name)).collect()
}

/// Returns what a plan says about a failure that has not happened yet.
fn summary(error: &Error) -> Value {
    let problem = error.problem();
    let mut summary = json!({"code": problem.code, "detail": problem.detail, "hints": problem.hints});
    if let Value::Object(members) = &mut summary {
        members.extend(problem.members);
    }
    summary
}
