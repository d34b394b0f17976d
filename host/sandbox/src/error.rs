//! What can go wrong with guests: why a module is refused, and why a call failed.
//!
//! Every failure has a stable name in kebab case, `code()`, which clients see in `application/problem+json`. A name
//! that begins with `guest-` says that the code of the service is at fault; a name that begins with `module-` says that
//! the module cannot be deployed.

use std::time::Duration;

use steward_model::json;
use steward_model::operation::Fault;
use steward_model::service::{DescriptorError, Handler};

use crate::script::Mixed;

/// Why the sandbox cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine refuses its configuration, or the operating system refuses memory for the pool of instances.
    #[error(
        "cannot start the sandbox for guests: {0}; fewer instances need less address space: lower --guest-instances, or let the process \
         have more (ulimit -v)"
    )]
    Engine(String),
    /// The folder of compiled code cannot be made.
    #[error("cannot make the folder {} for compiled code: {source}", folder.display())]
    CacheFolder {
        /// The folder.
        folder: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Somebody else could put machine code into the folder of compiled code.
    #[error(
        "the folder {} for compiled code {reason}, and machine code is loaded from there: make it yours alone (chmod 700), or name another",
        folder.display()
    )]
    CacheNotPrivate {
        /// The folder.
        folder: std::path::PathBuf,
        /// Who else could write there, as the end of a sentence about the folder.
        reason: &'static str,
    },
    /// The thread that interrupts guests cannot be started.
    #[error("cannot start the thread that interrupts guests: {0}")]
    Ticker(#[source] std::io::Error),
}

