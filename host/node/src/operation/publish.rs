//! Last stage: what others may want to know about an operation that ended.

use std::sync::Arc;

use steward_model::operation::Cause;
use steward_model::service::ServiceOption;
use steward_model::{Action, Moment};

use super::{Error, Operations, Reply};
use crate::service::Service;
use crate::telemetry::metrics as telemetry;

/// Counts the operation.
pub(super) fn publish(
    operations: &Operations,
    service: &Arc<Service>,
    action: Action,
    cause: Cause,
    began: Moment,
    reply: &Result<Reply, Error>,
) {
    let failed = reply.is_err();
    let took = operations.clock().now().since(began);
    let kept = service.has(ServiceOption::Instrumentation).then_some(took);
    service.stats.operation(action, kept, failed, operations.clock().wall_time());
    telemetry::operation(&service.path, action, cause, took, failed);
}
