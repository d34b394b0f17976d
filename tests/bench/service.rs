//! The service that is measured: the guest `examples`, typed through the SDK, with states of 200 bytes.
//!
//! It is persisted as it comes. For the volatile lane one word of the descriptor inside the component is exchanged for
//! another of the same length, which stands there already: the code that runs is the same to the last byte.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, ensure};
use bytes::Bytes;
use steward_model::operation::{Cause, Header, Outcome, Request};
use steward_model::{Link, Timestamp, Version};
use steward_sandbox::{Call, Config, Imports, Module, Occasion, Sandbox, Silent};
use steward_tests::client::Client;
use steward_tests::guests::{self, Progress};
use steward_tests::host::Host;

use crate::load::{Load, Reached, Until, request};

/// Bytes of a state, without the fields that the host adds.
pub(crate) const STATE_BYTES: usize = 200;

/// Where the service is mounted.
pub(crate) const FACTORY: &str = "/core/examples";

const PERSISTED: &[u8] = b"PERSISTENCE";
const REPLICATED: &[u8] = b"REPLICATION";

/// Counters have seven digits, so that all states and requests have the same length.
pub(crate) const COUNTER_MIN: u64 = 1_000_000;

/// The service, and what its documents look like.
pub(crate) struct Service {
    /// The component.
    pub(crate) component: Vec<u8>,
    /// The kind of its documents.
    pub(crate) kind: String,
    /// A name that makes a state as long as it is to be.
    name: String,
    /// A new state, as the guest writes it.
    pub(crate) state: Bytes,
}

impl Service {
    /// Builds the guest and asks it for a state.
    ///
    /// # Errors
    /// If it does not build, or its states cannot have the length.
    pub(crate) fn build() -> anyhow::Result<Service> {
        let built = guests::build(&["examples"], &Progress::hidden())?;
        let path = &built.first().context("a guest was built")?.path;
        let component = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let module = prepare(&component)?;
        let shortest = created(&module, "n")?.len();
        let missing = STATE_BYTES.checked_sub(shortest);
        let missing = missing.with_context(|| format!("a state without a name has {shortest} bytes already"))?;
        let name = "n".repeat(1 + missing);
        let state = created(&module, &name)?;
        ensure!(state.len() == STATE_BYTES, "a state has {} bytes: {state:?}", state.len());
        let kind = module.descriptor().kind().to_owned();
        Ok(Service { component, kind, name, state })
    }

    /// Returns the component for the volatile lane.
    ///
    /// # Errors
    /// If the descriptor is not where it is looked for.
    pub(crate) fn volatile(&self) -> anyhow::Result<Vec<u8>> {
        let mut component = self.component.clone();
        let places: Vec<usize> = places_of(PERSISTED, &component).collect();
        ensure!(!places.is_empty(), "the component does not name the option that it is built with");
        for at in places {
            component[at..at + PERSISTED.len()].copy_from_slice(REPLICATED);
        }
        Ok(component)
    }

