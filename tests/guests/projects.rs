//! The author's loop for scripts: a new project, its tests, its module, and a host that follows every save.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};
use steward_tests::build;
use steward_tests::client::Client;
use tempfile::TempDir;

use crate::compile_runner;

/// The languages of projects, and the ending of their files.
const SCRIPTS: [(&str, &str); 2] = [("javascript", "js"), ("typescript", "ts")];

fn steward(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(build::steward().expect("steward builds"));
    command.current_dir(folder).env_remove("STEWARD_URL").args(words);
    command.envs(build::code_cache());
    command
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn ran(folder: &Path, words: &[&str]) -> Output {
    steward(folder, words).output().expect("steward runs")
}

fn project(language: &str) -> (TempDir, PathBuf) {
    let above = tempfile::tempdir().expect("a folder");
    done(&ran(above.path(), &["new", "red-orders", "--lang", language]));
    let place = above.path().join("red-orders");
    (above, place)
}

/// Returns why tests of scripts cannot run here, if they cannot.
fn missing() -> Option<&'static str> {
    let version = Command::new("node").arg("--version").output().ok();
    let version = version.map(|asked| String::from_utf8_lossy(&asked.stdout).into_owned()).unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= 20) { None } else { Some("there is no Node.js 20") }
}

#[track_caller]
fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("a source");
    assert!(text.contains(from), "{from:?} is not in {text}");
    std::fs::write(file, text.replace(from, to)).expect("a saved source");
}

#[test]
fn a_new_project_becomes_a_module_without_tools() {
    for (language, ending) in SCRIPTS {
        let (_above, place) = project(language);
        let told: Value = serde_json::from_str(&done(&ran(&place, &["build", "-o", "json"]))).expect("JSON");
        assert_eq!((&told["name"], &told["factory"]), (&json!("red-orders"), &json!("/core/red-orders")));
        assert_eq!(told["imports"], json!(["steward:service/host@0.1.0"]));
        assert!(told["bytes"].as_u64().is_some_and(|bytes| bytes < 2000), "{told}");
        let file = format!("service.{ending}");
        let shown = done(&ran(&place, &["inspect", &file]));
        assert!(shown.contains("file     script") && shown.contains("factory  /core/red-orders"), "{shown}");
        edit(&place.join(&file), "counter.count +=", "counter.count = +=");
        let failed = ran(&place, &["build"]);
        let said = String::from_utf8_lossy(&failed.stderr);
        assert_eq!(failed.status.code(), Some(10), "{said}");
        assert!(said.contains(&format!("{file}:6")), "{said}");
    }
}

#[test]
fn a_folder_with_a_service_in_python_becomes_a_module_without_tools() {
    compile_runner("service.py");
    let folder = tempfile::tempdir().expect("a folder");
    let (place, file) = (folder.path(), folder.path().join("service.py"));
    std::fs::copy(build::repository().join("guest-examples/counter/python/service.py"), &file).expect("a service");
    let told: Value = serde_json::from_str(&done(&ran(place, &["build", "-o", "json"]))).expect("JSON");
    assert_eq!((&told["name"], &told["factory"]), (&json!("counter"), &json!("/core/counters")));
    assert_eq!(told["imports"], json!(["steward:service/host@0.1.0"]));
    assert!(told["bytes"].as_u64().is_some_and(|bytes| bytes < 2000), "{told}");
    let shown = done(&ran(place, &["inspect", "service.py"]));
    assert!(shown.contains("file     script") && shown.contains("factory  /core/counters"), "{shown}");
    edit(&file, "self.count +=", "self.count = +=");
    let failed = ran(place, &["build"]);
    let said = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(10), "{said}");
    assert!(said.contains("service.py:12: SyntaxError"), "{said}");
}

#[test]
fn a_new_project_in_python_is_a_script_and_a_component_only_if_it_says_so() {
    compile_runner("service.py");
    let (_above, place) = project("python");
    let told: Value = serde_json::from_str(&done(&ran(&place, &["build", "-o", "json"]))).expect("JSON");
    assert_eq!((&told["name"], &told["factory"]), (&json!("red-orders"), &json!("/core/red-orders")));
    assert_eq!(told["imports"], json!(["steward:service/host@0.1.0"]));
    assert!(told["bytes"].as_u64().is_some_and(|bytes| bytes < 2000), "{told}");
    if Command::new("python3").arg("--version").output().is_ok_and(|answer| answer.status.success()) {
        done(&ran(&place, &["test"]));
        edit(&place.join("test_service.py"), "[\"count\"], 42", "[\"count\"], 43");
        assert_eq!(ran(&place, &["test"]).status.code(), Some(10));
    } else {
        eprintln!("passed over: there is no Python");
    }
    edit(&place.join("pyproject.toml"), "[project]", "[dependency-groups]\ndev = [\"componentize-py\"]\n\n[project]");
    let said = refused(steward(&place, &["build"]).env("PATH", "/none"), "tool-missing");
    assert!(said.contains("without that word the project is a script") && said.contains("pip install"), "{said}");
}

