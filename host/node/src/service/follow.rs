//! Mounts the services that the system group says, and follows its changes.
//!
//! If the module of a factory cannot be loaded, the factory is not forgotten. It is [`Absent`], with the reason, and is
//! tried again after pauses that grow. So a file that somebody has repaired is found without a restart.

use std::sync::Arc;
use std::time::Duration;

use steward_model::module::Digest;
use steward_model::service::Descriptor;
use steward_protocol::cluster::ClusterState;
use steward_protocol::cluster::registry::{Factory, Mounted};
use tokio::sync::watch;

use super::{Absent, Fields, Modules, ModulesError, Schema, SchemaError, Service, ServiceTable};
use crate::failure;
use crate::shutdown::Shutdown;

/// Pause before the first new attempt to serve what could not be served; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Why a factory is not served here.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    Module(#[from] ModulesError),
    #[error("the cluster does not know its module {}", .0.short())]
    Unknown(Digest),
    #[error("its descriptor does not hold: {0}")]
    Descriptor(#[from] steward_model::service::DescriptorError),
    #[error("{0}")]
    Options(#[from] steward_model::service::OptionsError),
    #[error("{0}")]
    Schema(#[from] SchemaError),
}

/// Mounts what the system group says now, and follows its changes until the host stops.
pub(crate) async fn follow(
    mut cluster: watch::Receiver<Arc<ClusterState>>,
    modules: Arc<Modules>,
    services: Arc<ServiceTable>,
    shutdown: &Shutdown,
) {
    let state = cluster.borrow_and_update().clone();
    mount(&state, &modules, &services).await;
    tell_missing(&state, &modules);
    let stop = shutdown.clone();
    shutdown.spawn("services", async move {
        let mut pause = PAUSE_MIN;
        loop {
            let is_whole = services.is_whole();
            tokio::select! {
                () = stop.stopping() => return,
                changed = cluster.changed() => match changed {
                    Ok(()) => pause = PAUSE_MIN,
                    Err(_) => return,
                },
                () = tokio::time::sleep(pause), if !is_whole => pause = (pause * 2).min(PAUSE_MAX),
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
        announce(&now, &table);
        let (mut mounted, mut unserved, state) = (Vec::new(), Vec::new(), now);
        for (factory, what) in wanted(&state) {
            let known = table.at(&factory.path).filter(|service| service.revision == factory.revision);
            match known.map_or_else(|| service(&state, factory, what, &modules, &table).map(Arc::new), Ok) {
                Ok(service) => mounted.push(service),
                Err(error) => unserved.push(told(&state, &table, factory, what, &error)),
            }
        }
        modules.forget_except(&|digest| state.module(&digest).is_some());
        (mounted, unserved)
    };
    match tokio::task::spawn_blocking(|| failure::contain(work)).await {
        Ok((mounted, unserved)) => {
            services.replace(mounted, unserved, |path| state.factory(path).map_or(0, |factory| factory.revision)).await
        }
        Err(failure) => tracing::error!(%failure, "services could not be mounted"),
    }
}

fn wanted(state: &ClusterState) -> impl Iterator<Item = (&Factory, &Mounted)> {
    state.registry().factories().filter_map(|factory| factory.mounted.as_ref().map(|mounted| (factory, mounted)))
}

/// Lets requests for factories that are new here wait instead of fail while modules are loaded, which may take seconds.
fn announce(state: &ClusterState, table: &ServiceTable) {
    let is_new = |path| table.at(path).is_none() && table.absent(path).is_none();
    let new: Vec<&Factory> =
        wanted(state).map(|(factory, _)| factory).filter(|factory| is_new(&factory.path)).collect();
    if !new.is_empty() {
        let loading = |factory| Absent { is_loading: true, ..absent(state, factory, LOADING.to_owned()) };
        table.expect(new.into_iter().map(loading).collect());
    }
}

/// Reason of factories that are about to be served.
const LOADING: &str = "its module is being loaded";

fn absent(state: &ClusterState, factory: &Factory, reason: String) -> Absent {
    let module = factory.mounted.as_ref().and_then(|mounted| state.module(&mounted.module));
    let descriptor = module.and_then(|module| module.descriptor().ok());
    let index = descriptor.and_then(|descriptor| descriptor.index);
    Absent { path: factory.path.clone(), reason, is_loading: false, index }
}

fn told(state: &ClusterState, table: &ServiceTable, factory: &Factory, what: &Mounted, error: &Error) -> Absent {
    let absent = absent(state, factory, error.to_string());
    // Once is enough for each reason: attempts go on as long as it lasts.
    if table.absent(&factory.path).is_none_or(|known| known.reason != absent.reason) {
        let (path, digest) = (&factory.path, what.module.short());
        tracing::warn!(%path, digest, %error, "factory cannot be served on this node");
    }
    absent
}

/// Says which modules are gone that nobody has asked for yet: a rollback to one of them would fail.
fn tell_missing(state: &ClusterState, modules: &Modules) {
    match modules.missing(state.registry().modules().map(|module| module.digest)) {
        Ok(missing) => {
            for digest in missing {
                let digest = digest.short();
                tracing::warn!(digest, "an installed guest module is not on this node; upload it again");
            }
        }
        Err(error) => tracing::warn!(%error, "the guest modules on this node cannot be listed"),
    }
}

fn service(
    state: &ClusterState,
    factory: &Factory,
    mounted: &Mounted,
    modules: &Modules,
    table: &ServiceTable,
) -> Result<Service, Error> {
    let registered = state.module(&mounted.module).ok_or(Error::Unknown(mounted.module))?;
    let module = modules.load(mounted.module, registered.descriptor()?)?;
    let descriptor = mounted.overrides.apply(module.descriptor())?;
    let schema = Schema::compile(&descriptor.state_schema)?;
    let stats = table.stats_of(&factory.path);
    let former = revisions(state, factory);
    let all = |property: &dyn Fn(&Descriptor) -> bool| former.as_deref().is_some_and(|all| all.iter().all(property));
    let has_former_states = !all(&|former| former.state_version == descriptor.state_version);
    let lists_nothing = descriptor.index.is_none() && all(&|former| former.index.is_none());
    let indexed_by_default = lists_nothing && !has_former_states;
    let kind_of_all = all(&|former| former.kind() == descriptor.kind()).then(|| descriptor.kind().to_owned());
    let fields = former.as_deref().map_or_else(Fields::default, |former| fields_of_all(&descriptor, former));
    let (path, revision, door) = (factory.path.clone(), factory.revision, table.doors().of(&factory.path));
    Ok(Service {
        path,
        revision,
        module,
        descriptor,
        schema,
        indexed_by_default,
        kind_of_all,
        fields,
        has_former_states,
        door,
        stats,
    })
}

/// Returns what the schemas of a module and of all before it at the same factory say of its fields.
fn fields_of_all(descriptor: &Descriptor, former: &[Descriptor]) -> Fields {
    let mut fields = Fields::of(&descriptor.state_schema);
    former.iter().for_each(|former| fields.keep(&Fields::of(&former.state_schema)));
    fields
}

/// Returns the descriptors of all modules that have ever answered at the factory; none if one of them is not known any more.
pub(crate) fn revisions(state: &ClusterState, factory: &Factory) -> Option<Vec<Descriptor>> {
    let digests = factory.history.iter().filter_map(|revision| revision.module);
    let descriptor = |digest| state.module(&digest).and_then(|module| module.descriptor().ok());
    factory.remembers_all().then(|| digests.map(descriptor).collect()).flatten()
}
