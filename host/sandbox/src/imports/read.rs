//! `read`: returns the committed state of another document, and waits for it.

use std::sync::Arc;

use wasmtime::StoreContextMut;

use super::answer::{Answer, answer};
use crate::instance::state::State;

pub(super) fn read(store: StoreContextMut<'_, State>, (link,): (String,)) -> Answer<'_> {
    let host = Arc::clone(store.data().host());
    Box::new(async move { Ok(answer(host.read(&link).await)) })
}
