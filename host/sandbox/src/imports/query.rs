//! `query`: runs a direct query over documents, and waits for its result.

use std::sync::Arc;

use wasmtime::StoreContextMut;

use super::answer::{Answer, answer};
use crate::instance::state::State;

pub(super) fn query(store: StoreContextMut<'_, State>, (spec,): (String,)) -> Answer<'_> {
    let host = Arc::clone(store.data().host());
    Box::new(async move { Ok(answer(host.query(&spec).await)) })
}
