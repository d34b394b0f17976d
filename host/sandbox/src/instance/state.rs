//! What the host keeps for one instance beside its memory: limits, the capabilities of the current call, outputs.

use std::sync::Arc;

use steward_model::line::one_line;
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::exchange::Hooks;
use crate::imports::{Imports, LINE_BYTES_MAX, Level, head};
use crate::instance::limits::Limits;
use crate::instance::output::Output;
use crate::script::{Sources, Surroundings};
use crate::ticker::{Clock, Ticking};

/// Most bytes of what a guest said before it broke that are told; the last ones.
const WORDS_BYTES_MAX: usize = 1 << 10;

/// The data of a store.
pub(crate) struct State {
    pub(crate) limits: Limits,
    /// What the guest may call; none between calls, so that an idle instance holds nothing of the node.
    host: Option<Arc<dyn Imports>>,
    clock: Clock,
    /// That of the current call; while there is one, its deadline comes nearer.
    ticking: Option<Ticking>,
    lines_max: u32,
    lines: u32,
    /// The last error that the guest told the log in this call.
    last_error: Option<String>,
    wasi: Option<Box<Wasi>>,
    /// The texts of a script; none for other guests.
    sources: Option<Sources>,
}

/// Whose clocks and randomness an instance finds in WASI 0.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// It has no WASI.
    Nothing,
    /// Those of the system.
    System,
    /// Those of the request that it serves.
    Request,
}

/// What a component needs that was built against WASI 0.2: clocks, randomness, and doors that are shut.
struct Wasi {
    table: ResourceTable,
    context: WasiCtx,
    /// Of scripts; other guests have clocks and randomness of the system.
    surroundings: Option<Surroundings>,
    out: Output,
    err: Output,
    /// Of HTTP components.
    http: WasiHttpCtx,
    hooks: Hooks,
}

impl Wasi {
    fn denying(surroundings: Option<Surroundings>) -> Wasi {
        let (out, err) = (Output::default(), Output::default());
        // The builder starts without preopened folders, environment, arguments and input, and denies every address.
        let mut builder = WasiCtx::builder();
        builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        if let Some(surroundings) = &surroundings {
            builder.wall_clock(surroundings.clock()).monotonic_clock(surroundings.clock());
        }
        let context = builder.stdout(out.clone()).stderr(err.clone()).build();
        let (table, http, hooks) = (ResourceTable::new(), WasiHttpCtx::new(), Hooks::default());
        Wasi { table, context, surroundings, out, err, http, hooks }
    }
}

impl State {
    pub(crate) fn new(limits: Limits, clock: Clock, lines_max: u32, given: Given, sources: Option<Sources>) -> State {
        let wasi = match given {
            Given::Nothing => None,
            Given::System => Some(Box::new(Wasi::denying(None))),
            Given::Request => Some(Box::new(Wasi::denying(Some(Surroundings::beginning())))),
        };
        State { limits, host: None, clock, ticking: None, lines_max, lines: 0, last_error: None, wasi, sources }
    }

    /// Makes the instance ready for one call on behalf of `host`.
    pub(crate) fn begin(&mut self, host: &Arc<dyn Imports>) {
        self.host = Some(Arc::clone(host));
        self.ticking = Some(self.clock.ticking());
        if let Some(wasi) = &mut self.wasi {
            wasi.hooks.connect(Some(Arc::clone(host)));
        }
        self.lines = 0;
        self.last_error = None;
        self.limits.begin();
    }

    /// Takes back what the call was lent, and logs what it has written.
    pub(crate) fn end(&mut self) {
        self.tell_output();
        self.host = None;
        self.ticking = None;
        if let Some(wasi) = &mut self.wasi {
            wasi.hooks.connect(None);
        }
    }

    /// Returns what a guest said before it broke: the last error that it told the log, or wrote.
    pub(crate) fn last_words(&mut self) -> String {
        let written = self.tell_output();
        let said = self.last_error.take().unwrap_or(written);
        let from = said.ceil_char_boundary(said.len().saturating_sub(WORDS_BYTES_MAX));
        one_line(&said[from..])
    }

    /// Remembers an error that the guest tells the log.
    pub(crate) fn tell_error(&mut self, message: &str) {
        self.last_error = Some(message.to_owned());
    }

    /// Logs what the guest has written line by line, and returns what it wrote as an error.
    fn tell_output(&mut self) -> String {
        let Some(wasi) = &self.wasi else { return String::new() };
        let (out, err) = (wasi.out.take(), wasi.err.take());
        for (level, text) in [(Level::Info, &out), (Level::Warn, &err)] {
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                if self.take_line() {
                    self.host().log(level, head(line, LINE_BYTES_MAX), "");
                }
            }
        }
        err
    }

    /// Returns what the guest may call.
    ///
    /// # Panics
    /// If no call is going on.
    pub(crate) fn host(&self) -> &Arc<dyn Imports> {
        self.host.as_ref().expect("guest code runs between begin and end only")
    }

    /// Returns the texts of the script that runs.
    ///
    /// # Panics
    /// If none does.
    pub(crate) fn sources(&self) -> Sources {
        self.sources.clone().expect("only the runner of scripts is linked with it")
    }

    /// Returns what the script finds around it.
    ///
    /// # Panics
    /// If none runs that has one.
    pub(crate) fn surroundings(&mut self) -> &mut Surroundings {
        let surroundings = self.wasi.as_mut().and_then(|wasi| wasi.surroundings.as_mut());
        surroundings.expect("only the runner of Python is linked with it, and its states have one")
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

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let wasi =
            self.wasi.as_mut().expect("only modules that import WASI are linked with it, and their states have it");
        WasiHttpCtxView { ctx: &mut wasi.http, table: &mut wasi.table, hooks: &mut wasi.hooks }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi =
            self.wasi.as_mut().expect("only modules that import WASI are linked with it, and their states have it");
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}
