//! Guests that wait: for other documents, and in WASI.

use std::sync::Arc;
use std::time::{Duration, Instant};

use steward_sandbox::CallError;

use crate::guest::Guest;
use crate::node::{Notes, patch, patch_for, prepare};

/// A guest that reads `/core/one` and returns it as its own state.
pub(crate) fn reading() -> Guest {
    Guest {
        imports: r#"(import "steward:service/host@0.1.0" "read" (func $read (param i32 i32 i32)))"#.to_owned(),
        text: "/core/one".to_owned(),
        ..Guest::patch(
            "(call $read (i32.const 16384) (i32.const 9) (i32.const 256))
             (if (i32.load8_u (i32.const 256)) (then unreachable))
             (call $document (i32.load (i32.const 260)) (i32.load (i32.const 264)))",
        )
    }
}

fn patient(patience: Duration) -> Arc<Notes> {
    Arc::new(Notes { patience, ..Notes::default() })
}

#[tokio::test]
async fn a_guest_may_wait_for_another_document() {
    let module = prepare(&reading());
    assert!(module.waits());
    for _ in 0..3 {
        let outcome = patch_for(&module, "{}", patient(Duration::from_millis(2))).await.expect("an outcome");
        assert_eq!(outcome.document.as_deref(), Some(br#"{"documentSelfLink":"/core/one"}"#.as_slice()));
    }
    assert_eq!(module.usage().made, 1);
}

#[tokio::test]
async fn a_wait_counts_against_the_deadline() {
    let module = prepare(&reading());
    let failed = patch_for(&module, "{}", patient(Duration::from_secs(60))).await.expect_err("too slow");
    assert_eq!(failed, CallError::Deadline { limit: Duration::from_millis(100) });
    assert!(patch(&module, "{}").await.is_ok(), "the next call is not harmed");
}

#[tokio::test]
async fn a_guest_that_waits_and_loops_lets_others_go_on_until_its_deadline() {
    let looping = Guest { patch: "(loop $for_ever (br $for_ever)) (i32.const 0)".to_owned(), ..reading() };
    let guest =
        Guest { functions: "(func (call $read (i32.const 0) (i32.const 0) (i32.const 0)))".to_owned(), ..looping };
    // Time enough on a machine that is busy with other tests.
    let module = prepare(&guest.describing(r#","limits":{"deadlineMillis":2000}"#));
    let begun = Instant::now();
    let other = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        begun.elapsed()
    };
    let looping = async { (patch(&module, "{}").await, begun.elapsed()) };
    let ((failed, loop_took), other_took) = tokio::join!(looping, other);
    assert_eq!(failed.expect_err("a loop").code(), "guest-deadline");
    assert!(other_took < loop_took, "{other_took:?} of {loop_took:?}");
}

#[tokio::test]
async fn a_recursion_without_end_on_a_fibre_uses_up_the_stack_and_nothing_else() {
    let functions = "(func (call $read (i32.const 0) (i32.const 0) (i32.const 0)))".to_owned();
    let module = prepare(&Guest { patch: "(call $patch (local.get $arguments))".to_owned(), functions, ..reading() });
    for _ in 0..2 {
        assert_eq!(patch(&module, "{}").await.expect_err("no end").code(), "guest-stack");
    }
}

#[tokio::test]
async fn a_fault_of_the_host_reaches_the_guest() {
    let guest = Guest {
        imports: r#"(import "steward:service/host@0.1.0" "query" (func $query (param i32 i32 i32)))"#.to_owned(),
        text: "{}".to_owned(),
        ..Guest::patch(
            "(call $query (i32.const 16384) (i32.const 2) (i32.const 256))
             (if (i32.ne (i32.load16_u (i32.const 260)) (i32.const 404)) (then unreachable))
             (call $document (i32.load (i32.const 272)) (i32.load (i32.const 276)))",
        )
    };
    let outcome = patch(&prepare(&guest), "{}").await.expect("an outcome");
    assert_eq!(outcome.document.as_deref(), Some(b"{}".as_slice()), "the message of the fault");
}

#[tokio::test]
async fn dropping_the_future_ends_the_call() {
    let module = prepare(&reading());
    let notes = patient(Duration::from_secs(60));
    let call = patch_for(&module, "{}", Arc::clone(&notes));
    assert!(tokio::time::timeout(Duration::from_millis(5), call).await.is_err());
    assert_eq!(Arc::strong_count(&notes), 1, "nothing of the call is left");
}

/// A guest built against WASI 0.2 that reads the clock and its environment.
fn wasi() -> Guest {
    Guest {
        imports: r#"(import "wasi:clocks/wall-clock@0.2.3" "now" (func $now (param i32)))
                    (import "wasi:cli/environment@0.2.3" "get-environment" (func $environment (param i32)))"#
            .to_owned(),
        world_imports: "import wasi:clocks/wall-clock@0.2.3; import wasi:cli/environment@0.2.3;",
        packages: "
            package wasi:clocks@0.2.3 {
              interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }
            }
            package wasi:cli@0.2.3 {
              interface environment { get-environment: func() -> list<tuple<string, string>>; }
            }",
        ..Guest::patch(
            "(call $now (i32.const 256))
             (if (i64.lt_u (i64.load (i32.const 256)) (i64.const 1000000000)) (then unreachable))
             (call $environment (i32.const 256))
             (if (i32.load (i32.const 260)) (then unreachable))
             (i32.const 1024)",
        )
    }
}

#[tokio::test]
async fn a_guest_that_needs_wasi_gets_a_clock_and_an_empty_environment() {
    let module = prepare(&wasi());
    assert!(module.waits());
    patch(&module, "{}").await.expect("a true clock and no environment");
}
