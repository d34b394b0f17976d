//! Guests that compute or wait for long: how much time others still get.

use std::sync::Arc;
use std::time::{Duration, Instant};

use steward_sandbox::{Config, Module, Sandbox};

use crate::guest::{ECHO, Guest};
use crate::node::{Notes, config, patch, patch_for};
use crate::waiting::reading;

/// A guest that returns the document as it came, and loops for ever if that begins with a blank.
fn moody() -> Guest {
    Guest::patch(&format!(
        "(if (i32.eq (i32.load8_u (i32.load (local.get $arguments))) (i32.const 32))
           (then (loop $for_ever (br $for_ever))))
         {ECHO}"
    ))
}

async fn prove_quick(module: &Module) {
    for _ in 0..300 {
        patch(module, "{}").await.expect("an outcome");
    }
}

/// Returns the longest time that a timer of the runtime was late while `others` ran.
async fn latest(others: tokio::task::JoinSet<()>) -> Duration {
    let (mut others, mut latest) = (others, Duration::ZERO);
    loop {
        let began = Instant::now();
        let slept = tokio::time::sleep(Duration::from_millis(1));
        tokio::select! {
            ended = others.join_next() => if ended.is_none() { return latest },
            () = slept => latest = latest.max(began.elapsed()),
        }
    }
}

fn looping(module: &Arc<Module>, calls: usize) -> tokio::task::JoinSet<()> {
    let mut under_way = tokio::task::JoinSet::new();
    for _ in 0..calls {
        let module = Arc::clone(module);
        under_way.spawn(async move {
            patch(&module, " {}").await.expect_err("a loop");
        });
    }
    under_way
}

/// A sandbox whose guests have time enough on a machine that is busy with other tests.
fn patient(config: Config) -> Sandbox {
    Sandbox::new(Config {
        call_deadline: Duration::from_secs(60),
        call_deadline_max: Duration::from_secs(60),
        ..config
    })
    .expect("a sandbox")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loops_of_a_module_that_was_quick_do_not_hold_the_runtime() {
    let loops_for = Duration::from_secs(2);
    let sandbox = Sandbox::new(Config { call_deadline: loops_for, ..config() }).expect("a sandbox");
    let module = sandbox.prepare(&moody().component()).expect("a module");
    prove_quick(&module).await;
    let latest = latest(looping(&module, 4)).await;
    assert!(latest < loops_for / 2, "{latest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_loops_leaves_instances_and_workers_to_others() {
    let sandbox = patient(Config { instances_max: 8, workers_max: 4, ..config() });
    let bad = sandbox.prepare(&moody().component()).expect("a module");
    let good = sandbox.prepare(&Guest::patch(ECHO).component()).expect("another module");
    let mut loops = looping(&bad, 30);
    for _ in 0..200 {
        patch(&good, "{}").await.expect("an instance and a worker are left");
    }
    loops.abort_all();
    while loops.join_next().await.is_some() {}
}

#[tokio::test]
async fn who_waits_for_other_documents_leaves_instances_to_others() {
    let patience = Duration::from_millis(50);
    let sandbox = Sandbox::new(Config { instances_max: 8, queue_patience: patience, ..config() }).expect("a sandbox");
    let waiting = sandbox.prepare(&reading().component()).expect("a module");
    let notes = || Arc::new(Notes { patience: Duration::from_secs(60), ..Notes::default() });
    let (one, two, three) = tokio::join!(
        patch_for(&waiting, "{}", notes()),
        patch_for(&waiting, "{}", notes()),
        patch_for(&waiting, "{}", notes()),
    );
    let codes = [one, two, three].map(|ended| ended.expect_err("nothing comes").code().to_owned());
    assert_eq!(codes, ["guest-deadline", "guest-deadline", "guest-overloaded"], "a quarter of eight instances");
}

#[tokio::test]
async fn calls_beyond_the_queue_are_refused_at_once() {
    let sandbox = Sandbox::new(Config { instances_max: 4, queue_max: 1, ..config() }).expect("a sandbox");
    let waiting = sandbox.prepare(&reading().component()).expect("a module");
    let notes = || Arc::new(Notes { patience: Duration::from_millis(20), ..Notes::default() });
    let (one, two, three) = tokio::join!(
        patch_for(&waiting, "{}", notes()),
        patch_for(&waiting, "{}", notes()),
        patch_for(&waiting, "{}", notes()),
    );
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(three.expect_err("the queue is full").code(), "guest-overloaded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_ends_soon_after_nobody_waits_for_it_any_more() {
    let sandbox = Sandbox::new(Config { call_deadline: Duration::from_secs(600), ..config() }).expect("a sandbox");
    let module = sandbox.prepare(&moody().component()).expect("a module");
    let mut loops = looping(&module, 3);
    tokio::time::sleep(Duration::from_millis(20)).await;
    loops.abort_all();
    while loops.join_next().await.is_some() {}
    patch(&module, "{}").await.expect("an instance and a worker are free again");
}
