//! How stages are observed: each has a span below that of its operation, and its failures are counted. Both carry the
//! name of its file.

use std::future::Future;
use std::pin::Pin;

use tracing::field::{Empty, display};
use tracing::{Instrument, Level, Span};

use super::{Error, Operation};
use crate::partition::Partition;
use crate::telemetry::metrics as telemetry;

/// Runs a stage, by the name of its file: `stage!(load, await load::load(road))`, or without `await` if it waits for nothing.
macro_rules! stage {
    ($name:ident, await $stage:expr) => {{
        let stage = std::pin::pin!($stage);
        $crate::operation::stage::waited(stringify!($name), tracing::debug_span!(stringify!($name)), stage).await
    }};
    ($name:ident, $stage:expr) => {
        $crate::operation::stage::done(stringify!($name), tracing::debug_span!(stringify!($name)).in_scope(|| $stage))
    };
}
pub(super) use stage;

/// Returns the span of an operation, whose children are its stages. It says nothing of the node: each has a log of its own.
pub(super) fn span(operation: &Operation) -> Span {
    tracing::debug_span!(
        "operation",
        id = %operation.id,
        request = operation.root(),
        action = operation.action.as_str(),
        link = %operation.link,
        cause = operation.cause.as_str(),
        partition = Empty,
        epoch = Empty,
    )
}

/// Says in the span of the operation which partition holds its document. An operation that begins anew says it anew; the last word
/// counts.
pub(super) fn located(partition: &Partition) {
    // Most nodes log no spans: for them it ends with a look at a level.
    if tracing::enabled!(Level::DEBUG) {
        Span::current().record("partition", display(partition.id()));
    }
}

/// Says in the span of the operation in which epoch this node serves the partition, if it does.
pub(super) fn served(partition: &Partition) {
    if tracing::enabled!(Level::DEBUG)
        && let Ok(epoch) = partition.admits()
    {
        Span::current().record("epoch", display(epoch));
    }
}

/// Counts a stage that failed, and returns what it returned.
pub(super) fn done<T>(name: &'static str, ended: Result<T, Error>) -> Result<T, Error> {
    if ended.is_err() {
        telemetry::stage_failed(name);
    }
    ended
}

/// As [`done`], of a stage that waits for something. It stays where it was made: whoever takes a future by value has room for it
/// twice, and each storey above that would double it again.
pub(super) async fn waited<T>(
    name: &'static str,
    span: Span,
    stage: Pin<&mut impl Future<Output = Result<T, Error>>>,
) -> Result<T, Error> {
    done(name, stage.instrument(span).await)
}
