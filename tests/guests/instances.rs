//! One instance and many calls: what an SDK takes from memory it gives back, and what a garbage collector does meanwhile, between calls
//! and within what the host asks of the instance, breaks none of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;
use steward_model::operation::{Cause, Fault, Header, Request};
use steward_model::{Link, Timestamp, Version};
use steward_sandbox::{Call, Config, Imports, Level, Module, Occasion, Sandbox, Script, ScriptFile};
use steward_tests::build;

use crate::component;
use crate::languages::{LANGUAGES, Language, Made};

/// How long one call may take here: a machine that is measured on stops its tests meanwhile.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Asks for another number of calls than there is time for in every run.
const CALLS: &str = "STEWARD_GUEST_CALLS";

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_outlasts_many_calls() {
    let asked = std::env::var(CALLS).ok().and_then(|calls| calls.parse().ok());
    let judged = LANGUAGES.iter().map(|language| tokio::spawn(outlasts(language, asked.unwrap_or(language.calls))));
    for judge in judged.collect::<Vec<_>>() {
        judge.await.expect("no panic");
    }
}

async fn outlasts(language: &Language, calls: u64) {
    let Some(module) = module(language.counter).await else { return };
    // One instance that may not grow beyond what it is given has to serve all calls.
    let config = Config {
        cache_folder: build::code_cache().map(|(_, folder)| folder),
        calls_per_instance_max: u32::MAX,
        growth_bytes_max: usize::MAX,
        memory_bytes_max: language.memory_bytes_max,
        call_deadline: PATIENCE,
        call_deadline_max: PATIENCE,
        ..Config::default()
    };
    let sandbox = Sandbox::new(config).expect("a sandbox");
    let module = tokio::task::block_in_place(|| sandbox.prepare(&module)).expect("a module in order");
    let host: Arc<dyn Imports> = Arc::new(Nobody);
    let mut document = Bytes::from_static(br#"{"count":0,"step":1}"#);
    let began = std::time::Instant::now();
    for number in 0..calls {
        document = patched(&module, &host, &document, number).await;
    }
    eprintln!("{}: {} µs a call, among others", language.name, began.elapsed().as_micros() / u128::from(calls));
    let last: Value = serde_json::from_slice(&document).expect("JSON");
    assert_eq!(last["count"], calls, "{}", language.name);
    assert_eq!(module.usage().made, 1, "{}: one instance served all of them", language.name);
}

/// Returns a service as a module; none where its language is passed over.
async fn module(made: Made) -> Option<Vec<u8>> {
    let path = component(made).await?;
    match made {
        Made::Guest(_) | Made::Project(_) => Some(std::fs::read(path).expect("a component")),
        Made::Script(_) => {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            let language = steward_sandbox::Language::of_file(&name).expect("a script");
            let text = std::fs::read_to_string(&path).expect("a script");
            Some(Script { language, files: vec![ScriptFile { name, text }] }.module())
        }
    }
}

async fn patched(module: &Module, host: &Arc<dyn Imports>, document: &Bytes, number: u64) -> Bytes {
    // Every thousandth is larger than what an SDK sets aside for what the host hands over.
    let length = if number % 1000 == 999 { 200_000 } else { 200 };
    let request = Request {
        link: Link::parse("/core/lasting/one").expect("a link"),
        query: "a=b".to_owned(),
        headers: vec![Header { name: "user-agent".to_owned(), value: "x".repeat(length) }; 3],
        body: Some(Bytes::from_static(br#"{"by":1}"#)),
        principal: String::new(),
        cause: Cause::Client,
        now: Timestamp(i64::try_from(number).expect("a small number")),
        seed: number,
        version: Version(number),
        exists: true,
        expires: Timestamp(0),
    };
    let call = Call { occasion: Occasion::Patch, document, request: &request };
    let outcome = module.call(call, host).await.unwrap_or_else(|error| panic!("call {number}: {error}"));
    outcome.document.expect("a new state")
}

/// A host that hears nothing and knows nothing.
struct Nobody;

impl Imports for Nobody {
    fn log(&self, level: Level, message: &str, _fields: &str) {
        assert!(level < Level::Warn, "{message}");
    }

    fn stat(&self, _name: &str, _value: f64) {}

    fn read<'a>(&'a self, _link: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        unreachable!("a counter reads nothing")
    }

    fn query<'a>(&'a self, _spec: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        unreachable!("a counter asks nothing")
    }
}
