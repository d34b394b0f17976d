//! The node's side of the sandbox's imports: what a guest gets when it logs, counts, reads a document or asks a query.

mod outgoing;

use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use steward_model::line::one_line;
use steward_model::operation::{Cause, Fault};
use steward_model::render;
use steward_model::{Action, Link};
use steward_sandbox::{Broken, Imports, Level, Stream};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use outgoing::Outgoing;

use crate::operation::{Content, Error, ImportsOf, Operation, Operations, Purpose};
use crate::outward::Outward;
use crate::query::Queries;
use crate::service::{Line, Service};
use crate::telemetry::metrics as telemetry;

/// What the guest of one document may call during one call.
struct GuestImports {
    operations: Arc<Operations>,
    queries: Arc<Queries>,
    service: Arc<Service>,
    link: Link,
    outgoing: Outgoing,
    /// The id of the request for whose sake the guest runs.
    request: String,
}

/// Returns the maker of what guests may call on this node. The road keeps the maker, so the maker does not keep the road.
pub(crate) fn maker(road: Weak<Operations>, queries: Arc<Queries>, outward: Outward) -> Box<ImportsOf> {
    let outgoing = Outgoing::new(outward);
    Box::new(move |service: &Arc<Service>, operation: &Operation| -> Arc<dyn Imports> {
        match road.upgrade() {
            Some(operations) => Arc::new(GuestImports {
                operations,
                queries: Arc::clone(&queries),
                service: Arc::clone(service),
                link: operation.link.clone(),
                outgoing: outgoing.clone(),
                request: operation.root().to_owned(),
            }),
            None => Arc::new(steward_sandbox::Silent),
        }
    })
}

/// Returns true if lines of this level are written at all.
fn is_wanted(level: Level) -> bool {
    match level {
        Level::Trace => tracing::enabled!(tracing::Level::TRACE),
        Level::Debug => tracing::enabled!(tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(tracing::Level::INFO),
        Level::Warn | Level::Error => tracing::enabled!(tracing::Level::WARN),
    }
}

impl GuestImports {
    /// Does what a guest waits for in a task of its own, which ends with the wait.
    ///
    /// It may call another guest of the same module, which needs a worker. Within the task of the guest that waits, it would go on only
    /// when that one does, which needs a worker itself; and there may be only one.
    async fn apart(&self, work: impl Future<Output = Result<Bytes, Fault>> + Send + 'static) -> Result<Bytes, Fault> {
        let task = self.operations.aside(work.in_current_span());
        AbortOnDropHandle::new(task).await.unwrap_or_else(|_| Err(Error::Broken.problem().into()))
    }
}

impl Imports for GuestImports {
    fn log(&self, level: Level, message: &str, fields: &str) {
        let (service, link, request) = (&self.service.path, &self.link, &self.request);
        if !is_wanted(level) {
            return;
        }
        let (now, max) = (self.operations.clock().now(), self.operations.limits().guest_lines_max);
        match self.service.stats.lines.take(now, max) {
            Line::Drop => return telemetry::guest_line_dropped(service),
            Line::Write { missing: 0 } => {}
            Line::Write { missing } => tracing::warn!(%service, missing, max, "log lines of guests were dropped"),
        }
        let fields = (!fields.is_empty()).then_some(fields);
        // In one line: what a guest says must not pass for lines of the host's. Made only if the line is wanted.
        let message = || one_line(message);
        match level {
            Level::Trace => tracing::trace!(%service, %link, request, fields, "guest: {}", message()),
            Level::Debug => tracing::debug!(%service, %link, request, fields, "guest: {}", message()),
            Level::Info => tracing::info!(%service, %link, request, fields, "guest: {}", message()),
            Level::Warn => tracing::warn!(%service, %link, request, fields, "guest: {}", message()),
            // An ERROR line is a fault of the host; what broke in a guest is for those who wrote it.
            Level::Error => tracing::warn!(%service, %link, request, level = "error", fields, "guest: {}", message()),
        }
    }

    fn stat(&self, name: &str, value: f64) {
        let at = self.operations.clock().wall_time();
        self.service.stats.documents.add(&self.link, name, value, at);
    }

    fn read<'a>(&'a self, link: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        Box::pin(async move {
            let (path, query) = link.split_once('?').unwrap_or((link, ""));
            let link = Link::parse(path).map_err(|error| Fault::from(Error::from(error).problem()))?;
            let id = format!("read-{}", self.link.name());
            let mut read = self.operations.own(id, Action::Get, link, Cause::Effect, Purpose::Act);
            read.root = Some(self.request.clone());
            query.clone_into(&mut read.query);
            let operations = Arc::clone(&self.operations);
            self.apart(async move {
                let reply = operations.submit(Box::new(read)).await.map_err(|error| Fault::from(error.problem()))?;
                let owner = reply.answered_by(operations.owner());
                match (&reply.content, &reply.document) {
                    (Content::Json(json), _) => Ok(json.clone()),
                    (Content::State, Some(document)) => Ok(render::render(document, owner)),
                    (Content::State | Content::Empty, _) => Ok(Bytes::from_static(b"{}")),
                }
            })
            .await
        })
    }

    fn query<'a>(&'a self, spec: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        let (queries, spec) = (Arc::clone(&self.queries), spec.to_owned());
        Box::pin(self.apart(async move {
            queries.task(spec.as_bytes(), None).await.map_err(|refusal| refusal.problem().into())
        }))
    }

    fn send(&self, request: http::Request<Stream>) -> BoxFuture<'static, Result<http::Response<Stream>, Broken>> {
        let granted = &self.service.descriptor().capabilities.outbound;
        let (checked, outgoing) = (outgoing::checked(granted, &self.request, request), self.outgoing.clone());
        Box::pin(async move { outgoing.send(checked?).await })
    }
}
