//! Guests that misbehave: each fails one call with the right code, and the next call works.

use std::sync::Arc;
use std::time::Duration;

use steward_model::json;
use steward_sandbox::{CallError, Config, Module, Part, Sandbox};

use crate::guest::Guest;
use crate::node::{config, patch, prepare};

/// Calls the guest with a document that makes it misbehave (it begins with a blank), then with one that does not.
async fn once(body: &str) -> CallError {
    let module = prepare(&Guest::patch(&format!(
        "(if (i32.eq (i32.load8_u (i32.load (local.get $arguments))) (i32.const 32)) (then {body} (drop)))
         (i32.const 1024)"
    )));
    let failed = patch(&module, " {}").await.expect_err("a failure");
    assert!(patch(&module, "{}").await.is_ok(), "the next call is not harmed");
    failed
}

/// Calls a guest twice that fails in the same way each time.
async fn always(module: &Module) -> CallError {
    let failed = patch(module, "{}").await.expect_err("a failure");
    assert_eq!(patch(module, "{}").await.expect_err("a failure"), failed);
    failed
}

#[tokio::test]
async fn a_loop_ends_at_the_deadline() {
    let failed = once("(loop $for_ever (br $for_ever)) (i32.const 0)").await;
    assert_eq!(failed.code(), "guest-deadline");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_ends_at_the_deadline_on_a_runtime_with_several_threads() {
    let failed = once("(loop $for_ever (br $for_ever)) (i32.const 0)").await;
    assert_eq!(failed.code(), "guest-deadline");
}

#[tokio::test]
async fn a_trap_names_its_reason_and_the_functions_of_the_guest() {
    let failed = once("(unreachable) (i32.const 0)").await;
    assert_eq!(failed.code(), "guest-trap");
    let CallError::Trap { message, said, backtrace } = failed else { panic!("{failed:?}") };
    assert_eq!((message.as_str(), said.as_str()), ("wasm `unreachable` instruction executed", ""));
    assert!(backtrace.contains("patch"), "{backtrace}");
}

#[tokio::test]
async fn a_recursion_without_end_uses_up_the_stack_and_nothing_else() {
    let failed = once("(call $patch (local.get $arguments))").await;
    assert_eq!(failed, CallError::StackOverflow { limit: 512 << 10 });
    assert_eq!(failed.code(), "guest-stack");
}

#[tokio::test]
async fn a_guest_that_is_denied_memory_and_aborts_fails_for_want_of_memory() {
    let grow = "(loop $more
                  (br_if $more (i32.ne (memory.grow (i32.const 4)) (i32.const -1))) (unreachable))
                (i32.const 0)";
    let failed = once(grow).await;
    assert_eq!(failed.code(), "guest-memory");
    assert!(matches!(failed, CallError::Memory { limit, asked } if limit == 4 << 20 && asked > limit), "{failed:?}");
}

#[tokio::test]
async fn a_guest_that_is_denied_memory_and_can_live_with_it_goes_on() {
    let body = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 4)) (i32.const -1)))) (i32.const 1024)";
    let module = prepare(&Guest::patch(body));
    assert!(patch(&module, "{}").await.is_ok());
}

#[tokio::test]
async fn a_table_grows_no_further_than_its_ceiling() {
    let grow = "(if (i32.eq (table.grow $table (ref.null func) (i32.const 20000)) (i32.const -1)) (then unreachable))
                (i32.const 1024)";
    let guest = Guest { functions: "(table $table 1 funcref)".to_owned(), ..Guest::patch(grow) };
    assert_eq!(always(&prepare(&guest)).await.code(), "guest-trap");
}

