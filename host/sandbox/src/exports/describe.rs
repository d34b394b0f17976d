//! `describe`: the first call into a module that the host does not know yet.

use std::sync::Arc;

use crate::error::{CallError, PrepareError};
use crate::imports::{Imports, Silent};
use crate::instance::Instance;
use crate::instance::pool::Pool;

/// Checks the types of all exports and returns what the module says about itself.
///
/// Blocks the calling thread, which must not be one of an asynchronous runtime.
pub(crate) fn describe(pool: &Pool) -> Result<String, PrepareError> {
    let mut checked = Ok(());
    let pick = |instance: &mut Instance| {
        let (_, instance, mut store, exports) = instance.parts();
        checked = exports.check(&mut store, instance);
        exports.describe(&mut store, instance).map_err(|error| CallError::Trap {
            message: format!("{error:#}"),
            said: String::new(),
            backtrace: String::new(),
        })
    };
    let described = by_itself(async {
        let host: Arc<dyn Imports> = Arc::new(Silent);
        pool.call(&host, pick, ()).await
    });
    checked?;
    described.map(|(text,)| text).map_err(PrepareError::Describe)
}

/// Runs a call on a runtime of its own. Blocks the calling thread, which must not be one of an asynchronous runtime.
///
/// # Errors
/// Those of the call, or [`CallError::Overloaded`] if there is no runtime.
pub(crate) fn by_itself<T>(call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CallError::Overloaded { reason: error.to_string() })?;
    runtime.block_on(call)
}
