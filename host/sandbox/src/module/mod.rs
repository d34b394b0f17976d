//! Modules: a component that has been checked, compiled and linked, and has described itself.

pub(crate) mod cache;
mod compile;
pub(crate) mod compiler;
mod encode;
pub(crate) mod inspect;
mod intake;
pub(crate) mod workshop;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use steward_model::Link;
use steward_model::module::Digest;
use steward_model::operation::Outcome;
use steward_model::service::{Descriptor, Handler, Isolation, LimitsWanted};
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::bindings::{HOST, HOST_0_1, SERVICE};
use crate::convert::Ceilings;
use crate::engine::{Engine, Needs};
use crate::error::{CallError, PrepareError};
use crate::exchange::{self, Answer, Silence};
use crate::exports::{self, Call, Exports};
use crate::imports::{Imports, WAITING};
use crate::instance::CallLimits;
use crate::instance::pool::{InstanceTemplate, Pool, Usage};
use crate::script::{self, Runner, Script, ScriptFile, Source};
use inspect::{Kind, version_of};

/// Version of an HTTP component that its host gives it: it has none of its own.
const HTTP_COMPONENT_VERSION: &str = "0.0.0";

/// Interfaces of our own that a service may import, without version, and which versions.
const IMPORTABLE: [(&str, &str); 2] = [(HOST, "0.1."), ("steward:service/types", "0.1.")];

/// Interfaces that an HTTP component may import.
const IMPORTABLE_BY_HTTP: [(&str, &str); 1] = [("wasi:http/", exchange::VERSIONS)];

/// Interfaces that any module may import.
const IMPORTABLE_BY_ALL: [(&str, &str); 6] = [
    ("wasi:cli/", "0.2."),
    ("wasi:clocks/", "0.2."),
    ("wasi:filesystem/", "0.2."),
    ("wasi:io/", "0.2."),
    ("wasi:random/", "0.2."),
    ("wasi:sockets/", "0.2."),
];

/// Versions of the world that this host speaks.
const WORLD: &str = "0.1.";

/// A guest module that is ready to be called.
pub struct Module {
    digest: Digest,
    encoded: Option<Bytes>,
    descriptor: Descriptor,
    world: String,
    imports: Vec<String>,
    deadline: Duration,
    ceilings: Ceilings,
    pool: Pool,
}

/// What is known of a module before it is asked.
pub(crate) enum Known {
    /// How it has described itself before: it is held to that.
    Descriptor(Box<Descriptor>),
    /// At which path it is to answer, if that was said.
    Path(Option<Link>),
}

impl Module {
    /// Checks, compiles and links a module, and finds out how it describes itself.
    ///
    /// Blocks, and needs a large stack.
    pub(crate) fn prepare(engine: &Arc<Engine>, bytes: &[u8], known: Known) -> Result<Module, PrepareError> {
        let kind = inspect::kind(bytes)?;
        intake::measure(bytes, &engine.config.modules)?;
        let Linked { digest, encoded, world, imports, template } = match kind {
            Kind::Component => linked_component(engine, bytes, None)?,
            Kind::CoreModule => linked_component(engine, bytes, Some(encode::encode(bytes)?.into()))?,
            Kind::Script => linked_script(engine, bytes)?,
        };
        let is_http = template.needs == Needs::Http;
        let descriptor = match known {
            Known::Descriptor(described) => *described,
            Known::Path(path) if is_http => of_http(&path.ok_or(PrepareError::NoPath)?, &imports)?,
            Known::Path(_) => describe(engine, &template)?,
        };
        let missing = |handler: &&Handler| !is_http && !template.exports.has(**handler);
        if let Some(handler) = descriptor.handlers.iter().find(missing) {
            return Err(PrepareError::HandlerMissing { handler: *handler });
        }
        let limits = call_limits(engine, &descriptor.limits);
        let ceilings = ceilings(engine, &descriptor.limits);
        let pool = Pool::new(template, limits, descriptor.isolation == Isolation::Pooled);
        Ok(Module { digest, encoded, descriptor, world, imports, deadline: limits.deadline, ceilings, pool })
    }

