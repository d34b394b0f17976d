//! The stage that counts the operation, for statistics and metrics, and logs how it ended.

use std::sync::Arc;

use steward_model::service::ServiceOption;
use steward_model::{Action, Moment};

use super::{Error, Operation, Operations, Reply};
use crate::service::Service;
use crate::telemetry::metrics as telemetry;

/// Counts the operation, which was asked as `action`, and says how it ended to those who look for its id.
pub(super) fn publish(
    operations: &Operations,
    service: &Arc<Service>,
    action: Action,
    operation: &Operation,
    began: Moment,
    reply: &Result<Reply, Error>,
) {
    let is_ours = match reply {
        Ok(Reply { copy: Some(copied), .. }) => copied.node == operations.owner(),
        Ok(Reply { owner, copy: None, .. }) => owner.is_none(),
        Err(error) => !matches!(error, Error::Remote { .. }),
    };
    let by = if is_ours { By::ThisNode } else { By::Another };
    count(operations, service, action, operation, began, Ending { by, error: reply.as_ref().err() });
}

/// Who has carried an operation out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// This node.
    ThisNode,
    /// Another one, which counts it in the statistics of its service.
    Another,
}

/// How an operation ended.
pub(super) struct Ending<'a> {
    pub by: By,
    /// Why it failed, if it did.
    pub error: Option<&'a Error>,
}

/// Counts what [`publish`] does, by how the operation ended: an HTTP component has no [`Reply`](super::Reply).
pub(super) fn count(
    operations: &Operations,
    service: &Arc<Service>,
    action: Action,
    operation: &Operation,
    began: Moment,
    Ending { by, error }: Ending<'_>,
) {
    let cause = operation.cause;
    let failed = error.is_some();
    let took = operations.clock().now().since(began);
    let kept = service.has(ServiceOption::Instrumentation).then_some(took);
    if by == By::ThisNode {
        service.stats.operation(action, kept, failed, operations.clock().wall_time());
    }
    telemetry::operation(&service.path, action, cause, took, failed);
    if tracing::enabled!(tracing::Level::DEBUG) {
        let (id, request, link, micros) = (&operation.id, operation.root(), &operation.link, took.as_micros() as u64);
        let (action, cause) = (action.as_str(), cause.as_str());
        match error {
            None => tracing::debug!(id, request, %link, action, cause, micros, "operation done"),
            Some(error) => tracing::debug!(id, request, %link, action, cause, micros, %error, "operation not done"),
        }
    }
}
