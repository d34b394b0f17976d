//! Assembly: each part of a node is built once, after the parts that it needs.
//!
//! ```text
//! listener ─► folder ─► stores, log ─► system group ─► partitions ─► services ─► road ─► duties, HTTP ─► ready
//! ```

mod announce;
mod folder;
mod foundation;
mod peers;
mod recover;
mod stop;
mod wait;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use rustix::fs::Mode;
use steward_model::node::NodeStatus;
use steward_protocol::cluster::ClusterState;
use steward_replication::applier::IndexSource;
use steward_sandbox::Sandbox;
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::cluster::System;
use crate::config::{LogFormat, Options, Stranger, strangers, variable_names};
use crate::deployment::{self, Deployments};
use crate::descriptors::Descriptors;
use crate::http::{Bounds, Http, Names, Parts, Waiting};
use crate::operation::{self, Arrivals, Limits, Operations};
use crate::outbox::Outbox;
use crate::outward::Outward;
use crate::partition::{self, Exchange, RebuildParts, Rebuilds, Threads};
use crate::peer::Topic;
use crate::query::{OtherNodes, Queries, Shares};
use crate::service::{
    self, GroupModules, ModuleAnswers, ModuleFolder, ModuleStore, Modules, ServiceIndex, ServiceTable,
};
use crate::shutdown::Shutdown;
use crate::{failure, imports, maintenance, telemetry};
use folder::Folder;
use foundation::{Foundation, Start};
use stop::Running;
use wait::Wait;

/// How long an operation waits when its client does not say.
const WAIT: Duration = Duration::from_secs(60);

/// Pause before a node that the group took for gone reports itself again, where the group refused that.
const RETURN_PAUSE: Duration = Duration::from_secs(1);

/// Runs a node until it is told to stop.
///
/// # Errors
/// What kept it from starting, or from stopping in order.
pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let format = match options.log_format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    telemetry::init(&options.log_level, format)?;
    for Stranger { name, meant } in strangers(variable_names()) {
        tracing::warn!(variable = name, meant, "variable says nothing to steward");
    }
    failure::end_process_on_panic();
    // Documents are in what a node writes, also where the folder above was made by somebody who lets others in.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let clock = Arc::new(Clock::checked(options.virtual_clock)?);
    let descriptors = Descriptors::claim()?;
    let Descriptors { limit, clients, .. } = descriptors;
    tracing::info!(limit, clients, reserve = descriptors.reserve(), "file descriptors shared out");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    let ended = runtime.block_on(serve(options, clock, descriptors));
    // Whoever is stuck in a call of the system would hold up an end that waits for everybody.
    runtime.shutdown_background();
    ended
}

/// Keeps the memory of the metrics bounded until the node stops.
fn keep_metrics(metrics: &PrometheusHandle, shutdown: &Shutdown) {
    let (metrics, stop) = (metrics.clone(), shutdown.clone());
    shutdown.spawn("metrics", async move {
        tokio::select! {
            () = stop.stopping() => {}
            () = telemetry::metrics::keep(metrics) => {}
        }
    });
}

/// The guests of a node.
struct Guests {
    sandbox: Sandbox,
    modules: Arc<Modules>,
    services: Arc<ServiceTable>,
}

/// Starts what guests run in, and follows what is deployed.
async fn start_guests(folder: &Folder, system: &System, options: &Options, stop: &Shutdown) -> anyhow::Result<Guests> {
    let sandbox = Sandbox::new(folder.sandbox_config(options)?).context("start the sandbox")?;
    let own = ModuleFolder::open(&folder.path().join("modules")).context("open the folder of guest modules")?;
    let own = Arc::new(own);
    let store: Arc<dyn ModuleStore> = match system.links() {
        Some(links) => Arc::new(GroupModules::new(Arc::clone(&own), links.clone())),
        None => Arc::clone(&own) as Arc<dyn ModuleStore>,
    };
    let modules = Arc::new(Modules::new(store, sandbox.clone()));
    let services = Arc::new(ServiceTable::default());
    if let Some(links) = system.links() {
        links.offer(Topic::Modules, ModuleAnswers::new(own, Arc::clone(&modules), Arc::clone(&services)));
    }
    service::follow(system.control.watch(), Arc::clone(&modules), Arc::clone(&services), stop).await;
    Ok(Guests { sandbox, modules, services })
}