#[tokio::test]
async fn a_descriptor_may_ask_for_less_memory_and_time() {
    let body = "(if (i32.eq (memory.grow (i32.const 8)) (i32.const -1)) (then unreachable)) (i32.const 1024)";
    let module = prepare(&Guest::patch(body).describing(r#","limits":{"memoryBytes":524288,"deadlineMillis":20}"#));
    assert_eq!(always(&module).await, CallError::Memory { asked: 12 << 16, limit: 8 << 16 });
    assert_eq!(module.deadline().as_millis(), 20);
}

#[tokio::test]
async fn a_text_that_is_no_json_is_refused_with_its_place() {
    let failed = always(&prepare(&Guest::document("{oops}"))).await;
    assert_eq!(failed.code(), "guest-json");
    assert!(
        matches!(
            failed,
            CallError::NotJson { what: Part::Document, fault: json::Error::Syntax { line: 1, column: 2, .. } }
        ),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_document_that_is_no_object_is_refused() {
    let failed = always(&prepare(&Guest::document("[1]"))).await;
    assert_eq!(failed.code(), "guest-document");
}

#[tokio::test]
async fn a_document_above_its_ceiling_is_refused() {
    let body = "(call $document (i32.const 131072) (i32.const 100000))";
    let failed = always(&prepare(&Guest::patch(body))).await;
    assert_eq!(failed, CallError::OutputTooLarge { what: Part::Document, max: 64 << 10 });
    assert_eq!(failed.code(), "guest-output");
}

#[tokio::test]
async fn a_huge_output_is_refused_before_the_host_copies_it() {
    let body = "(drop (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 3000000)))
                (call $document (i32.const 65536) (i32.const 3000000))";
    let failed = always(&prepare(&Guest::patch(body))).await;
    assert_eq!(failed, CallError::OutputTooLarge { what: Part::Output, max: 1 << 20 });
}

#[tokio::test]
async fn headers_that_share_one_huge_value_are_counted_one_by_one() {
    let body = "(local $header i32)
        (local.set $header (i32.const 131072))
        (loop $next
          (i32.store (local.get $header) (i32.const 196608))
          (i32.store offset=8 (local.get $header) (i32.const 196608))
          (i32.store offset=12 (local.get $header) (i32.const 65536))
          (local.set $header (i32.add (local.get $header) (i32.const 16)))
          (br_if $next (i32.lt_u (local.get $header) (i32.const 132072))))
        (i32.store offset=24 (i32.const 2048) (i32.const 131072))
        (i32.store offset=28 (i32.const 2048) (i32.const 60))
        (i32.const 2048)";
    let failed = always(&prepare(&Guest::patch(body))).await;
    assert_eq!(failed, CallError::OutputTooLarge { what: Part::Output, max: 1 << 20 });
}

/// An outcome with `count` effects that all lie in memory full of zeros, and so are GETs to nowhere.
fn effects(count: u32) -> Guest {
    Guest::patch(&format!(
        "(drop (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const {})))
         (i32.store offset=44 (i32.const 2048) (i32.const 131072))
         (i32.store offset=48 (i32.const 2048) (i32.const {count}))
         (i32.const 2048)",
        65536 + count * 48
    ))
}

#[tokio::test]
async fn too_many_effects_are_refused() {
    let failed = always(&prepare(&effects(100))).await;
    assert_eq!(failed, CallError::TooManyEffects { count: 100, max: 64 });
    assert_eq!(failed.code(), "guest-effects");
}

#[tokio::test]
async fn ten_thousand_effects_are_refused() {
    let failed = always(&prepare(&effects(10_000))).await;
    let too_many = matches!(failed, CallError::TooManyEffects { .. } | CallError::OutputTooLarge { .. });
    assert!(too_many, "{failed:?}");
}

#[tokio::test]
async fn an_effect_to_nowhere_is_refused() {
    let failed = always(&prepare(&effects(1))).await;
    assert!(matches!(failed, CallError::Effect { number: 0, .. }), "{failed:?}");
}

#[tokio::test]
async fn a_pointer_out_of_memory_is_a_trap() {
    let failed = always(&prepare(&Guest::patch("(call $document (i32.const -8) (i32.const 100))"))).await;
    assert_eq!(failed.code(), "guest-trap");
}

#[tokio::test]
async fn a_text_that_is_no_utf8_is_no_json() {
    let body = "(i32.store8 (i32.const 16384) (i32.const 255)) (call $document (i32.const 16384) (i32.const 1))";
    assert_eq!(always(&prepare(&Guest::patch(body))).await.code(), "guest-json");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sandbox_that_ends_all_calls_lets_none_run_on() {
    let long = Duration::from_secs(3600);
    let config = Config { call_deadline: long, call_deadline_max: long, ..config() };
    let sandbox = Sandbox::new(config).expect("a sandbox");
    let looping = Guest::patch("(loop $for_ever (br $for_ever)) (i32.const 0)");
    let module = sandbox.prepare(&looping.component()).expect("a service");
    let under_way = tokio::spawn({
        let module = Arc::clone(&module);
        async move { patch(&module, "{}").await }
    });
    sandbox.end_calls();
    for ended in [under_way.await.expect("no panic"), patch(&module, "{}").await] {
        assert_eq!(ended.expect_err("a failure").code(), "guest-deadline");
    }
}
