//! Clocks of the machine that are wrong, or that somebody sets while the host runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::host::{Circumstances, Host};
use steward_tests::wait;
use tokio::net::TcpSocket;

use crate::component;

/// A library that moves the time of day by as many seconds as stand in a file, for the process that it is loaded into; and with it the
/// time at which files called `clock` were written, by which the process learns what time it is for the file system.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long offset(void) {
    FILE *file = fopen(getenv("CLOCK_OFFSET_FILE"), "r");
    long long seconds = 0;
    if (file) {
        if (fscanf(file, "%lld", &seconds) != 1) seconds = 0;
        fclose(file);
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    if (!failed && clock == CLOCK_REALTIME) time->tv_sec += offset();
    return failed;
}

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *told) {
    int failed = (int)syscall(SYS_statx, folder, path, flags, mask, told);
    size_t length = path ? strlen(path) : 0;
    if (!failed && length > 6 && !strcmp(path + length - 6, "/clock")) told->stx_mtime.tv_sec += offset();
    return failed;
}
"#;

/// A clock that stands where its file says.
struct FalseClock {
    folder: tempfile::TempDir,
}

impl FalseClock {
    fn new() -> FalseClock {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("clock.c");
        std::fs::write(&source, SHIM).expect("a file");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(folder.path().join("clock.so")).arg(source);
        assert!(compiler.status().expect("a C compiler").success());
        FalseClock { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets the clock so many seconds away from the true time.
    fn set(&self, seconds: i64) {
        let part = self.path("offset.part");
        std::fs::write(&part, seconds.to_string()).expect("a file");
        std::fs::rename(part, self.path("offset")).expect("a file");
    }

    fn start(&self) -> anyhow::Result<Host> {
        self.start_with(&[])
    }

    fn start_with(&self, flags: &[&str]) -> anyhow::Result<Host> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let environment = vec![
            ("LD_PRELOAD".to_owned(), text(&self.path("clock.so"))),
            ("CLOCK_OFFSET_FILE".to_owned(), text(&self.path("offset"))),
        ];
        let circumstances = Circumstances { environment, ..Circumstances::default() };
        Host::start_under(circumstances, &std::env::temp_dir(), flags)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_before_1970_is_refused_with_the_reason() {
    let clock = FalseClock::new();
    clock.set(-100 * 365 * 24 * 3600);
    let refused = tokio::task::block_in_place(|| clock.start().map(drop)).expect_err("no host starts");
    assert!(format!("{refused:#}").contains("before 1970"), "{refused:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_that_a_host_is_up_rises_when_its_clock_is_set_back() {
    let clock = FalseClock::new();
    clock.set(0);
    let host = tokio::task::block_in_place(|| clock.start()).expect("the host starts");
    let client = host.client();
    let up = || async { client.get("/core/management").await.expect(200).json()["upTimeMicros"].as_i64() };
    let before = up().await.expect("a number");
    clock.set(-24 * 3600);
    let far_back = client.get("/core/management").await.expect(200).json()["documentUpdateTimeMicros"].clone();
    assert_ne!(far_back, json!(null));
    wait::until("it has risen", || async { up().await.filter(|up| *up > before) }).await;
}

const DAY_SECONDS: i64 = 24 * 3600;

/// Starts a host with the service `guest` by a clock that is ahead by so many days.
async fn ahead(clock: &FalseClock, days: i64, guest: &str) -> Host {
    clock.set(days * DAY_SECONDS);
    let flags = ["--outbound-allow", "127.0.0.1"];
    let host = tokio::task::block_in_place(|| clock.start_with(&flags)).expect("the host starts");
    host.client().deploy(&component(guest).await, None).await;
    host
}

/// Kills a host, and starts it by a clock that is ahead by so many days.
fn start_again(host: &mut Host, clock: &FalseClock, days: i64) {
    host.kill();
    clock.set(days * DAY_SECONDS);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_get_later_times_when_the_clock_was_set_back_while_the_host_was_down() {
    let clock = FalseClock::new();
    let mut host = ahead(&clock, 1, "counter").await;
    let link = "/core/counters/c";
    host.client().post("/core/counters", &json!({ "documentSelfLink": link })).await.expect(201);
    let time = |client: Client| async move {
        client.patch(link, &json!({})).await.expect(200);
        client.get(link).await.expect(200).json()["documentUpdateTimeMicros"].as_i64().expect("a number")
    };
    let before = time(host.client().clone()).await;
    tokio::task::block_in_place(|| host.stop()).expect("it stops");
    start_again(&mut host, &clock, 0);
    let after = time(host.client().clone()).await;
    assert!(after > before, "{after} is before {before}");
    start_again(&mut host, &clock, -1);
    assert!(time(host.client().clone()).await > after, "after a kill, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_that_was_set_by_a_clock_far_ahead_is_no_longer_than_it_says() {
    let clock = FalseClock::new();
    let mut host = ahead(&clock, 7, "duties").await;
    for name in ["from", "to"] {
        host.client().post("/core/diaries", &json!({ "documentSelfLink": name })).await.expect(201);
    }
    let letter = json!({ "to": "/core/diaries/to", "note": "late", "delayMillis": 2_500 });
    host.client().patch("/core/diaries/from", &json!({ "letters": [letter] })).await.expect(200);
    start_again(&mut host, &clock, 0);
    wait::until("the timer goes off", || async {
        let diary = host.client().get("/core/diaries/to").await.expect(200).json();
        (diary["notes"] == json!(["late"])).then_some(())
    })
    .await;
}

/// A component that describes itself by the clock: as `early` before the second `turns` of the Unix epoch, and as `late` from then on.
fn two_faced(early: &Value, late: &Value, turns: i64) -> Vec<u8> {
    let escaped = |text: &[u8]| text.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let texts = [(early.to_string(), 64), (late.to_string(), 4096)];
    let place = |at: usize| {
        let (text, place) = &texts[at];
        let length = u32::try_from(text.len()).expect("short");
        escaped(&[u32::to_le_bytes(*place), length.to_le_bytes()].concat())
    };
    let component = format!(
        r#"(component
             (type $datetime (record (field "seconds" u64) (field "nanoseconds" u32)))
             (import "wasi:clocks/wall-clock@0.2.0" (instance $clock
               (alias outer 1 $datetime (type $shape))
               (export "datetime" (type $datetime (eq $shape)))
               (export "now" (func (result $datetime)))))
             (core module $memory (memory (export "memory") 1))
             (core instance $memory (instantiate $memory))
             (core func $now (canon lower (func $clock "now") (memory (core memory $memory "memory"))))
             (core module $m
               (import "memory" "memory" (memory 1))
               (import "clock" "now" (func $now (param i32)))
               (data (i32.const 16) "{}")
               (data (i32.const 24) "{}")
               (data (i32.const 64) "{}")
               (data (i32.const 4096) "{}")
               (func (export "describe") (result i32)
                 (call $now (i32.const 0))
                 (select (i32.const 16) (i32.const 24) (i64.lt_u (i64.load (i32.const 0)) (i64.const {turns})))))
             (core instance $m (instantiate $m
               (with "memory" (instance $memory))
               (with "clock" (instance (export "now" (func $now))))))
             (func $describe (result string)
               (canon lift (core func $m "describe") (memory (core memory $memory "memory"))))
             (instance $service (export "describe" (func $describe)))
             (export "steward:service/service@0.1.0" (instance $service)))"#,
        place(0),
        place(1),
        escaped(texts[0].0.as_bytes()),
        escaped(texts[1].0.as_bytes()),
    );
    wat::parse_str(component).expect("a valid component")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_held_to_what_it_said_of_itself_when_it_was_taken_in() {
    let early = json!({
        "name": "two-faced", "version": "1.0.0", "factory": "/t/faces", "documentKind": "early",
        "stateSchema": { "type": "object", "properties": { "count": { "type": "integer" } } }
    });
    let late = json!({
        "name": "other", "version": "9.0.0", "factory": "/t/others", "documentKind": "late",
        "options": ["STATELESS"], "stateVersion": 7
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let module = two_faced(&early, &late, i64::try_from(now).expect("a small number") + DAY_SECONDS);
    let clock = FalseClock::new();
    clock.set(0);
    let mut host = tokio::task::block_in_place(|| clock.start_with(&[])).expect("the host starts");
    host.client().deploy(&module, None).await;
    host.client().post("/t/faces", &json!({ "documentSelfLink": "f", "count": 1 })).await.expect(201);
    let described = |host: &Host| {
        let client = host.client().clone();
        async move {
            let factory = client.get("/core/factories/t/faces").await.expect(200).json();
            ["moduleName", "moduleVersion", "options", "stateVersion"].map(|field| factory[field].clone())
        }
    };
    let said = described(&host).await;
    start_again(&mut host, &clock, 2);
    // A section of its own makes it a module that nobody has asked yet: it is another service by now.
    let unknown = [&module[..], b"\0\x04\x03abc"].concat();
    let media = [("content-type", "application/wasm")];
    let planned = host.client().send(Method::POST, "/core/modules?dryRun", &media, unknown).await.expect("an answer");
    assert_eq!(planned.expect(200).json()["descriptor"]["name"], "other");
    assert_eq!(described(&host).await, said);
    let client = host.client();
    let read = client.get("/t/faces/f").await.expect(200).json();
    assert_eq!((&read["count"], &read["documentKind"]), (&json!(1), &json!("early")));
    client.put("/t/faces/f", &json!({ "count": "no number" })).await.expect(400);
    client.post("/t/faces", &json!({ "documentSelfLink": "g", "count": 2 })).await.expect(201);
    start_again(&mut host, &clock, 3);
    assert_eq!(host.client().get("/t/faces/g").await.expect(200).json()["count"], 2, "it is kept, as it was said");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_that_an_earlier_process_has_tried_for_more_than_a_day_is_given_up() {
    let clock = FalseClock::new();
    let mut host = ahead(&clock, 0, "duties").await;
    let away = TcpSocket::new_v4().expect("a socket");
    away.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let to = format!("http://{}/hook", away.local_addr().expect("an address"));
    host.client().post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    let letter = json!({ "to": to, "note": "nobody is there", "tag": "hook" });
    host.client().patch("/core/diaries/d", &json!({ "letters": [letter] })).await.expect(200);
    let pending =
        || async { host.client().get("/core/diaries/d/effects").await.expect(200).json()["pendingCount"].clone() };
    assert_eq!(pending().await, 1);
    start_again(&mut host, &clock, 2);
    let replies = wait::until("it is answered", || async {
        let replies = host.client().get("/core/diaries/d").await.expect(200).json()["replies"].clone();
        (replies != json!([])).then_some(replies)
    })
    .await;
    assert_eq!(replies, json!(["hook 0"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_that_nobody_uses_are_removed_after_an_hour_and_the_others_stay() {
    let clock = FalseClock::new();
    clock.set(0);
    let host = tokio::task::block_in_place(|| clock.start()).expect("the host starts");
    let client = host.client();
    client.deploy(&component("counter").await, None).await;
    let file = |digest: &str| host.data().join("modules").join(format!("{digest}.wasm"));
    let mut files = Vec::new();
    for name in ["todo", "presence"] {
        let installed = client.upload(&component(name).await).await.expect(201).json();
        let digest = installed["digest"].as_str().expect("a digest");
        client.delete(&format!("/core/modules/{digest}")).await.expect(200);
        files.push(file(digest));
    }
    let used = client.get("/core/factories/core/counters").await.expect(200).json()["moduleDigest"].clone();
    let used = file(used.as_str().expect("a digest"));
    let (unused, young) = (&files[0], &files[1]);
    // The host looks at each change of what is installed. None of them is an hour old, and neither is its start.
    client.deploy(&component("greeting").await, None).await;
    assert!(unused.exists() && young.exists() && used.exists());
    clock.set(7200);
    let touched = std::fs::File::options().write(true).open(young).expect("a module");
    touched.set_modified(SystemTime::now() + std::time::Duration::from_secs(7200)).expect("made younger");
    client.deploy(&component("relay").await, None).await;
    wait::until("it is removed", || async { (!unused.exists()).then_some(()) }).await;
    assert!(young.exists() && used.exists());
    client.post("/core/counters", &json!({})).await.expect(201);
}
