//! Clocks of the machine that are wrong, or that somebody sets while the host runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use steward_tests::client::Client;
use steward_tests::host::{Circumstances, Host};
use steward_tests::wait;
use tokio::net::TcpSocket;

use crate::component;

/// A library that moves the time of day by as many seconds as stand in a file, for the process that it is loaded into.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    if (!failed && clock == CLOCK_REALTIME) {
        FILE *file = fopen(getenv("CLOCK_OFFSET_FILE"), "r");
        long long offset = 0;
        if (file) {
            if (fscanf(file, "%lld", &offset) != 1) offset = 0;
            fclose(file);
        }
        time->tv_sec += offset;
    }
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