/// Returns what a command says that ends with the exit code of builds and tests.
#[track_caller]
fn refused(command: &mut Command, code: &str) -> String {
    let output = command.output().expect("steward runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(10), "{said}");
    assert!(said.contains(&format!("error[{code}]")), "{said}");
    said
}

#[test]
fn a_tool_that_is_missing_is_named_with_the_same_exit_code_in_every_language() {
    for (language, verb, file) in
        [("c", "build", "cc"), ("c", "test", "cc"), ("python", "test", "python3"), ("javascript", "test", "node")]
    {
        let (_above, place) = project(language);
        let said = refused(steward(&place, &[verb]).env("PATH", "/none"), "tool-missing");
        assert!(said.contains("hint:"), "{language}, {verb} without {file}: {said}");
    }
}

#[test]
fn types_are_checked_where_tsc_is_and_it_is_said_where_it_is_not() {
    let (_above, place) = project("typescript");
    let built = steward(&place, &["build"]).env("PATH", "/none").output().expect("steward runs");
    let said = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(built.status.success() && said.contains("types are not checked: there is no tsc"), "{said}");

    let tools = tempfile::tempdir().expect("a folder");
    let tsc = tools.path().join("tsc");
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap_or_default());
    let made = |text: &str| {
        std::fs::write(&tsc, format!("#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n{text}\n")).expect("a file");
        std::fs::set_permissions(&tsc, std::fs::Permissions::from_mode(0o755)).expect("a program");
    };
    made("echo \"service.ts(3,5): error TS2322: in $(cat \"$2\")\"; exit 2");
    for verb in ["build", "test"] {
        let said = refused(steward(&place, &[verb]).env("PATH", &path), "build-failed");
        assert!(said.contains("TS2322") && said.contains("\"files\":[\"../service.ts\"]"), "{said}");
        assert!(said.contains("\"extends\":\"../tsconfig.json\""), "{said}");
    }
    made("exit 0");
    let built = steward(&place, &["build"]).env("PATH", &path).output().expect("steward runs");
    assert!(built.status.success() && !String::from_utf8_lossy(&built.stderr).contains("types"), "{built:?}");
}

#[test]
fn the_tests_of_a_new_project_pass_and_those_of_a_broken_one_fail() {
    if let Some(missing) = missing() {
        eprintln!("passed over: {missing}");
        return;
    }
    for (language, ending) in SCRIPTS {
        let (_above, place) = project(language);
        done(&ran(&place, &["test"]));
        edit(&place.join(format!("service.test.{ending}")), "body.count, 42", "body.count, 43");
        assert_eq!(ran(&place, &["test"]).status.code(), Some(10), "{language}");
    }
}

#[test]
fn the_page_of_the_sdk_tells_what_works_and_the_sdk_passes_its_own_tests() {
    if let Some(missing) = missing() {
        eprintln!("passed over: {missing}");
        return;
    }
    let page = std::fs::read_to_string(build::repository().join("sdk/javascript/README.md")).expect("a page");
    let blocks: Vec<&str> = page.split("```ts\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let (_above, place) = project("typescript");
    for (name, text) in ["service.ts", "service.test.ts"].iter().zip(blocks) {
        std::fs::write(place.join(name), text).expect("a file");
    }
    done(&ran(&place, &["test"]));
    let own = build::repository().join("sdk/javascript/tests/sdk.test.js");
    done(&Command::new("node").arg("--test").arg(own).output().expect("node runs"));
}

/// `steward dev`, with what it tells. Its process ends with this value.
struct Dev {
    child: Child,
    told: BufReader<ChildStdout>,
}

impl Dev {
    fn start(place: &Path) -> Dev {
        let mut command = steward(place, &["dev", "--port", "0", "--fresh", "-o", "json"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("steward runs");
        let told = BufReader::new(child.stdout.take().expect("a pipe"));
        Dev { child, told }
    }

    /// Returns the next thing of a type that it tells.
    #[track_caller]
    fn tells(&mut self, kind: &str) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.told.read_line(&mut line).expect("text"), 0, "dev ended before {kind}");
            let object: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line} is no JSON"));
            if object["type"] == kind {
                return object;
            }
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // A process that has ended by itself cannot be killed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn saves_are_served_at_once_with_the_documents_kept_and_broken_ones_leave_the_old_code_serving() {
    let (_above, place) = project("typescript");
    let source = place.join("service.ts");
    let mut dev = Dev::start(&place);
    let client = Client::new(dev.tells("dev.ready")["api"].as_str().expect("an address"));
    assert_eq!(dev.tells("dev.serves")["revision"], 1);
    client.post("/core/red-orders", &json!({ "documentSelfLink": "a", "count": 3 })).await.expect(201);

    edit(&source, "by ?? counter.step;", "10 * (by ?? counter.step);");
    let serves = dev.tells("dev.serves");
    assert_eq!(client.patch("/core/red-orders/a", &json!({})).await.expect(200).json()["count"], 13);
    eprintln!("from save to served: {} ms", serves["millis"]);

    edit(&source, "10 * (by", "10 * * (by");
    let fails = dev.tells("dev.fails");
    assert_eq!(fails["serves"], true);
    assert!(fails["error"].to_string().contains("service.ts:6"), "{fails}");
    assert_eq!(client.patch("/core/red-orders/a", &json!({})).await.expect(200).json()["count"], 23);
}
