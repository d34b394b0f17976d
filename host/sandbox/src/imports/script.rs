//! `sources`: hands the texts of a script to the runner.

use wasmtime::StoreContextMut;

use crate::instance::state::State;
use crate::script::Sources;

pub(super) fn sources(store: StoreContextMut<'_, State>, (): ()) -> wasmtime::Result<(Sources,)> {
    Ok((store.data().sources(),))
}