    /// Returns the body that creates document `number`.
    pub(crate) fn creation(&self, number: u64) -> String {
        let name = &self.name;
        format!(r#"{{"documentSelfLink":"{}","name":"{name}","counter":{COUNTER_MIN}}}"#, child(number))
    }

    /// Returns the name of document `number` of those that are looked for by name.
    pub(crate) fn name_of(&self, number: u64) -> String {
        let digits = format!("{number:07}");
        format!("{}{digits}", &self.name[digits.len()..])
    }

    /// Returns the body that creates document `number`, with a name and a counter of its own.
    pub(crate) fn own_creation(&self, number: u64) -> String {
        let (name, counter) = (self.name_of(number), COUNTER_MIN + number);
        format!(r#"{{"documentSelfLink":"{}","name":"{name}","counter":{counter}}}"#, child(number))
    }

    /// Creates the documents with these numbers.
    ///
    /// # Errors
    /// If the host refuses one.
    pub(crate) fn create(
        &self,
        address: SocketAddr,
        connections: usize,
        numbers: std::ops::Range<u64>,
    ) -> anyhow::Result<Reached> {
        let post = |number: u64, buffer: &mut Vec<u8>| {
            buffer.extend(request("POST", FACTORY, &self.creation(numbers.start + number)));
        };
        Load { address, connections, request: &post }.run(Until::Answers(numbers.end - numbers.start))
    }
}

fn places_of<'a>(word: &'a [u8], bytes: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(word.len()).enumerate().filter(move |(_, window)| *window == word).map(|(at, _)| at)
}

fn child(number: u64) -> String {
    format!("d{number:07}")
}

/// Returns the self-link of document `number`.
pub(crate) fn link(number: u64) -> String {
    format!("{FACTORY}/{}", child(number))
}

/// Returns the body of the n-th change.
pub(crate) fn change(number: u64) -> String {
    format!(r#"{{"counter":{}}}"#, COUNTER_MIN + number % (9 * COUNTER_MIN))
}

/// Prepares a module in a sandbox without a code cache.
///
/// # Errors
/// If the sandbox refuses it.
pub(crate) fn prepare(component: &[u8]) -> anyhow::Result<Arc<Module>> {
    Ok(Sandbox::new(Config::default())?.prepare(component)?)
}

/// Returns what a guest is told besides the state.
///
/// # Errors
/// None that a caller could cause.
pub(crate) fn request_with(body: String) -> anyhow::Result<Request> {
    Ok(Request {
        link: Link::parse(&link(0))?,
        query: String::new(),
        headers: vec![Header { name: "content-type".to_owned(), value: "application/json".to_owned() }],
        body: Some(body.into()),
        principal: String::new(),
        cause: Cause::Client,
        now: Timestamp(1_700_000_000_000_000),
        seed: 7,
        version: Version(3),
        exists: true,
        expires: Timestamp(0),
    })
}

/// Calls a handler.
///
/// # Errors
/// If the guest refuses or fails.
pub(crate) async fn call(
    module: &Module,
    occasion: Occasion<'_>,
    document: &[u8],
    request: &Request,
) -> anyhow::Result<Outcome> {
    let host: Arc<dyn Imports> = Arc::new(Silent);
    Ok(module.call(Call { occasion, document, request }, &host).await?)
}

fn created(module: &Module, name: &str) -> anyhow::Result<Bytes> {
    let body = format!(r#"{{"name":"{name}","counter":{COUNTER_MIN}}}"#);
    let request = Request { exists: false, version: Version(0), ..request_with(body.clone())? };
    let outcome = waited(call(module, Occasion::Create, body.as_bytes(), &request))??;
    Ok(outcome.document.unwrap_or_else(|| body.into()))
}

/// Waits for something on a runtime of its own.
///
/// # Errors
/// If the system gives no runtime.
pub(crate) fn waited<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}

/// Returns where a host listens.
///
/// # Errors
/// If it has not said so.
pub(crate) fn address(host: &Host) -> anyhow::Result<SocketAddr> {
    let base = host.client().base();
    let address = base.strip_prefix("http://").with_context(|| format!("{base} is an http address"))?;
    address.parse().with_context(|| format!("{base} names a socket"))
}

/// Uploads a component and mounts it at [`FACTORY`].
///
/// # Errors
/// Those of the runtime.
///
/// # Panics
/// If the host refuses.
pub(crate) fn mount(host: &Host, component: &[u8]) -> anyhow::Result<()> {
    let client = Client::new(host.client().base());
    waited(async move {
        client.deploy(component, Some(FACTORY)).await;
    })
}

/// Returns the body of the answer to a GET of document `number`.
///
/// # Errors
/// Those of the runtime.
///
/// # Panics
/// If there is no such document.
pub(crate) fn document(host: &Host, number: u64) -> anyhow::Result<Bytes> {
    let client = Client::new(host.client().base());
    waited(async move { client.get(&link(number)).await.expect(200).body })
}