/// Why a module is refused. Each text says what is wrong and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The bytes are no WebAssembly at all.
    #[error("module is no WebAssembly: {found}; deploy the .wasm file that the build of the service wrote")]
    NotWasm {
        /// What the bytes look like.
        found: String,
    },
    /// The bytes begin like WebAssembly and are damaged.
    #[error("module is broken: {reason}; the file was cut or altered, so build it and send it again")]
    Broken {
        /// What does not hold, and at which offset.
        reason: String,
    },
    /// The bytes hold more of something than a module may have.
    #[error("module has {found} {what}, {max} are allowed; {}", mend(setting))]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much there is, as far as it was counted.
        found: u64,
        /// How much there may be.
        max: u64,
        /// The setting of the host that allows more; empty: none does.
        setting: &'static str,
    },
    /// The module was not ready in time.
    #[error(
        "module was not ready within {} s: it is too large or too intricate, or the machine is too busy; build it for size, \
         or raise the setting `module_deadline`", limit.as_secs()
    )]
    Late {
        /// The time it had.
        limit: Duration,
    },
    /// Compiling the module took too much memory.
    #[error(
        "module wants more than {} MiB of memory to be compiled: it is too large or too intricate; build it for size, or raise the \
         setting `module_memory` of the host", limit >> 20
    )]
    Greedy {
        /// What it may have, in bytes.
        limit: usize,
    },
    /// Other modules are being compiled.
    #[error("other modules are being compiled, and {waiting} wait; try again later")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// A core module that does not say what its functions mean.
    #[error(
        "module is a plain core module without component metadata; build the service with an SDK or with bindings \
         for the world `steward:service/service-guest`, or add the metadata with `wasm-tools component embed`"
    )]
    PlainCore,
    /// A core module with component metadata that does not become a component.
    #[error("module cannot be made a component: {reason}; {mend}")]
    Encode {
        /// What is missing or too much.
        reason: String,
        /// What to do about it.
        mend: &'static str,
    },
    /// The component wants something that no host of ours offers.
    #[error(
        "module has the foreign import `{name}`; a guest may import steward:service/host@0.1, \
         steward:service/types@0.1 and WASI 0.2 (cli, clocks, filesystem, io, random, sockets), so build it without {name}"
    )]
    ForeignImport {
        /// Name of the import.
        name: String,
    },
    /// An HTTP component wants something that no host of ours offers it.
    #[error(
        "module has the foreign import `{name}`; an HTTP component may import wasi:http 0.2 and WASI 0.2 (cli, clocks, filesystem, io, \
         random, sockets), so build it without {name}"
    )]
    ForeignToHttp {
        /// Name of the import.
        name: String,
    },
    /// The component speaks a version of the world that this host does not speak.
    #[error(
        "module speaks the unknown world version `{found}`, this host speaks steward:service@0.1; \
         build it with the SDK of this host, or upgrade the host first"
    )]
    UnknownWorld {
        /// The interface with its version, as the component names it.
        found: String,
    },
    /// The component is something else than a service.
    #[error(
        "module is no service: it exports neither steward:service/service@0.1 nor wasi:http/incoming-handler@0.2 but {}; build it for the \
         world `steward:service/service-guest` or `wasi:http/proxy`",
        exports_named(exports)
    )]
    NoService {
        /// Names of the interfaces and functions that it exports.
        exports: Vec<String>,
    },
    /// The component answers requests by an interface that is newer than this host.
    #[error(
        "module exports `{found}`, and this host serves HTTP components of wasi:http 0.2; build it for the world wasi:http/proxy@0.2"
    )]
    NewerHttp {
        /// The interface with its version, as the component names it.
        found: String,
    },
    /// The component has no path of its own, and none was given.
    #[error(
        "module says nothing about itself, as HTTP components do; say where it shall answer: steward deploy FILE --factory PATH"
    )]
    NoPath,
    /// The component asks for something that the engine does not allow, such as too much memory from the start.
    #[error("module cannot be compiled: {reason}; build it with less, or raise the ceilings of the host")]
    Compile {
        /// What is too much or not supported.
        reason: String,
    },
    /// An export has another type than the world says.
    #[error(
        "module exports `{function}` with another type than steward:service@0.1 says: {reason}; build it with the SDK of this host"
    )]
    ExportType {
        /// Name of the function.
        function: &'static str,
        /// Where the types part, as the engine says it.
        reason: String,
    },
    /// An import has another type than the world says.
    #[error(
        "module imports something in another shape than this host offers it: {reason}; build it with the SDK of this host"
    )]
    ImportType {
        /// Where the types part, as the engine says it.
        reason: String,
    },
    /// A script cannot be understood, or breaks when it is evaluated.
    #[error("script cannot be run: {reason}")]
    Script {
        /// What is wrong, with file and line of the author's text.
        reason: String,
    },
    /// A script has files for more than one interpreter.
    #[error("script cannot be run: {0}")]
    Mixed(#[from] Mixed),
    /// The descriptor lists a handler that is not exported.
    #[error(
        "descriptor lists the handler `{handler}` but the module does not export it; export it or take it off `handlers`"
    )]
    HandlerMissing {
        /// The handler.
        handler: Handler,
    },
    /// The first call, `describe`, failed.
    #[error("module does not describe itself: {0}")]
    Describe(#[source] CallError),
    /// The descriptor of a script does not hold.
    #[error("{file}: {source}")]
    ScriptDescriptor {
        /// The file with the service.
        file: String,
        /// What does not hold.
        source: DescriptorError,
    },
    /// The descriptor does not hold.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
}

fn mend(setting: &str) -> String {
    match setting {
        "" => "no compiler makes such a module, so build it with the SDK of this host".to_owned(),
        setting => format!("build it smaller, or raise the setting `{setting}` of the host"),
    }
}

fn exports_named(exports: &[String]) -> String {
    if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
}

