//! `migrate`: turns a state of another shape into one of the module's own shape.

use std::sync::Arc;

use bytes::Bytes;
use steward_model::service::Handler;

use super::resolve;
use crate::convert::{self, Ceilings};
use crate::error::{CallError, Part};
use crate::imports::Imports;
use crate::instance::Instance;
use crate::instance::pool::Pool;

/// Calls `migrate` and checks the state that it returns.
pub(crate) async fn migrate(
    pool: &Pool,
    document: &[u8],
    from_version: u32,
    ceilings: Ceilings,
    host: &Arc<dyn Imports>,
) -> Result<Bytes, CallError> {
    let document = convert::text(document, Part::Document)?;
    let pick = |instance: &mut Instance| {
        let (known, instance, store, exports) = instance.parts();
        resolve(&mut known.migrate, Handler::Migrate, exports, instance, store)
    };
    let (migrated,) = pool.call(host, pick, (document, from_version)).await?;
    convert::state(migrated.map_err(convert::refusal)?, ceilings.document_bytes)
}
