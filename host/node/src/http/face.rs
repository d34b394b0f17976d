//! What all requests to a node share: the parts of the node that answer them, how many are under way, the headers of
//! every answer.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use metrics_exporter_prometheus::PrometheusHandle;
use steward_model::NodeId;
use tower_http::cors::CorsLayer;

use super::connection::Connections;
use super::cors;
use super::error::Error;
use super::held::Bodies;
use super::request_id::RequestIds;
use super::strangers::Strangers;
use crate::cluster::{ControlLog, View};
use crate::deployment::Deployments;
use crate::descriptors::Descriptors;
use crate::operation::Operations;
use crate::query::Queries;
use crate::service::{Modules, Service};
use crate::shutdown::Shutdown;

/// Everything that the HTTP face of a node needs.
pub(crate) struct Parts {
    /// The road of operations.
    pub operations: Arc<Operations>,
    /// What changes the deployments.
    pub deployments: Arc<Deployments>,
    /// The guest modules on this node.
    pub modules: Arc<Modules>,
    pub control: Arc<dyn ControlLog>,
    /// How the system group stands.
    pub view: View,
    /// Queries over the documents.
    pub queries: Arc<Queries>,
    /// Prints the metrics of the process.
    pub metrics: PrometheusHandle,
    /// Tells when to stop, and is told to by `DELETE /core/management`.
    pub shutdown: Shutdown,
    /// The data folder.
    pub data: PathBuf,
    /// The number of this node.
    pub node: NodeId,
    /// By which names clients may call it.
    pub names: Names,
    /// How much clients may ask of it.
    pub bounds: Bounds,
    /// How file descriptors are shared out.
    pub descriptors: Descriptors,
}

/// Where a node is called, by which names, and by whose pages.
pub(crate) struct Names {
    /// Where it listens.
    pub address: SocketAddr,
    /// How others reach it, without a slash at the end.
    pub public_uri: String,
    /// Further names by which clients may call this node; `*` stands for all.
    pub host_names: Vec<String>,
    /// Web origins whose pages may call; empty: none. `*` stands for all.
    pub cors_origins: Vec<String>,
}

/// Bounds on what clients send, on what they leave, and on how long they are silent.
pub(crate) struct Bounds {
    /// Largest body of a request, after decompression; guest modules have a bound of their own.
    pub request_bytes_max: usize,
    /// Most bytes that bodies of requests hold together.
    pub body_bytes_max: usize,
    /// Most bytes of answers that clients have not taken yet.
    pub answer_bytes_max: usize,
    /// Most requests to services under way at once; health and metrics are answered beyond it.
    pub requests_max: usize,
    /// Largest guest module.
    pub module_bytes_max: usize,
    /// Longest time for which a connection may say or take nothing.
    pub idle_span: Duration,
}

/// The HTTP face of a node, see [`crate::http`].
pub(crate) struct Http {
    pub(super) parts: Parts,
    /// The name of this node as a header.
    pub(super) owner: HeaderValue,
    pub(super) request_ids: RequestIds,
    requests: AtomicUsize,
    pub(super) cors: Option<CorsLayer>,
    pub(super) strangers: Strangers,
    pub(super) connections: Arc<Connections>,
    pub(super) bodies: Arc<Bodies>,
    /// What answers hold that their clients have not taken yet.
    pub(super) answers: Arc<Bodies>,
    /// True once every partition has served: recovery is done, whatever happens later.
    pub(super) recovered: AtomicBool,
}

/// A request under way; counted until it is dropped.
pub(super) struct UnderWay(Arc<Http>);

impl UnderWay {
    /// Returns what tells tasks of the request to stop.
    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.0.parts.shutdown
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Http {
    /// Returns the face of a node made of these parts.
    pub(crate) fn new(parts: Parts) -> Arc<Http> {
        // A host id has no character that a header cannot have.
        let owner = HeaderValue::from_str(parts.operations.owner());
        let Names { public_uri, host_names, cors_origins, .. } = &parts.names;
        Arc::new(Http {
            owner: owner.unwrap_or_else(|_| HeaderValue::from_static("")),
            request_ids: RequestIds::new(uuid::Uuid::new_v4()),
            requests: AtomicUsize::new(0),
            cors: cors::rules(cors_origins),
            strangers: Strangers::new(public_uri, host_names, cors_origins),
            connections: Connections::new(Arc::clone(parts.operations.clock()), &parts.descriptors),
            bodies: Arc::new(Bodies::of_requests(parts.bounds.body_bytes_max)),
            answers: Arc::new(Bodies::of_answers(parts.bounds.answer_bytes_max)),
            recovered: AtomicBool::new(false),
            parts,
        })
    }

    pub(super) fn operations(&self) -> &Arc<Operations> {
        &self.parts.operations
    }

    /// Returns a place among the requests under way.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if there is none.
    pub(super) fn under_way(self: &Arc<Self>) -> Result<UnderWay, Error> {
        let (place, max) = (UnderWay(Arc::clone(self)), self.parts.bounds.requests_max);
        if self.requests.fetch_add(1, Ordering::Relaxed) < max {
            return Ok(place);
        }
        Err(Error::Overloaded { max })
    }

    /// Returns how many requests to services are under way.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns why a service cannot answer for all its documents now, if it cannot: those of other nodes are asked there.
    pub(super) fn problem_of(&self, service: &Service) -> Option<String> {
        if service.is_stateless() {
            return None;
        }
        let partitions = self.operations().partitions().lane(service.lane());
        let own = partitions.iter().find_map(|partition| partition.problem());
        own.or_else(|| self.parts.view.standing().stranding(&self.parts.control.state()))
    }

    /// Returns the name of this node, `documentOwner` in what it answers.
    pub(super) fn owner_name(&self) -> &str {
        self.parts.operations.owner()
    }
}
