//! The author's loop in the languages that are no Rust, through the real binary: what `steward new` writes is built, tested, served and
//! called, by the tools that this machine has. Where a language's tool is not there, its tests say so and pass over.

use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};
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
    /// What a new project is told besides to become a component, by the file that is told.
    asks: &'static [(&'static str, &'static str)],
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
    /// Folders of this repository, and what runs the tests there.
    own: &'static [(&'static str, &'static str)],
}

const GO: Language = Language {
    name: "go",
    tool: &["/usr/local/go/bin/go", "version"],
    asks: &[],
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
    own: &[
        ("sdk/go", "go vet ./... && go test ./..."),
        ("guest-examples/counter/go", "go test ."),
        ("guest-examples/todo/go", "go test ."),
        ("guest-examples/duties/go", "go vet . && go test ."),
    ],
};

const C: Language = Language {
    name: "c",
    tool: &["clang", "--print-prog-name=wasm-ld"],
    asks: &[],
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
    own: &[
        ("sdk/c", C_NAMES),
        ("sdk/c", "cc -std=gnu11 -I . -o \"$OUT\" tests/kettle.c && \"$OUT\""),
        ("guest-examples/counter/c", "cc -std=gnu11 -I ../../../sdk/c -o \"$OUT\" service_test.c && \"$OUT\""),
        ("guest-examples/todo/c", "cc -std=gnu11 -I ../../../sdk/c -o \"$OUT\" service_test.c && \"$OUT\""),
        ("guest-examples/duties/c", "cc -std=gnu11 -I ../../../sdk/c -o \"$OUT\" service_test.c && \"$OUT\""),
    ],
};

/// Finds what the README of the SDK names in its headers.
const C_NAMES: &str = "for name in $(grep -o 'st_[a-z_0-9]*\\|ST_[A-Z_0-9]*' README.md | sort -u); do
  grep -qw \"$name\" steward.h steward/*.h || { echo \"README.md names $name, which is in no header\"; exit 1; }
done";

const PYTHON: Language = Language {
    name: "python",
    tool: &["componentize-py", "--version"],
    asks: &[("pyproject.toml", "\n[dependency-groups]\ndev = [\"componentize-py\"]\n")],
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
    own: &[
        ("sdk/python", "PYTHONPATH=. python3 -B -m unittest discover -s tests"),
        ("guest-examples/counter/python", "PYTHONPATH=../../../sdk/python python3 -B -m unittest"),
        ("guest-examples/todo/python", "PYTHONPATH=../../../sdk/python python3 -B -m unittest"),
        ("guest-examples/duties/python", "PYTHONPATH=../../../sdk/python python3 -B -m unittest"),
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
        for (file, more) in self.asks {
            let mut written = std::fs::OpenOptions::new().append(true).open(place.join(file)).expect("a file");
            std::io::Write::write_all(&mut written, more.as_bytes()).expect("written");
        }
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
}

/// The tests of one language.
macro_rules! tests_of {
    ($module:ident, $language:expr) => {
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
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_maps_of_go_that_nobody_has_filled_are_empty_in_the_state() {
    let Some((_above, place)) = GO.project("shelves") else { return };
    let fields = "\tTags []string `json:\"tags\" steward:\"default\"`\n\tMarks map[string]string `json:\"marks\" steward:\"default\"`\n";
    edit(&place.join(GO.source), "type Counter struct {\n", &format!("type Counter struct {{\n{fields}"));
    edit(&place.join(GO.source), "\t\tc.Count += steward", "\t\tc.Tags = nil\n\t\tc.Count += steward");
    done(&ran(steward(&place).args(["build", "-q"])));
    let component = std::fs::read(place.join(".steward/shelves.wasm")).expect("a component");
    let host = super::host_with(&[]).await;
    let client = host.client();
    client.deploy(&component, None).await;
    let made = client.post("/core/shelves", &json!({ "documentSelfLink": "a" })).await.expect(201).json();
    assert_eq!((&made["tags"], &made["marks"]), (&json!([]), &json!({})), "{made}");
    client.put("/core/shelves/a", &json!({ "tags": ["x"] })).await.expect(200);
    let patched = client.patch("/core/shelves/a", &json!({})).await.expect(200).json();
    assert_eq!((&patched["tags"], &patched["marks"]), (&json!([]), &json!({})), "{patched}");
}

tests_of!(go, GO);
tests_of!(c, C);
tests_of!(python, PYTHON);
