//! The author's loop through the real binary: a new project, its component, its tests, and a host that follows every save.
//!
//! The projects are built from what cargo has at hand already, the lock file being a part of this repository's, so that no network is
//! needed. All of them share one target folder, so that only the first waits for the libraries; each has a name of its own there.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::{build, wait};
use tempfile::TempDir;

/// How long a project may take to be built, on a machine that is busy with other tests.
const BUILT_WITHIN: Duration = Duration::from_secs(600);

/// Lines of `dev` that wait for the test.
const LINES_MAX: usize = 4096;

/// Returns why projects in Rust cannot be built here, if they cannot.
fn missing() -> Option<String> {
    let asked = Command::new("rustc").args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]).output();
    let folder = asked.ok().map(|answer| PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim()))?;
    (!folder.is_dir()).then(|| "there is no target wasm32-unknown-unknown".to_owned())
}

/// Returns a command of the binary in `folder` that builds without a network and beside the tests' own builds.
pub(crate) fn steward(folder: &Path) -> Command {
    let mut command = Command::new(build::steward().expect("steward builds"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_")) {
        if name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).env_remove("RUSTFLAGS").env_remove("STEWARD_URL").env("CARGO_NET_OFFLINE", "true");
    command.env("CARGO_TARGET_DIR", build::repository().join("target/projects"));
    command.envs(build::code_cache());
    command
}

pub(crate) fn ran(command: &mut Command) -> Output {
    command.output().expect("steward runs")
}

/// Returns what it wrote to standard output, if it succeeded.
#[track_caller]
pub(crate) fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Makes a project in an empty folder.
fn project(name: &str) -> (TempDir, PathBuf) {
    let above = tempfile::tempdir().expect("a folder");
    assert_eq!(done(&ran(steward(above.path()).args(["new", name]))), name);
    let place = above.path().join(name);
    (above, place)
}

/// Replaces a part of a file of a project, as an editor would.
#[track_caller]
pub(crate) fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("a source");
    assert!(text.contains(from), "{from:?} is not in {text}");
    std::fs::write(file, text.replace(from, to)).expect("a saved source");
}

/// `steward dev`, with what it tells. Its process ends with this value.
pub(crate) struct Dev {
    child: Child,
    told: Receiver<String>,
    pub(crate) api: String,
    /// Those of all its hosts.
    pub(crate) apis: Vec<String>,
    /// Where hosts that are killed leave what they keep for a while.
    _temporary: TempDir,
}

