//! What programs around the command line see of it: exit codes, output that goes to files and pipes, input that has no end.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use serde_json::json;
use steward_tests::build;
use steward_tests::host::Host;
use steward_tests::wait;

use crate::commands::{at, printed, said};
use crate::outside::listening;
use crate::{component, host_with};

/// Returns `steward` with these words, without settings of this machine.
fn steward(arguments: &[&str]) -> Command {
    let mut command = Command::new(build::steward().expect("steward builds"));
    command.args(arguments).stdin(Stdio::null()).env_remove("STEWARD_URL").envs(build::code_cache());
    command
}

fn run(arguments: &[&str]) -> Output {
    steward(arguments).output().expect("steward runs")
}

fn host_in(place: &std::path::Path) -> Output {
    run(&["start", "--port", "0", "--data", place.to_str().expect("UTF-8")])
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cause_has_one_exit_code_whichever_command_meets_it() {
    let host = host_with(&[]).await;
    let base = host.client().base().to_owned();
    let file = host.folder().join("empty.wasm");
    std::fs::write(&file, b"\0asm\x01\0\0\0").expect("a file");
    let file = file.to_str().expect("UTF-8");
    let (deployed, inspected) = (at(&base, &["deploy", file, "-y"]).await, at(&base, &["inspect", file]).await);
    assert!(said(&deployed).contains("module-plain-core"), "{}", said(&deployed));
    assert_eq!([deployed.status.code(), inspected.status.code()], [Some(10); 2], "{}", said(&deployed));

    let data = host.data();
    let folder = data.to_str().expect("UTF-8");
    let (started, looked) = (host_in(&data), run(&["log", folder]));
    for output in [&started, &looked] {
        assert_eq!(output.status.code(), Some(8), "{}", said(output));
        assert!(said(output).contains(&format!("error[folder-in-use]: another steward uses the folder {folder}")));
    }
    let help = printed(&run(&["--help"]));
    for line in ["8  not ready", "9  no room: a disk is full", "10  guest broken"] {
        assert!(help.contains(line), "{help}");
    }
}

#[test]
fn output_that_is_lost_is_told_and_a_reader_that_has_read_enough_is_not() {
    for arguments in [&["--help"][..], &["help", "deploy"], &["--version"], &["start", "--print-config"], &["man"]] {
        let full = File::options().write(true).open("/dev/full").expect("a device that is full");
        let output = steward(arguments).stdout(full).output().expect("steward runs");
        assert_eq!(output.status.code(), Some(9), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains("cannot write all of the output"), "{arguments:?}: {}", said(&output));
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = steward(arguments).stdout(writer).output().expect("steward runs");
        assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_is_refused_before_it_is_read() {
    let host = host_with(&[]).await;
    let base = host.client().base().to_owned();
    for arguments in [
        &["inspect", "/dev/zero"][..],
        &["deploy", "/dev/zero", "-y"],
        &["post", "/core/x", "@/dev/zero"],
        &["post", "/core/x", "note=@/dev/zero"],
    ] {
        let refused = at(&base, arguments).await;
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {}", said(&refused));
        let told = "error[usage]: cannot read /dev/zero: it is no file but a device";
        assert!(said(&refused).contains(told), "{arguments:?}: {}", said(&refused));
    }
}

/// Answers every connection with bytes without end, until nobody reads them.
fn answers_for_ever() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n");
            while stream.write_all(&[b' '; 64 << 10]).is_ok() {}
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_end_is_refused_at_its_bound() {
    let host = host_with(&["counter"]).await;
    let zeros = File::open("/dev/zero").expect("a device without end");
    let posted = steward(&["post", "/core/counters", "-", "-H", host.client().base()]).stdin(zeros).output();
    let posted = posted.expect("steward runs");
    assert_eq!(posted.status.code(), Some(7), "{}", said(&posted));
    assert!(said(&posted).contains("error[too-large]: standard input has more than 12 MiB"), "{}", said(&posted));
    let endless = at(&answers_for_ever(), &["get", "/core/counters"]).await;
    assert_eq!(endless.status.code(), Some(1), "{}", said(&endless));
    assert!(said(&endless).contains("error[answer-too-long]"), "{}", said(&endless));
    // The file that says what a data folder is.
    let data = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("/dev/zero", data.path().join("format.json")).expect("a link");
    for refused in [host_in(data.path()), run(&["log", data.path().to_str().expect("UTF-8")])] {
        let told = said(&refused);
        assert!(refused.status.code() == Some(1) && told.contains("something else than a file"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_named_by_its_address_alone_and_nobody_stops_it_unasked() {
    let host = host_with(&["misbehave"]).await;
    let base = host.client().base();
    for (named, told) in [
        (base.replace("//", "//user@"), "names a user, and hosts know none"),
        (format!("{base}/core/misbehave"), "/core/misbehave is for the command"),
    ] {
        let refused = run(&["status", "-H", &named]);
        assert_eq!(refused.status.code(), Some(2), "{named}: {}", said(&refused));
        assert!(said(&refused).contains(told), "{named}: {}", said(&refused));
    }
    // Whoever answers without naming a node is none.
    let (foreign, _requests) = listening().await;
    for command in ["status", "services", "nodes"] {
        let told = at(&foreign, &[command]).await;
        assert_eq!(told.status.code(), Some(1), "{command}: {}", said(&told));
        assert!(said(&told).contains("is this a steward host?"), "{command}: {}", said(&told));
    }
    let stopped = at(base, &["stop"]).await;
    let told = said(&stopped);
    assert_eq!(stopped.status.code(), Some(2), "{told}");
    assert!(told.contains("nobody is here to be asked: Stop node ") && told.contains("--yes"), "{told}");
    // What a guest does wrong has one exit code, whatever asked it.
    host.client().post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let trapped = at(base, &["patch", "/core/misbehave/m", "do=panic"]).await;
    assert_eq!(trapped.status.code(), Some(10), "{}", said(&trapped));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_goes_into_a_pipe_is_whole() {
    let host = host_with(&["counter"]).await;
    let base = host.client().base().to_owned();
    let file = host.folder().join("counter.wasm");
    // Another module that behaves alike, so that the plan has much to say.
    let other = [component("counter").await.as_slice(), b"\0\x03\x01xy"].concat();
    std::fs::write(&file, other).expect("a file");
    let plan = at(&base, &["deploy", file.to_str().expect("UTF-8"), "--dry-run"]).await;
    let (shown, told) = (printed(&plan), said(&plan));
    assert!(plan.status.success(), "{told}");
    assert!(shown.contains("same descriptor, other code:") && shown.contains("0 documents"), "{shown}");
    assert!(!shown.contains('…'), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_was_inspected_is_not_compiled_again() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("counter.wasm");
    std::fs::write(&file, component("counter").await).expect("a file");
    let inspect = || {
        let mut command = steward(&["inspect", file.to_str().expect("UTF-8")]);
        command.env_remove("STEWARD_CODE_CACHE").env_remove("XDG_CACHE_HOME").env("HOME", home.path());
        let output = command.output().expect("steward runs");
        assert!(output.status.success(), "{}", said(&output));
        let kept = std::fs::read_dir(home.path().join(".cache/steward/code")).expect("a folder of compiled code");
        kept.map(|entry| entry.expect("an entry").file_name()).collect::<Vec<_>>()
    };
    let first = inspect();
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(inspect(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_type_is_not_taken_for_a_missing_one() {
    let host = host_with(&["todo"]).await;
    let base = host.client().base().to_owned();
    let created = at(&base, &["post", "/core/todos", "--id", "t", "title=home"]).await;
    assert!(created.status.success(), "{}", said(&created));
    for (word, found) in
        [("kind:=7", "a number instead of a text"), ("kind:=[]", "a list instead of a text"), ("kind:=null", "no kind")]
    {
        let refused = at(&base, &["patch", "/core/todos/t", word]).await;
        let told = format!("found {found}");
        assert!(said(&refused).contains(&told), "{word}: {}", said(&refused));
    }
    let named = at(&base, &["get", "/core/todos/t", "-H", "host:99999"]).await;
    assert_eq!(named.status.code(), Some(2), "{}", said(&named));
}

/// Sets a timer with a tag, for which it has no handler, and has one for another tag.
const TAGS: &str = r#"import { service } from "steward";
export default service("/core/tags")
  .patch((tags, body, ctx) => {
    if (body.tag) ctx.selfPatch({}).after("1ms").replyTag(body.tag);
    else tags.done = (tags.done ?? 0) + 1;
  })
  .reply("heard", (tags) => { tags.heard = true; });
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_only_there_to_cancel_a_timer_is_no_warning() {
    let host = host_with(&[]).await;
    let client = host.client();
    let file = host.folder().join("tags.js");
    std::fs::write(&file, TAGS).expect("a file");
    let deployed = at(client.base(), &["deploy", file.to_str().expect("UTF-8"), "-y"]).await;
    assert!(deployed.status.success(), "{}", said(&deployed));
    client.post("/core/tags", &json!({ "documentSelfLink": "t" })).await.expect(201);
    for tag in ["unheard", "heard"] {
        client.patch("/core/tags/t", &json!({ "tag": tag })).await.expect(200);
    }
    wait::until("both have gone off, and one answer is heard", || async {
        let tags = client.get("/core/tags/t").await.expect(200).json();
        let pending = client.get("/core/tags/t/effects").await.expect(200).json();
        (tags["done"] == 2 && tags["heard"] == true && pending["pendingCount"] == 0).then_some(())
    })
    .await;
    assert!(!host.log().contains("WARN"), "{}", host.log());
}

#[test]
fn a_host_that_cannot_be_started_twice_leaves_the_folder_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start_in(folder.path(), &[]).expect("it starts");
    assert_eq!(host_in(&host.data()).status.code(), Some(8));
    assert!(run(&["status", "-H", host.client().base()]).status.success());
}