    /// Returns the digest of the component: of the bytes given, or of those encoded from them.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the component, if the bytes given were a core module: what should be kept and sent to other nodes.
    pub fn component_bytes(&self) -> Option<&Bytes> {
        self.encoded.as_ref()
    }

    /// Returns what the module says about itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Returns the world that the module speaks, such as `0.1.0` of services, or `wasi:http/proxy@0.2.3`.
    pub fn world(&self) -> &str {
        &self.world
    }

    /// Returns true if it is an HTTP component: it answers requests of HTTP itself, and is called by [`Module::serve`] only.
    pub fn is_http(&self) -> bool {
        self.pool.is_http()
    }

    /// Lets an HTTP component answer a request; returns when it has begun to, and the body of the answer carries the call on.
    /// `client_max` is how long the client may be silent while the guest waits for its body.
    ///
    /// # Errors
    /// As [`Module::call`], and [`CallError::NoAnswer`]. The body ends with the same errors, if it breaks off.
    ///
    /// # Panics
    /// As [`Module::call`].
    pub async fn serve<B>(
        self: &Arc<Self>,
        request: http::Request<B>,
        host: Arc<dyn Imports>,
        client_max: Duration,
    ) -> Result<http::Response<Answer>, CallError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display,
    {
        let (module, silence) = (Arc::clone(self), Silence::new(self.deadline, client_max));
        let call = move |asked| Box::pin(async move { module.pool.answer(asked, &host).await }) as exchange::Running;
        exchange::serve(request, silence, call).await
    }

    /// Returns the names of the interfaces that the module imports.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// Returns true if calls may wait, for other documents or in WASI.
    pub fn waits(&self) -> bool {
        self.pool.waits()
    }

    /// Returns the longest time of one call.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Returns the size of the largest state in bytes.
    pub fn document_bytes_max(&self) -> usize {
        self.ceilings.document_bytes
    }

    /// Returns how many instances there are.
    pub fn usage(&self) -> Usage {
        self.pool.usage()
    }

    /// Calls one handler; the guest may call `host` meanwhile.
    ///
    /// A call of a module that has been quick begins on the calling thread; one that takes longer than some milliseconds goes on
    /// in such a way that other tasks of a runtime with several threads are not held up, and its module may have only a share of
    /// the instances and workers of the node. Dropping the future ends the call.
    ///
    /// # Errors
    /// [`CallError`]: nothing has happened, and the next call is not harmed.
    /// [`CallError::MissingHandler`] without a call if the descriptor does not list the handler.
    ///
    /// # Panics
    /// If the call does not end at once and the future is polled outside of a tokio runtime with a timer.
    pub async fn call(&self, call: Call<'_>, host: &Arc<dyn Imports>) -> Result<Outcome, CallError> {
        self.check_listed(call.occasion.handler())?;
        exports::run(&self.pool, call, self.ceilings, host).await
    }

    /// Returns the state in the shape of the module's own state version.
    ///
    /// # Errors
    /// As [`Module::call`].
    ///
    /// # Panics
    /// As [`Module::call`].
    pub async fn migrate(&self, document: &[u8], from: u32, host: &Arc<dyn Imports>) -> Result<Bytes, CallError> {
        self.check_listed(Handler::Migrate)?;
        exports::migrate(&self.pool, document, from, self.ceilings, host).await
    }

    fn check_listed(&self, handler: Handler) -> Result<(), CallError> {
        if self.descriptor.handles(handler) { Ok(()) } else { Err(CallError::MissingHandler { handler }) }
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Module({} {}, {})", self.descriptor.name, self.descriptor.version, self.digest.short())
    }
}

/// A module that can be called, and has not been asked yet who it is.
struct Linked {
    digest: Digest,
    encoded: Option<Bytes>,
    world: String,
    imports: Vec<String>,
    template: InstanceTemplate,
}