impl PrepareError {
    /// Returns the stable name of the refusal, in kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            PrepareError::NotWasm { .. } => "module-not-wasm",
            PrepareError::Broken { .. } => "module-broken",
            PrepareError::TooMuch { .. } => "module-limit",
            PrepareError::Late { .. } => "module-deadline",
            PrepareError::Greedy { .. } => "module-memory",
            PrepareError::Busy { .. } => "overloaded",
            PrepareError::PlainCore => "module-plain-core",
            PrepareError::Encode { .. } => "module-not-encodable",
            PrepareError::ForeignImport { .. } | PrepareError::ForeignToHttp { .. } => "module-foreign-import",
            PrepareError::UnknownWorld { .. } => "module-unknown-world",
            PrepareError::NoService { .. } => "module-no-service",
            PrepareError::NewerHttp { .. } => "module-newer-http",
            PrepareError::NoPath => "module-no-path",
            PrepareError::Compile { .. } => "module-not-compilable",
            PrepareError::ExportType { .. } => "module-export-type",
            PrepareError::ImportType { .. } => "module-import-type",
            PrepareError::Script { .. } | PrepareError::Mixed(_) => "module-script",
            PrepareError::HandlerMissing { .. } => "module-handler-missing",
            PrepareError::Describe(_) => "module-not-described",
            PrepareError::ScriptDescriptor { .. } | PrepareError::Descriptor(_) => "module-descriptor",
        }
    }
}

/// A part of what host and guest hand each other, as error texts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The state of the document.
    Document,
    /// The body of the reply.
    Reply,
    /// The body of the effect with this number, from 0.
    EffectBody(usize),
    /// The body of the request.
    RequestBody,
    /// The body of the answer to an effect.
    AnswerBody,
    /// The headers of an answer or an effect.
    Headers,
    /// Everything that a guest hands over at once.
    Output,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::Document => f.write_str("document"),
            Part::Reply => f.write_str("reply"),
            Part::EffectBody(number) => write!(f, "body of effect {number}"),
            Part::RequestBody => f.write_str("body of the request"),
            Part::AnswerBody => f.write_str("body of the answer to an effect"),
            Part::Headers => f.write_str("headers"),
            Part::Output => f.write_str("output"),
        }
    }
}