/// Reports that this node is available whenever the group has taken it for gone: not before its copies count again.
fn keep_available(foundation: &Foundation, clock: &Arc<Clock>, stop: &Shutdown) {
    let (system, partitions) = (foundation.system.clone(), Arc::clone(&foundation.partitions));
    let (clock, stopped) = (Arc::clone(clock), stop.clone());
    stop.spawn("return", async move {
        let (own, mut cluster) = (system.member(), system.control.watch());
        let is_back = |state: &Arc<ClusterState>| {
            let node = state.node(own.node).filter(|node| node.member() == own);
            node.is_some_and(|node| node.status == NodeStatus::Synchronizing)
        };
        let returns = async {
            // The sender lives as long as the node.
            while cluster.wait_for(is_back).await.is_ok() {
                partition::all_here(&partitions, &system.control, own).await;
                match system.report(&clock).await {
                    Ok(()) => tracing::info!("available again: the copies on this node count"),
                    // Fenced anew, or not wanted any more: the next row says which.
                    Err(error) => {
                        tracing::debug!(%error, "not available again yet");
                        tokio::time::sleep(RETURN_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = returns => {}
            () = stopped.draining() => {}
        }
    });
}

/// Starts the threads of the copies on this node; returns when they serve what this node is to serve, and the group knows that.
async fn start_partitions(
    foundation: &Foundation,
    clock: &Arc<Clock>,
    services: &Arc<ServiceTable>,
    stop: &Shutdown,
) -> anyhow::Result<Threads> {
    let Foundation { folder, persisted, system, partitions, hands } = foundation;
    let index = Arc::new(ServiceIndex::new(Arc::clone(services)));
    let own = system.member();
    let exchange = system.links().map(|links| Exchange::start(links, own, hands));
    let rebuilt_index = Arc::clone(&index) as IndexSource;
    let threads =
        Threads::start(partitions, hands, clock, index, Arc::clone(persisted), exchange).context("start the driver")?;
    let rebuilds = system.links().map(|links| {
        Rebuilds::start(RebuildParts {
            partitions: Arc::clone(partitions),
            links: links.clone(),
            own,
            clock: Arc::clone(clock),
            index: rebuilt_index,
            store: Arc::clone(persisted),
            shutdown: stop.clone(),
        })
    });
    partition::carry_wishes(partitions, hands, &system.control, clock, rebuilds, stop);
    partition::follow(&system.control, partitions, clock, stop);
    partition::watch_space(partitions.shared(), folder.path(), stop);
    partition::all_here(partitions, &system.control, own).await;
    system.report(clock).await.context("tell the system group that this node is available")?;
    if system.links().is_some() {
        keep_available(foundation, clock, stop);
        partition::balance(partitions, &system.control, clock, own, stop);
    }
    Ok(threads)
}

/// Starts the road of operations, and those who start operations by themselves: effects, and the duties of an owner.
fn start_operations(
    foundation: &Foundation,
    clock: &Arc<Clock>,
    (services, modules): (Arc<ServiceTable>, &Arc<Modules>),
    options: &Options,
    port: u16,
    stop: &Shutdown,
) -> (Arc<Operations>, Arc<Queries>) {
    let owner = foundation.folder.host_id().to_string();
    let links = foundation.system.links();
    let cluster = foundation.system.control.watch();
    let others = links.map(|links| OtherNodes { links: links.clone(), cluster: cluster.clone() });
    let partitions = Arc::clone(&foundation.partitions);
    let queries = Queries::new(Arc::clone(clock), partitions, Arc::clone(&services), owner.clone(), others);
    let queries = Arc::new(queries);
    let outward = Outward::new(port, cluster.clone());
    let agreed = cluster.clone();
    let schedule = maintenance::Schedule::new(Arc::clone(clock));
    let limits = Limits {
        wait: WAIT,
        document_bytes_max: options.max_request_bytes,
        guest_lines_max: options.guest_log_lines,
        records_requests: options.record_requests,
    };
    // Guests call operations, and operations guests: whichever is made first knows the other weakly.
    let operations = Arc::new_cyclic(|road| {
        Operations::new(operation::Parts {
            clock: Arc::clone(clock),
            partitions: Arc::clone(&foundation.partitions),
            services,
            limits,
            shutdown: stop.clone(),
            owner,
            cluster,
            links: links.cloned(),
            imports: imports::maker(road.clone(), Arc::clone(&queries), outward.clone()),
            watcher: schedule.watcher(),
        })
    });
    if let Some(links) = links {
        links.offer(Topic::Operations, Arrivals::new(&operations, modules));
        links.offer(Topic::Queries, Shares::new(&queries));
    }
    let hands = Arc::clone(&foundation.hands);
    Outbox::start(Arc::clone(&operations), Arc::clone(&queries), hands, agreed, outward, stop);
    maintenance::start(&operations, &schedule, stop);
    (operations, queries)
}

fn bounds_of_modules(options: &Options) -> deployment::Bounds {
    deployment::Bounds {
        outbound_allowed: options.outbound_allow.clone(),
        schema_steps_max: options.schema_steps,
        deadline: options.modules.deadline,
    }
}

async fn serve(options: Options, clock: Arc<Clock>, descriptors: Descriptors) -> anyhow::Result<ExitCode> {
    let began = clock.now();
    let metrics = telemetry::metrics::install().context("set up metrics")?;
    // Bound before anything is read, so that a port in use is said in milliseconds.
    let address = SocketAddr::new(options.bind_address, options.port);
    let listener = TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))?;
    let address = listener.local_addr().context("read the bound address")?;
    let public_uri = options.public_uri_at(address.port());
    let shutdown = Shutdown::default();
    keep_metrics(&metrics, &shutdown);

    let waiting = Waiting::default();
    let peers = peers::listen(&options, &public_uri, address.port(), &waiting).await?;
    let mut wait = Wait::new(&listener, &shutdown, waiting.clone(), peers.is_some())?;
    let start = Start { public_uri: &public_uri, clock: &clock, shutdown: &shutdown, peers };
    let foundation = wait.through(Foundation::open(&options, start)).await?;
    waiting.says("the group has let this node in, and does not know yet that it is up to date".to_owned());
    let guests = start_guests(&foundation.folder, &foundation.system, &options, &shutdown);
    let Guests { sandbox, modules, services } = wait.through(guests).await?;
    let threads = wait.through(start_partitions(&foundation, &clock, &services, &shutdown)).await?;
    let signals = wait.over()?;
    let (operations, queries) =
        start_operations(&foundation, &clock, (services, &modules), &options, address.port(), &shutdown);
    let Foundation { folder, system, partitions, .. } = foundation;
    let control = Arc::clone(&system.control);
    let deployments = Deployments::new(
        Arc::clone(&operations),
        Arc::clone(&control),
        Arc::clone(&modules),
        bounds_of_modules(&options),
        shutdown.clone(),
    );
    let http = Http::new(Parts {
        operations,
        deployments,
        queries,
        modules,
        control: Arc::clone(&control),
        view: system.view.clone(),
        metrics,
        shutdown: shutdown.clone(),
        data: folder.path().to_owned(),
        node: system.node,
        names: Names {
            address,
            public_uri: public_uri.clone(),
            host_names: options.host_names.clone(),
            cors_origins: options.cors_origin.clone(),
        },
        bounds: Bounds {
            request_bytes_max: options.max_request_bytes,
            body_bytes_max: options.body_bytes,
            answer_bytes_max: options.answer_bytes,
            requests_max: options.requests,
            module_bytes_max: options.modules.bytes_max,
            idle_span: options.idle_timeout,
        },
        descriptors,
    });
    let serving = shutdown.spawn("http", http.serve(listener));
    announce::ready(&options, folder.host_id(), &public_uri, folder.path(), clock.now().since(began))?;

    stop::wait(signals, &shutdown).await;
    let own = system.member();
    let _peers = system.thread;
    let running = Running { shutdown, clock, control, partitions, own, threads, sandbox, _folder: folder };
    running.stop(serving, options.shutdown_grace).await
}
