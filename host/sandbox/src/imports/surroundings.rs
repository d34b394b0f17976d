//! What the runner of Python finds around it: it says for which request, and gets random bytes of that instead of the system's.

use wasmtime::StoreContextMut;

use crate::instance::state::State;

/// Most random bytes of one call; whoever needs more asks again.
const RANDOM_BYTES_MAX: usize = 64 << 10;

pub(super) fn set(mut store: StoreContextMut<'_, State>, (now_micros, seed): (i64, u64)) -> wasmtime::Result<()> {
    store.data_mut().surroundings().set(now_micros, seed);
    Ok(())
}

pub(super) fn random_bytes(mut store: StoreContextMut<'_, State>, (count,): (u64,)) -> wasmtime::Result<(Vec<u8>,)> {
    let Some(count) = usize::try_from(count).ok().filter(|count| *count <= RANDOM_BYTES_MAX) else {
        wasmtime::bail!("{count} random bytes are too many at once, {RANDOM_BYTES_MAX} are allowed");
    };
    let mut bytes = vec![0; count];
    store.data_mut().surroundings().fill(&mut bytes);
    Ok((bytes,))
}

pub(super) fn random_number(mut store: StoreContextMut<'_, State>, (): ()) -> wasmtime::Result<(u64,)> {
    let mut bytes = [0; 8];
    store.data_mut().surroundings().fill(&mut bytes);
    Ok((u64::from_le_bytes(bytes),))
}