impl Dev {
    pub(crate) fn start(place: &Path, flags: &[&str]) -> Dev {
        let mut command = steward(place);
        let temporary = tempfile::tempdir().expect("a folder");
        command.args(["dev", "--port", "0", "-o", "json"]).args(flags).env("TMPDIR", temporary.path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("steward runs");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (tells, told) = sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if tells.send(line).is_err() {
                    break;
                }
            }
        });
        let mut dev = Dev { child, told, api: String::new(), apis: Vec::new(), _temporary: temporary };
        let ready = dev.tells("dev.ready");
        dev.api = ready["api"].as_str().expect("an address").to_owned();
        dev.apis = serde_json::from_value(ready["apis"].clone()).expect("addresses");
        dev
    }

    /// Returns the next thing of a type that it tells.
    #[track_caller]
    pub(crate) fn tells(&mut self, kind: &str) -> Value {
        self.tells_that(kind, |_| true)
    }

    #[track_caller]
    pub(crate) fn tells_that(&mut self, kind: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Vec::new();
        loop {
            let line = match self.told.recv_timeout(BUILT_WITHIN) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => panic!("no {kind} in time, only {seen:#?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("dev ended before {kind}, it told {seen:#?}"),
            };
            let object: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line} is no JSON"));
            if object["type"] == kind && is_it(&object) {
                return object;
            }
            seen.push(object);
        }
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(&mut self, signal: Signal) -> bool {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
        kill_process(pid, signal).expect("it runs");
        self.child.wait().expect("it ends").success()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // A process that has ended by itself cannot be killed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes a test over, with a word, where projects cannot be built.
macro_rules! needs_rust_for_wasm {
    () => {
        if let Some(missing) = missing() {
            eprintln!("passed over: {missing}");
            return;
        }
    };
}

#[test]
fn a_new_project_is_refused_where_something_is_and_under_a_name_that_cannot_be() {
    let (above, place) = project("orders");
    let before = std::fs::read_to_string(place.join("src/lib.rs")).expect("a source");
    for (words, exit, told) in [
        (vec!["new", "orders"], 6, "orders is there already, and is not empty"),
        (vec!["new", "My_Orders"], 2, "hint: steward new my-orders"),
        (vec!["new", "modules"], 2, "its service would live at a path of the host"),
        (vec!["new", "stock", "--lang", "cobol"], 2, "there is one for: rust, go, c, python"),
    ] {
        let refused = ran(steward(above.path()).args(&words));
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!((refused.status.code(), said.contains(told)), (Some(exit), true), "{said}");
    }
    assert_eq!(std::fs::read_to_string(place.join("src/lib.rs")).expect("a source"), before);
    assert_eq!(std::fs::read_dir(above.path()).expect("a folder").count(), 1, "nothing is left of what was refused");
}

#[test]
fn a_new_project_builds_to_a_component_and_its_tests_pass() {
    needs_rust_for_wasm!();
    let (_above, place) = project("red-orders");
    let path = done(&ran(steward(&place).args(["build"])));
    assert!(path.ends_with(".steward/red-orders.wasm"), "{path}");
    let told: Value =
        serde_json::from_str(&done(&ran(steward(&place).args(["build", ".", "-o", "json"])))).expect("JSON");
    let component = std::fs::read(&path).expect("a component");
    assert_eq!((&told["bytes"], &told["factory"]), (&json!(component.len()), &json!("/core/red-orders")));
    assert_eq!(told["imports"], json!(["steward:service/types@0.1.0", "steward:service/host@0.1.0"]));
    assert!(component.len() < 400 * 1024, "{} bytes", component.len());

    assert!(ran(steward(&place).args(["test"])).status.success());
    edit(&place.join("tests/service.rs"), "[\"count\"], 42", "[\"count\"], 43");
    let failed = ran(steward(&place).args(["test", ".", "--", "a_patch"]));
    assert_eq!(failed.status.code(), Some(10));

    edit(&place.join("src/lib.rs"), "self.count.saturating_add", "self.cuont.saturating_add");
    let failed = ran(steward(&place).args(["build", "-q"]));
    let said = String::from_utf8_lossy(&failed.stderr);
    assert_eq!((failed.status.code(), failed.stdout.len()), (Some(10), 0));
    assert!(said.contains("error[build-failed]") && said.contains("src/lib.rs:16"), "{said}");

    edit(&place.join("src/lib.rs"), "self.cuont.saturating_add", "self.count.saturating_add");
    let second = "#[derive(Document)]\npub struct Other {}\n\n#[service(name = \"other\", factory = \"/core/other\")]\nimpl Other {}";
    edit(&place.join("src/lib.rs"), "/// A counter.\n", &format!("{second}\n\n/// A counter.\n"));
    let failed = ran(steward(&place).args(["build", "-q"]));
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(said.contains("A component is one service: put each other one into a crate of its own"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn saves_are_followed_with_the_documents_kept_and_broken_ones_leave_the_old_code_serving() {
    needs_rust_for_wasm!();
    let (_above, place) = project("orders");
    let source = place.join("src/lib.rs");
    let mut dev = Dev::start(&place, &[]);
    let serves = dev.tells("dev.serves");
    assert_eq!((&serves["factory"], &serves["revision"]), (&json!("/core/orders"), &json!(1)));
    let client = Client::new(&dev.api);
    client.post("/core/orders", &json!({ "documentSelfLink": "a", "count": 3 })).await.expect(201);

    edit(&source, "unwrap_or(self.step)", "unwrap_or(self.step) * 10");
    let serves = dev.tells("dev.serves");
    assert_eq!((&serves["revision"], &serves["isNew"]), (&json!(2), &json!(true)));
    assert!(serves["millis"].as_u64().is_some_and(|millis| millis > 0), "{serves}");
    assert_eq!(client.patch("/core/orders/a", &json!({})).await.expect(200).json()["count"], 13);

    edit(&source, "* 10", "* ten");
    let fails = dev.tells("dev.fails");
    assert_eq!((&fails["error"]["code"], &fails["serves"]), (&json!("build-failed"), &json!(true)));
    assert!(fails["error"]["details"].to_string().contains("src/lib.rs:16"), "{fails}");
    assert_eq!(client.patch("/core/orders/a", &json!({})).await.expect(200).json()["count"], 23);

    edit(&source, "* ten", "* 100");
    dev.tells("dev.serves");
    assert_eq!(client.patch("/core/orders/a", &json!({})).await.expect(200).json()["count"], 123);
    let first = json!({ "documentSelfLink": "/core/orders/a", "version": 1 });
    let shown = client.post("/core/replays", &first).await.expect(200).json();
    let (then, now) = (&shown["recorded"]["state"]["count"], &shown["replayed"]["state"]["count"]);
    assert_eq!((then, now), (&json!(13), &json!(103)), "requests are recorded");
    assert!(dev.end(Signal::TERM), "it ends in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_says_is_shown_with_its_own_file_and_line_and_no_process_is_left() {
    needs_rust_for_wasm!();
    let (_above, place) = project("stock");
    let source = place.join("src/lib.rs");
    edit(&source, "&mut self, #[field", "&mut self, ctx: &mut Context, #[field");
    let logs = "ctx.log(steward_sdk::Level::Info, \"counts\");\n        assert!(by != Some(13), \"no thirteen\");\n        self.count =";
    edit(&source, "self.count = self.count.saturating_add", &format!("{logs} self.count.saturating_add"));
    let mut dev = Dev::start(&place, &["--fresh"]);
    dev.tells("dev.serves");
    let client = Client::new(&dev.api);
    client.post("/core/stock", &json!({ "documentSelfLink": "a" })).await.expect(201);
    client.patch("/core/stock/a", &json!({})).await.expect(200);
    let said = dev.tells("dev.log");
    assert_eq!(
        (&said["message"], &said["at"], &said["source"]),
        (&json!("counts"), &json!("src/lib.rs:16"), &json!("/core/stock/a"))
    );
    client.patch("/core/stock/a", &json!({ "by": 13 })).await;
    let broke = dev.tells_that("dev.log", |line| line["level"] == "error");
    let words = broke["message"].as_str().unwrap_or_default();
    assert!(words.contains("src/lib.rs:17") && words.contains("no thirteen"), "{broke}");

    assert!(dev.end(Signal::INT), "it ends in order");
    assert!(!place.join(".steward/data").exists(), "a fresh host keeps nothing");
    assert!(is_gone(&client).await, "the host ends before the command does");
}

/// Each document is answered by its owner, and each line of the log says who wrote it.
#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_serve_as_one_and_end_with_the_command() {
    needs_rust_for_wasm!();
    let (_above, place) = project("shelf");
    let source = place.join("src/lib.rs");
    edit(&source, "&mut self, #[field", "&mut self, ctx: &mut Context, #[field");
    let logs = "ctx.log(steward_sdk::Level::Info, \"counts\");\n        self.count =";
    edit(&source, "self.count = self.count.saturating_add", &format!("{logs} self.count.saturating_add"));
    let mut dev = Dev::start(&place, &["--nodes", "3"]);
    assert_eq!(dev.apis.len(), 3);
    dev.tells("dev.serves");
    let clients: Vec<Client> = dev.apis.iter().map(|api| Client::new(api)).collect();
    wait::until("all three are available", || async {
        let nodes = clients[0].get("/core/nodes").await;
        (nodes.status == 200 && nodes.json().to_string().matches("\"AVAILABLE\"").count() == 3).then_some(())
    })
    .await;
    let created = clients[0].post("/core/shelf", &json!({ "documentSelfLink": "a" })).await.expect(201).json();
    clients[1].patch("/core/shelf/a", &json!({})).await.expect(200);
    assert_eq!(clients[2].get("/core/shelf/a").await.expect(200).json()["documentVersion"], 1);
    let said = dev.tells("dev.log");
    assert_eq!((&said["message"], &said["source"]), (&json!("counts"), &json!("/core/shelf/a")));
    assert!(said["node"].as_str().is_some_and(|node| node.starts_with("dev-")), "{said}");
    assert!(created["documentOwner"].as_str().is_some_and(|owner| owner.starts_with("dev-")), "{created}");

    assert!(dev.end(Signal::TERM), "it ends in order");
    assert!(!place.join(".steward/data").exists(), "a group keeps nothing");
    for client in &clients {
        assert!(is_gone(client).await, "the hosts end before the command does");
    }
}

/// The template takes a step back once an hour: nobody has to wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_clock_is_moved_ahead_and_no_other() {
    needs_rust_for_wasm!();
    let (_above, place) = project("hours");
    let mut dev = Dev::start(&place, &["--clock", "virtual"]);
    dev.tells("dev.serves");
    let client = Client::new(&dev.api);
    let later = |seconds: u64| json!({ "kind": "AdvanceClockRequest", "advanceMicros": seconds * 1_000_000 });
    let before = client.patch("/core/management", &later(0)).await.expect(200).json()["timeMicros"].clone();
    let created = client.post("/core/hours", &json!({ "documentSelfLink": "a", "count": 5 })).await.expect(201).json();
    let soon = before.as_i64().expect("a time") + 1_800_000_000;
    let brief = json!({ "documentSelfLink": "brief", "documentExpirationTimeMicros": soon });
    client.post("/core/hours", &brief).await.expect(201);
    for left in [4, 3] {
        client.patch("/core/management", &later(3600)).await.expect(200);
        wait::until("an hour's step", || async {
            (client.get("/core/hours/a").await.expect(200).json()["count"] == left).then_some(())
        })
        .await;
    }
    client.get("/core/hours/brief").await.expect(404);
    let read = client.get("/core/hours/a").await.expect(200).json();
    let hours = |document: &Value| document["documentUpdateTimeMicros"].as_i64().expect("a time") / 3_600_000_000;
    assert!(hours(&read) - hours(&created) >= 1, "{read}");
    let refused = client.patch("/core/management", &later(u64::MAX / 1_000_000)).await.expect(400).json();
    assert_eq!(refused["errors"][0]["pointer"], "/advanceMicros", "{refused}");
    assert!(!place.join(".steward/data").exists(), "times that never were are not kept");

    let real = Dev::start(&place, &["--fresh"]);
    let refused = Client::new(&real.api).patch("/core/management", &later(1)).await.expect(405).json();
    assert!(refused["hints"].to_string().contains("--clock virtual"), "{refused}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_host_goes_with_a_command_that_is_killed() {
    let (_above, place) = project("brief");
    let mut dev = Dev::start(&place, &["--fresh"]);
    let client = Client::new(&dev.api);
    client.get("/health/live").await.expect(200);
    assert!(!dev.end(Signal::KILL));
    wait::until("the host is gone", || async { is_gone(&client).await.then_some(()) }).await;
}

async fn is_gone(client: &Client) -> bool {
    client.send(http::Method::GET, "/health/live", &[], "").await.is_err()
}
