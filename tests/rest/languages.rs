//! The author's loop in the languages that are no Rust, through the real binary: what `steward new` writes is built, tested, served and
//! called, by the tools that this machine has. Where a language's tool is not there, its tests say so and pass over.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rustix::process::Signal;
use serde_json::{Value, json};
use steward_model::operation::{Cause, Fault, Header, Request};
use steward_model::{Link, Timestamp, Version};
use steward_sandbox::{Call, Config, Imports, Level, Module, Occasion, Sandbox};
use steward_tests::build;
use steward_tests::client::Client;
use tempfile::TempDir;

use super::author::{Dev, done, edit, ran, steward};

/// What the tests know of a language.
struct Language {
    /// Behind `--lang`.
    name: &'static str,
    /// A command that succeeds where its tool is.
    tool: &'static [&'static str],
    /// The file with the service.
    source: &'static str,
    /// Its tests.
    tests: &'static str,
    /// A part of a test, and what fails in its place.
    failing: [&'static str; 2],
    /// A part of the service, what does not compile in its place, and where the tool says so.
    wrong: [&'static str; 3],
    /// A part of the service, and what adds ten times as much in its place.
    tenfold: [&'static str; 2],
    /// A part of the service, and what breaks in its place if `by` is 13.
    breaking: [&'static str; 2],
    /// Where it says that it breaks, and with which words.
    broken_at: [&'static str; 2],
    /// What the component imports besides our own interface.
    imports_wasi: bool,
    /// How large the component may be.
    bytes_max: usize,
    /// How much memory an instance may have after many calls.
    memory_bytes_max: usize,
    /// Folders of this repository, and what runs the tests there.
    own: &'static [(&'static str, &'static str)],
}

const GO: Language = Language {
    name: "go",
    tool: &["/usr/local/go/bin/go", "version"],
    source: "service.go",
    tests: "service_test.go",
    failing: ["Has(\"/count\", 42)", "Has(\"/count\", 43)"],
    wrong: ["c.Count += steward", "c.Cuont += steward", "service.go:22"],
    tenfold: ["steward.Or(add.By, c.Step)", "steward.Or(add.By, c.Step) * 10"],
    breaking: [
        "c.Count += steward",
        "ctx.Log(steward.Info, \"counts\", \"by\", add.By)\n\t\tc.Count += 1 / (13 - steward.Or(add.By, 1))\n\t\tc.Count += steward",
    ],
    broken_at: ["service.go:23", "integer divide by zero"],
    imports_wasi: false,
    bytes_max: 6 << 20,
    memory_bytes_max: 32 << 20,
    own: &[
        ("sdk/go", "go vet ./... && go test ./..."),
        ("guest-examples/counter/go", "go test ."),
        ("guest-examples/todo/go", "go test ."),
    ],
};

const C: Language = Language {
    name: "c",
    tool: &["clang", "--print-prog-name=wasm-ld"],
    source: "service.c",
    tests: "service_test.c",
    failing: ["\"/count\", \"42\"", "\"/count\", \"43\""],
    wrong: ["c->count += a", "c->cuont += a", "service.c:20"],
    tenfold: ["a->by : c->step", "a->by * 10 : c->step"],
    breaking: [
        "c->count += a",
        "st_log(ST_INFO, \"counts\");\n    if (a->has_by) c->count += 1 / (13 - a->by) * 0;\n    c->count += a",
    ],
    broken_at: ["service.c:21", "integer divide by zero"],
    imports_wasi: false,
    bytes_max: 100 << 10,
    memory_bytes_max: 2 << 20,
    own: &[
        ("sdk/c", "cc -std=gnu11 -I . -o \"$OUT\" tests/kettle.c && \"$OUT\""),
        ("guest-examples/counter/c", "cc -std=gnu11 -I ../../../sdk/c -o \"$OUT\" service_test.c && \"$OUT\""),
        ("guest-examples/todo/c", "cc -std=gnu11 -I ../../../sdk/c -o \"$OUT\" service_test.c && \"$OUT\""),
    ],
};

const PYTHON: Language = Language {
    name: "python",
    tool: &["componentize-py", "--version"],
    source: "service.py",
    tests: "test_service.py",
    failing: ["[\"count\"], 42", "[\"count\"], 43"],
    wrong: ["def handle_patch(self, ", "def handle_patch(self ", "service.py"],
    tenfold: ["is None else by", "is None else by * 10"],
    breaking: [
        "    def handle_patch(self, by: int = field(None, minimum=1)):\n",
        "    def handle_patch(self, ctx, by: int = field(None, minimum=1)):\n        ctx.log(2, \"counts\")\n        self.count += 0 // (13 - (by or 1))\n",
    ],
    broken_at: ["service.py:13", "ZeroDivisionError"],
    imports_wasi: true,
    bytes_max: 24 << 20,
    memory_bytes_max: 64 << 20,
    own: &[
        ("sdk/python", "PYTHONPATH=. python3 -B -m unittest discover -s tests"),
        ("guest-examples/counter/python", "PYTHONPATH=../../../sdk/python python3 -B -m unittest"),
        ("guest-examples/todo/python", "PYTHONPATH=../../../sdk/python python3 -B -m unittest"),
    ],
};

impl Language {
    /// Returns true where its tool is, and says a word where it is not.
    fn is_here(&self) -> bool {
        let asked = Command::new(self.tool[0]).args(&self.tool[1..]).output();
        let is_here = asked.is_ok_and(|answer| answer.status.success());
        if !is_here {
            eprintln!("passed over: there is no {}", self.tool.join(" "));
        }
        is_here
    }

    /// Returns a new project, or none where it cannot be built.
    fn project(&self, name: &str) -> Option<(TempDir, PathBuf)> {
        if !self.is_here() {
            return None;
        }
        let above = tempfile::tempdir().expect("a folder");
        done(&ran(steward(above.path()).args(["new", name, "--lang", self.name])));
        let place = above.path().join(name);
        Some((above, place))
    }

    /// Runs what the SDK and the examples in this repository say of themselves.
    fn proves_itself(&self) {
        let made = tempfile::tempdir().expect("a folder");
        for (folder, script) in self.own {
            let mut command = Command::new("sh");
            command.current_dir(build::repository().join(folder)).args(["-c", script]);
            command.env("OUT", made.path().join("tests"));
            let output =
                ran(command.env("PATH", format!("{}:/usr/local/go/bin", std::env::var("PATH").unwrap_or_default())));
            let said = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&said));
        }
    }

    fn builds_and_tests(&self) {
        let Some((_above, place)) = self.project("red-orders") else { return };
        let told: Value =
            serde_json::from_str(&done(&ran(steward(&place).args(["build", ".", "-o", "json"])))).expect("JSON");
        let component = std::fs::read(told["path"].as_str().expect("a path")).expect("a component");
        assert!(told["path"].as_str().is_some_and(|path| path.ends_with(".steward/red-orders.wasm")), "{told}");
        assert_eq!((&told["bytes"], &told["factory"]), (&json!(component.len()), &json!("/core/red-orders")));
        let is_foreign = |import: &&Value| !import.as_str().is_some_and(|name| name.starts_with("steward:service/"));
        let foreign: Vec<&Value> = told["imports"].as_array().expect("a list").iter().filter(is_foreign).collect();
        assert_eq!(!foreign.is_empty(), self.imports_wasi, "{told}");
        assert!(component.len() < self.bytes_max, "{} bytes", component.len());

        assert!(ran(steward(&place).args(["test"])).status.success());
        edit(&place.join(self.tests), self.failing[0], self.failing[1]);
        assert_eq!(ran(steward(&place).args(["test"])).status.code(), Some(10));

        let [from, to, at] = self.wrong;
        edit(&place.join(self.source), from, to);
        let failed = ran(steward(&place).args(["build", "-q"]));
        let said = String::from_utf8_lossy(&failed.stderr);
        assert_eq!((failed.status.code(), failed.stdout.len()), (Some(10), 0), "{said}");
        assert!(said.contains("error[build-failed]") && said.contains(at), "{said}");
    }

    async fn serves_and_follows(&self) {
        let Some((_above, place)) = self.project("orders") else { return };
        let source = place.join(self.source);
        let mut dev = Dev::start(&place, &[]);
        dev.tells("dev.serves");
        let client = Client::new(&dev.api);
        client
            .post("/core/orders", &json!({ "documentSelfLink": "a", "step": 5, "note": "ä€😀\n\"" }))
            .await
            .expect(201);
        assert_eq!(client.patch("/core/orders/a", &json!({})).await.expect(200).json()["count"], 5);
        let big = client.patch("/core/orders/a", &json!({ "by": 9_007_199_254_740_993_u64 })).await.expect(200).json();
        assert_eq!(big["count"], 9_007_199_254_740_998_u64);
        for (refused, pointer) in [
            (client.post("/core/orders", &json!({ "step": 0 })).await, "/step"),
            (client.patch("/core/orders/a", &json!({ "by": "much" })).await, "/by"),
            (client.put("/core/orders/a", &json!({ "count": -1 })).await, "/count"),
        ] {
            let problem = refused.expect(400).json();
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }

        edit(&source, self.tenfold[0], self.tenfold[1]);
        dev.tells("dev.serves");
        let patched = client.patch("/core/orders/a", &json!({ "by": 1 })).await.expect(200).json();
        assert_eq!(patched["count"], 9_007_199_254_741_008_u64, "documents are kept, and the code is new");

        edit(&source, self.breaking[0], self.breaking[1]);
        dev.tells("dev.serves");
        client.patch("/core/orders/a", &json!({ "by": 1 })).await.expect(200);
        let said = dev.tells_that("dev.log", |line| line["message"] == "counts");
        assert_eq!((&said["level"], &said["source"]), (&json!("info"), &json!("/core/orders/a")), "{said}");
        let problem = client.patch("/core/orders/a", &json!({ "by": 13 })).await.expect(500).json();
        for words in self.broken_at {
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{words}: {problem}");
        }
        client.patch("/core/orders/a", &json!({ "by": 1 })).await.expect(200);
        assert!(dev.end(Signal::TERM), "it ends in order");
    }

    async fn lasts(&self, calls: u64) {
        let Some((_above, place)) = self.project("lasting") else { return };
        let component = std::fs::read(done(&ran(steward(&place).args(["build", "-q"])))).expect("a component");
        // One instance that may not grow beyond what it is given has to serve all calls.
        let config = Config {
            calls_per_instance_max: u32::MAX,
            growth_bytes_max: usize::MAX,
            memory_bytes_max: self.memory_bytes_max,
            // A machine that is measured on stops its tests meanwhile.
            call_deadline: PATIENCE,
            call_deadline_max: PATIENCE,
            ..Config::default()
        };
        let sandbox = Sandbox::new(config).expect("a sandbox");
        let module = sandbox.prepare(&component).expect("a module in order");
        let host: Arc<dyn Imports> = Arc::new(Nobody);
        let mut document = Bytes::from_static(br#"{"count":0,"step":1}"#);
        for number in 0..calls {
            document = patched(&module, &host, &document, number).await;
        }
        let last: Value = serde_json::from_slice(&document).expect("JSON");
        assert_eq!((&last["count"], module.usage().made), (&json!(calls), 1), "one instance served all of them");
    }
}

/// How long one call may take here.
const PATIENCE: Duration = Duration::from_secs(3600);

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

/// The tests of one language.
macro_rules! tests_of {
    ($module:ident, $language:expr, $calls:expr) => {
        mod $module {
            use super::*;

            #[test]
            fn the_sdk_and_its_examples_do_what_they_say() {
                if $language.is_here() {
                    $language.proves_itself();
                }
            }

            #[test]
            fn a_new_project_builds_to_a_component_and_its_tests_pass() {
                $language.builds_and_tests();
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_service_follows_every_save_and_says_where_it_breaks() {
                $language.serves_and_follows().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn one_instance_outlasts_many_calls() {
                $language.lasts($calls).await;
            }
        }
    };
}

tests_of!(go, GO, calls(20_000));
tests_of!(c, C, calls(20_000));
tests_of!(python, PYTHON, calls(5_000));

/// Returns how many calls one instance has to last: `STEWARD_GUEST_CALLS`, or as many as there is time for in every run.
fn calls(usually: u64) -> u64 {
    std::env::var("STEWARD_GUEST_CALLS").ok().and_then(|calls| calls.parse().ok()).unwrap_or(usually)
}
