//! What the host keeps beside the memory of one instance.

use std::sync::Arc;

use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};

use crate::imports::{Imports, Level};
use crate::instance::limits::Limits;

/// The data of a store.
pub(crate) struct State {
    pub(crate) limits: Limits,
    /// What the guest may call; none between calls, so that an idle instance holds nothing of the node.
    host: Option<Arc<dyn Imports>>,
    lines_max: u32,
    lines: u32,
    wasi: Option<Box<Wasi>>,
}

/// What a component needs that was built against WASI 0.2: clocks, randomness, and doors that are shut.
struct Wasi {
    table: ResourceTable,
    context: WasiCtx,
}

impl Wasi {
    fn denying() -> Wasi {
        // The builder starts without preopened folders, environment, arguments and input, throws output away, and
        // denies every address.
        let context = WasiCtx::builder().allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false).build();
        Wasi { table: ResourceTable::new(), context }
    }
}

impl State {
    pub(crate) fn new(limits: Limits, lines_max: u32, wasi: bool) -> State {
        let wasi = wasi.then(|| Box::new(Wasi::denying()));
        State { limits, host: None, lines_max, lines: 0, wasi }
    }

    /// Makes the instance ready for one call on behalf of `host`.
    pub(crate) fn begin(&mut self, host: &Arc<dyn Imports>) {
        self.host = Some(Arc::clone(host));
        self.lines = 0;
        self.limits.begin();
    }

    /// Takes back what the call was lent.
    pub(crate) fn end(&mut self) {
        self.host = None;
    }

    /// Returns what the guest may call.
    ///
    /// # Panics
    /// If no call is going on.
    pub(crate) fn host(&self) -> &Arc<dyn Imports> {
        self.host.as_ref().expect("guest code runs between begin and end only")
    }

    /// Counts one more log line or statistic of this call, and returns true if it may be taken. The first that may
    /// not is told to the log.
    pub(crate) fn take_line(&mut self) -> bool {
        self.lines = self.lines.saturating_add(1);
        if self.lines == self.lines_max.saturating_add(1) {
            self.host().log(Level::Warn, "further log lines and statistics of this call are dropped", "");
        }
        self.lines <= self.lines_max
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi =
            self.wasi.as_mut().expect("only modules that import WASI are linked with it, and their states have it");
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}
