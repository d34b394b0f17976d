//! `describe`: the first call into every module.

use std::sync::Arc;

use super::DescribeFunction;
use crate::error::{CallError, PrepareError};
use crate::imports::{Imports, Silent};
use crate::instance::Instance;
use crate::instance::pool::Pool;

/// Checks the types of all exports and returns what the module says about itself.
///
/// Blocks the calling thread. A module that waits is called on a thread of its own, because this one may belong to a
/// runtime that must not be entered twice.
pub(crate) fn describe(pool: &Pool) -> Result<String, PrepareError> {
    let host: Arc<dyn Imports> = Arc::new(Silent);
    let mut checked = Ok(());
    let pick = |instance: &mut Instance| {
        let (_, instance, mut store, exports) = instance.parts();
        checked = exports.check(&mut store, instance);
        let function = instance.get_typed_func(&mut store, exports.describe);
        function.map_err(|error| CallError::Trap { message: format!("{error:#}"), backtrace: String::new() })
    };
    let described =
        if pool.waits() { on_thread_of_its_own(pool, &host, pick) } else { pool.on_thread(&host, pick, ()) };
    checked?;
    described.map(|(text,)| text).map_err(PrepareError::Describe)
}

fn on_thread_of_its_own(
    pool: &Pool,
    host: &Arc<dyn Imports>,
    pick: impl FnOnce(&mut Instance) -> Result<DescribeFunction, CallError> + Send,
) -> Result<(String,), CallError> {
    let refused = |error: std::io::Error| CallError::Overloaded { reason: error.to_string() };
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
        runtime.block_on(pool.on_fibre(host, pick, ()))
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("guest-describe".to_owned()).spawn_scoped(scope, run);
        thread.map_err(refused)?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
