//! Makes the mounted services what the system group says they are.

use std::sync::Arc;

use steward_model::service::Descriptor;
use steward_protocol::cluster::ClusterState;
use steward_protocol::cluster::registry::{Factory, Mounted};
use tokio::sync::watch;

use super::{Modules, ModulesError, Service, ServiceTable};
use crate::failure;
use crate::shutdown::Shutdown;

/// Why a factory is not served here.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    Module(#[from] ModulesError),
    #[error("{0}")]
    Options(#[from] steward_model::service::OptionsError),
    #[error("state schema cannot be used: {0}")]
    Schema(String),
}

/// Mounts what the system group says now, and follows its changes until the host stops.
pub async fn follow(
    mut cluster: watch::Receiver<Arc<ClusterState>>,
    modules: Arc<Modules>,
    services: Arc<ServiceTable>,
    shutdown: &Shutdown,
) {
    let state = cluster.borrow_and_update().clone();
    mount(&state, &modules, &services).await;
    let stop = shutdown.clone();
    shutdown.spawn("services", async move {
        loop {
            tokio::select! {
                () = stop.stopping() => return,
                changed = cluster.changed() => if changed.is_err() { return },
            }
            let state = cluster.borrow_and_update().clone();
            mount(&state, &modules, &services).await;
        }
    });
}

async fn mount(state: &Arc<ClusterState>, modules: &Arc<Modules>, services: &Arc<ServiceTable>) {
    let (now, modules, table) = (Arc::clone(state), Arc::clone(modules), Arc::clone(services));
    // Loading a module reads a file and may compile: too long for a thread that others wait for.
    let work = move || {
        let (mut mounted, state) = (Vec::new(), now);
        for factory in state.registry().factories() {
            let Some(what) = &factory.mounted else { continue };
            let known = table.at(&factory.path).filter(|service| service.revision == factory.revision);
            match known.map_or_else(|| service(&state, factory, what, &modules, &table).map(Arc::new), Ok) {
                Ok(service) => mounted.push(service),
                Err(error) => {
                    let (path, digest) = (&factory.path, what.module.short());
                    tracing::error!(%path, digest, %error, "factory cannot be served on this node");
                }
            }
        }
        modules.forget_except(&|digest| state.module(&digest).is_some());
        mounted
    };
    match tokio::task::spawn_blocking(|| failure::contain(work)).await {
        Ok(mounted) => {
            services.replace(mounted, |path| state.factory(path).map_or(0, |factory| factory.revision)).await
        }
        Err(failure) => tracing::error!(%failure, "services could not be mounted"),
    }
}

fn service(
    state: &ClusterState,
    factory: &Factory,
    mounted: &Mounted,
    modules: &Modules,
    table: &ServiceTable,
) -> Result<Service, Error> {
    let module = modules.load(mounted.module)?;
    let descriptor = mounted.overrides.apply(module.descriptor())?;
    let schema = schema_of(&descriptor.state_schema)?;
    let stats = table.stats_of(&factory.path);
    let same_states = |former: &Descriptor| former.state_version == descriptor.state_version;
    let has_former_states = !all_revisions(state, factory, &same_states);
    let lists_nothing = descriptor.index.is_none() && all_revisions(state, factory, &|former| former.index.is_none());
    let indexed_by_default = lists_nothing && !has_former_states;
    let (path, revision, door) = (factory.path.clone(), factory.revision, table.doors().of(&factory.path));
    Ok(Service { path, revision, module, descriptor, schema, indexed_by_default, has_former_states, door, stats })
}

/// Returns true if the property is known of every module that has ever answered at the factory.
fn all_revisions(state: &ClusterState, factory: &Factory, property: &dyn Fn(&Descriptor) -> bool) -> bool {
    let remembers_all = factory.history.first().is_none_or(|revision| revision.number == 1);
    remembers_all
        && factory.history.iter().filter_map(|revision| revision.module).all(|digest| {
            let descriptor = state.module(&digest).and_then(|module| module.descriptor().ok());
            descriptor.is_some_and(|descriptor| property(&descriptor))
        })
}

/// Returns the compiled schema; none if it allows every object.
fn schema_of(schema: &serde_json::Value) -> Result<Option<jsonschema::Validator>, Error> {
    if *schema == serde_json::json!({ "type": "object" }) {
        return Ok(None);
    }
    jsonschema::validator_for(schema).map(Some).map_err(|error| Error::Schema(error.to_string()))
}