fn linked_component(engine: &Arc<Engine>, bytes: &[u8], encoded: Option<Bytes>) -> Result<Linked, PrepareError> {
    let component_bytes = encoded.as_deref().unwrap_or(bytes);
    let digest = Digest::of(component_bytes);
    let inspect::Inspection { imports, exports, .. } = inspect::survey(component_bytes)?;
    // A module for another version of the world imports that version too; the world is the better thing to say.
    let (world, is_http) = check_world(&exports)?;
    check_imports(&imports, is_http)?;
    let component = compile::compile(engine, "component", digest, || component_bytes)?;
    let needs = if is_http { Needs::Http } else { needs(&component, &imports) };
    let exports = Arc::new(if is_http { Exports::find_http(&component)? } else { Exports::find(&component)? });
    let pre = engine.linker(needs).instantiate_pre(&component);
    let pre = pre.map_err(|error| PrepareError::ImportType { reason: format!("{error:#}") })?;
    let template = InstanceTemplate { engine: Arc::clone(engine), pre, exports, needs, sources: None };
    Ok(Linked { digest, encoded, world, imports, template })
}

/// Puts the runner where a component would be. The digest is that of the texts, whatever runs them.
fn linked_script(engine: &Arc<Engine>, bytes: &[u8]) -> Result<Linked, PrepareError> {
    let script = Script::of_module(bytes)?;
    let template = script_template(engine, &script)?;
    let (world, imports) = (script::WORLD.to_owned(), vec![HOST_0_1.to_owned()]);
    Ok(Linked { digest: Digest::of(bytes), encoded: None, world, imports, template })
}

fn script_template(engine: &Arc<Engine>, script: &Script) -> Result<InstanceTemplate, PrepareError> {
    let interpreter = script.language.interpreter();
    let needs = Needs::Script(interpreter);
    let Runner { pre, exports, strip } = engine.runners.get(interpreter, || {
        let component =
            compile::compile(engine, interpreter.runner(), interpreter.digest(), || interpreter.component())?;
        Runner::link(&component, engine.linker(needs))
    })?;
    let none = Some(Arc::from([]));
    let bare = InstanceTemplate { engine: Arc::clone(engine), pre, exports, needs, sources: none };
    let sources = script::sources(script, &Pool::new(bare.clone(), patient_limits(engine), true), strip)?;
    Ok(InstanceTemplate { sources: Some(sources), ..bare })
}

/// Returns the files of a script as JavaScript. Blocks.
///
/// # Errors
/// [`PrepareError::Script`] if one is no TypeScript.
pub(crate) fn javascript(engine: &Arc<Engine>, script: &Script) -> Result<Vec<ScriptFile>, PrepareError> {
    let sources = script_template(engine, script)?.sources;
    Ok(sources.iter().flat_map(|sources| sources.iter()).map(Source::file).collect())
}

/// Describes an HTTP component, which cannot do it: a service without documents that takes every request, named by its path.
fn of_http(path: &Link, imports: &[String]) -> Result<Descriptor, PrepareError> {
    let named = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = path.name().chars().map(|c| if named(c) { c } else { '-' }).collect();
    let sends = imports.iter().any(|import| version_of(import, exchange::OUTGOING).is_some());
    let handlers = ["handle-get", "handle-post", "handle-put", "handle-patch", "handle-delete"];
    let described = serde_json::json!({
        "name": name, "version": HTTP_COMPONENT_VERSION, "factory": path, "options": ["STATELESS"], "handlers": handlers,
        "isolation": "per-call", "capabilities": { "outbound": if sends { &["*"][..] } else { &[] } },
        "docs": "An HTTP component: it answers every request at and below its path",
    });
    Ok(Descriptor::parse(&described.to_string())?)
}

/// Asks a module who it is, with all the time that any call may have.
fn describe(engine: &Engine, template: &InstanceTemplate) -> Result<Descriptor, PrepareError> {
    let asked = exports::describe(&Pool::new(template.clone(), patient_limits(engine), false));
    let asked = asked.map_err(|error| match error {
        // What a script says at its end names its file and line, and what is wrong with it.
        PrepareError::Describe(CallError::Trap { said, .. }) if template.sources.is_some() && !said.is_empty() => {
            PrepareError::Script { reason: said }
        }
        other => other,
    })?;
    // The file of an author's is what they look for; of a component none is known.
    let file = template.sources.as_ref().and_then(|sources| sources.first()).map(|source| source.name.clone());
    Descriptor::parse(&asked).map_err(|source| match file {
        Some(file) => PrepareError::ScriptDescriptor { file, source },
        None => PrepareError::Descriptor(source),
    })
}