/// Why a call into a guest gave no outcome. Nothing of the call has happened; the next call is not harmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The guest said no.
    #[error("guest refused: {0}")]
    Refused(Fault),
    /// The guest broke.
    #[error("guest trapped: {message}{}{said}", if said.is_empty() { "" } else { "; it said last: " })]
    Trap {
        /// What WebAssembly calls it.
        message: String,
        /// What the guest said last, such as a panic with its file and line; empty if it said nothing.
        said: String,
        /// The guest's functions from the innermost outwards, one a line; empty if it broke outside of any.
        backtrace: String,
    },
    /// The guest did not return in time.
    #[error("guest did not return within {} ms; do less in one call, or ask for more in `limits.deadlineMillis`", limit.as_millis())]
    Deadline {
        /// The time it had.
        limit: Duration,
    },
    /// An HTTP component returned, or gave up, without an answer.
    #[error("guest gave no answer: {reason}")]
    NoAnswer {
        /// What it did instead.
        reason: String,
    },
    /// An HTTP component has neither taken nor given anything for too long.
    #[error("guest was silent for {} ms; an HTTP component takes or gives a piece of a body within the --guest-deadline of the host", limit.as_millis())]
    GuestSilent {
        /// The time it had.
        limit: Duration,
    },
    /// The guest waited for the body of a request that did not come.
    #[error("the body of the request did not come: the client was silent for {} s", limit.as_secs())]
    ClientSilent {
        /// The time that the client had.
        limit: Duration,
    },
    /// The guest wanted more memory than it may have.
    #[error(
        "guest wanted {asked} bytes of memory, {limit} are allowed; hold less, or ask for more in `limits.memoryBytes`"
    )]
    Memory {
        /// What it would have had.
        asked: usize,
        /// What it may have.
        limit: usize,
    },
    /// The guest recursed too deeply.
    #[error("guest used up its stack of {limit} bytes: a recursion without end, or too deep")]
    StackOverflow {
        /// Size of the stack.
        limit: usize,
    },
    /// The guest handed over too much.
    #[error("{what} of the guest is larger than {max} bytes")]
    OutputTooLarge {
        /// What is too large.
        what: Part,
        /// The bound of the host, in the same unit.
        max: usize,
    },
    /// The guest wants too many requests sent.
    #[error(
        "guest returned {count} effects, {max} are allowed; send the rest from `handle-reply` or `handle-maintenance`"
    )]
    TooManyEffects {
        /// How many it wants.
        count: usize,
        /// The bound of the host, in the same unit.
        max: usize,
    },
    /// The guest returned a text that is no JSON, or none that may be kept.
    #[error("{what} that the guest returned is no JSON: {fault}")]
    NotJson {
        /// Which text: what the host hands over, or what the guest returned.
        what: Part,
        /// What is wrong with it, and where.
        fault: json::Error,
    },
    /// The guest returned a document that is JSON and no object.
    #[error("document that the guest returned is no JSON object")]
    NotAnObject,
    /// The guest returned a status that HTTP does not have.
    #[error("guest returned the status {status}; 0 or 200 to 599 is allowed")]
    Status {
        /// The status.
        status: u16,
    },
    /// The guest refused with a status that is no refusal.
    #[error("guest refused with the status {status}; 400 to 599 is allowed")]
    RefusalStatus {
        /// The status.
        status: u16,
    },
    /// The guest refused with a code that programs cannot rely on.
    #[error(
        "guest refused with the code {code:?}; small letters, digits and hyphens are allowed, the first of them no hyphen, 64 at most"
    )]
    RefusalCode {
        /// The code, or its beginning.
        code: String,
    },
    /// The guest returned an effect that cannot be sent.
    #[error("effect {number} that the guest returned {reason}")]
    Effect {
        /// Number of the effect, from 0.
        number: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The host was asked to hand over a text that is no UTF-8, or the guest handed over one ([`Part::Output`]).
    #[error("{what} is no UTF-8 text")]
    NotText {
        /// Which text: what the host hands over, or what the guest returned.
        what: Part,
    },
    /// The module does not have the handler.
    #[error("guest has no handler `{handler}`; list it in `handlers` of the descriptor and export it")]
    MissingHandler {
        /// The handler.
        handler: Handler,
    },
    /// All instances or workers that the module may have are taken.
    #[error("guest cannot be called now: {reason}; try again later")]
    Overloaded {
        /// Which resource is used up.
        reason: String,
    },
}

impl CallError {
    /// Returns the stable name of the failure, in kebab case; for a refusal the name that the guest gave it.
    pub fn code(&self) -> &str {
        match self {
            CallError::Refused(fault) => &fault.code,
            CallError::ClientSilent { .. } => "deadline",
            CallError::MissingHandler { .. } => "guest-handler-missing",
            CallError::Overloaded { .. } => "guest-overloaded",
            failed => failed.failure().unwrap_or("not-text"),
        }
    }

    /// Returns the code if the guest has failed; none if it has refused, or is not the one to blame.
    pub fn failure(&self) -> Option<&'static str> {
        Some(match self {
            CallError::Trap { .. } => "guest-trap",
            CallError::Deadline { .. } | CallError::GuestSilent { .. } => "guest-deadline",
            CallError::NoAnswer { .. } => "guest-no-answer",
            CallError::Memory { .. } => "guest-memory",
            CallError::StackOverflow { .. } => "guest-stack",
            CallError::OutputTooLarge { .. } => "guest-output",
            CallError::TooManyEffects { .. } => "guest-effects",
            CallError::NotJson { .. } | CallError::NotText { what: Part::Output } => "guest-json",
            CallError::NotAnObject => "guest-document",
            CallError::Status { .. } | CallError::RefusalStatus { .. } => "guest-status",
            CallError::RefusalCode { .. } => "guest-code",
            CallError::Effect { .. } => "guest-effect",
            CallError::Refused(_)
            | CallError::ClientSilent { .. }
            | CallError::NotText { .. }
            | CallError::MissingHandler { .. }
            | CallError::Overloaded { .. } => return None,
        })
    }
}
