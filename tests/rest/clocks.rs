//! Clocks of the machine that are wrong, or that somebody sets while the host runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use steward_tests::host::{Circumstances, Host};
use steward_tests::wait;

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
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let environment = vec![
            ("LD_PRELOAD".to_owned(), text(&self.path("clock.so"))),
            ("CLOCK_OFFSET_FILE".to_owned(), text(&self.path("offset"))),
        ];
        let circumstances = Circumstances { environment, ..Circumstances::default() };
        Host::start_under(circumstances, &std::env::temp_dir(), &[])
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