/// Returns the limits of a call that has all the time that any call may have.
fn patient_limits(engine: &Engine) -> CallLimits {
    call_limits(engine, &LimitsWanted { deadline_millis: u64::MAX, ..LimitsWanted::default() })
}

fn check_imports(imports: &[String], is_http: bool) -> Result<(), PrepareError> {
    let importable = if is_http { IMPORTABLE_BY_HTTP.as_slice() } else { IMPORTABLE.as_slice() };
    let allowed = |import: &str| {
        let Some((interface, version)) = import.split_once('@') else { return false };
        importable.iter().chain(&IMPORTABLE_BY_ALL).any(|(prefix, versions)| {
            let named = if prefix.ends_with('/') { interface.starts_with(prefix) } else { interface == *prefix };
            named && version.starts_with(versions)
        })
    };
    match imports.iter().find(|import| !allowed(import)) {
        Some(name) if is_http => Err(PrepareError::ForeignToHttp { name: name.clone() }),
        Some(name) => Err(PrepareError::ForeignImport { name: name.clone() }),
        None => Ok(()),
    }
}

/// Returns the world that exports are of, and whether it is that of HTTP components.
fn check_world(exports: &[String]) -> Result<(String, bool), PrepareError> {
    let is_service = exports.iter().any(|export| version_of(export, SERVICE).is_some());
    if let Some((export, version)) = inspect::http_export(exports).filter(|_| !is_service) {
        return match version.starts_with(exchange::VERSIONS) {
            true => Ok((format!("wasi:http/proxy@{version}"), true)),
            false => Err(PrepareError::NewerHttp { found: export.to_owned() }),
        };
    }
    let mut versions = exports.iter().filter_map(|export| version_of(export, SERVICE));
    let Some(first) = versions.clone().next() else {
        return Err(PrepareError::NoService { exports: exports.to_owned() });
    };
    match versions.find(|version| version.starts_with(WORLD)) {
        Some(version) => Ok((version.to_owned(), false)),
        None => Err(PrepareError::UnknownWorld { found: format!("{SERVICE}@{first}") }),
    }
}

fn needs(component: &Component, imports: &[String]) -> Needs {
    if imports.iter().any(|import| import.starts_with("wasi:")) {
        return Needs::Wasi;
    }
    let engine = component.engine();
    let ty = component.component_type();
    let waits = ty.imports(engine).any(|(name, item)| {
        let ComponentItem::ComponentInstance(instance) = item.ty else { return false };
        version_of(name, HOST).is_some()
            && WAITING.iter().any(|function| instance.get_export(engine, function).is_some())
    });
    if waits { Needs::Waiting } else { Needs::Nothing }
}

/// Returns what a descriptor wants, as far as the configuration allows it.
fn call_limits(engine: &Engine, wanted: &LimitsWanted) -> CallLimits {
    let config = &engine.config;
    let deadline = match wanted.deadline_millis {
        0 => config.call_deadline,
        millis => Duration::from_millis(millis),
    };
    let deadline = deadline.min(config.call_deadline_max);
    CallLimits {
        deadline,
        memory_bytes: ceiling(wanted.memory_bytes, config.memory_bytes_max),
        stack_bytes: config.stack_bytes_max,
        output_bytes: config.output_bytes_max,
    }
}

fn ceilings(engine: &Engine, wanted: &LimitsWanted) -> Ceilings {
    let config = &engine.config;
    Ceilings { document_bytes: ceiling(wanted.document_bytes, config.document_bytes_max), effects: config.effects_max }
}

fn ceiling(wanted: u64, max: usize) -> usize {
    match wanted {
        0 => max,
        wanted => usize::try_from(wanted).unwrap_or(max).min(max),
    }
}
