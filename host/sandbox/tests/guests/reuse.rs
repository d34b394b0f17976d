//! Instances: when one serves another call, and when it does not.

use std::sync::Arc;

use steward_sandbox::{Config, Module, Sandbox};

use crate::guest::{ECHO, Guest};
use crate::node::{config, patch, prepare};

/// A guest that counts its calls and traps from the given one on.
fn remembering(calls_max: u32) -> Guest {
    Guest::patch(&format!(
        "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
         (if (i32.gt_u (global.get $calls) (i32.const {calls_max})) (then unreachable))
         (i32.const 1024)"
    ))
}

async fn call(module: &Module, times: usize) {
    for _ in 0..times {
        patch(module, "{}").await.expect("an outcome");
    }
}

#[tokio::test]
async fn an_instance_serves_one_call_after_the_other() {
    let module = prepare(&Guest::patch(ECHO));
    call(&module, 10).await;
    assert_eq!((module.usage().made, module.usage().idle), (1, 1));
}

#[tokio::test]
async fn an_instance_that_trapped_is_not_used_again() {
    let module = prepare(&remembering(2));
    call(&module, 2).await;
    patch(&module, "{}").await.expect_err("a trap");
    assert_eq!(module.usage().idle, 0);
    call(&module, 2).await;
    assert_eq!(module.usage().made, 2);
}

#[tokio::test]
async fn isolation_per_call_gives_each_call_an_instance_of_its_own() {
    let module = prepare(&remembering(1).describing(r#","isolation":"per-call""#));
    call(&module, 5).await;
    assert_eq!((module.usage().made, module.usage().idle), (5, 0));
}

#[tokio::test]
async fn an_instance_is_retired_after_its_calls() {
    let sandbox = Sandbox::new(Config { calls_per_instance_max: 3, ..config() }).expect("a sandbox");
    let module = sandbox.prepare(&remembering(3).component()).expect("a module");
    call(&module, 7).await;
    assert_eq!(module.usage().made, 3);
}

#[tokio::test]
async fn an_instance_whose_memory_has_grown_is_retired() {
    let sandbox = Sandbox::new(Config { growth_bytes_max: 100 << 10, ..config() }).expect("a sandbox");
    let growing = Guest::patch("(drop (memory.grow (i32.const 1))) (i32.const 1024)");
    let module = sandbox.prepare(&growing.component()).expect("a module");
    call(&module, 4).await;
    assert_eq!(module.usage().made, 2);
}

#[tokio::test]
async fn idle_instances_of_one_module_make_room_for_another() {
    let sandbox = Sandbox::new(Config { instances_max: 1, ..config() }).expect("a sandbox");
    let first = sandbox.prepare(&Guest::patch(ECHO).component()).expect("a module");
    call(&first, 1).await;
    let second = sandbox.prepare(&Guest::document("{}").component()).expect("another module");
    call(&second, 1).await;
    assert_eq!((first.usage().idle, second.usage().idle), (0, 1));
}

#[tokio::test]
async fn modules_outlive_their_sandbox_and_keep_their_deadlines() {
    let sandbox = Sandbox::new(config()).expect("a sandbox");
    let looping = Guest::patch("(loop $for_ever (br $for_ever)) (i32.const 0)");
    let module = sandbox.prepare(&looping.component()).expect("a module");
    drop(sandbox);
    assert_eq!(patch(&module, "{}").await.expect_err("a loop").code(), "guest-deadline");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_the_same_time_have_instances_of_their_own() {
    let module = prepare(&Guest::patch(ECHO));
    let calls = (0..50).map(|number| {
        let module = Arc::clone(&module);
        tokio::spawn(async move {
            let document = format!(r#"{{"number":{number}}}"#);
            let outcome = patch(&module, &document).await.expect("an outcome");
            assert_eq!(outcome.document.as_deref(), Some(document.as_bytes()));
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("no panic");
    }
}
