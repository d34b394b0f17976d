//! Guests that behave: what the host hands to them, and what it gets back.

use std::sync::Arc;

use steward_model::service::Handler;
use steward_sandbox::{Call, CallError, Imports, Kind, Level, Module, Occasion, Silent, inspect};

use crate::guest::{ECHO, Guest};
use crate::node::{Notes, patch, patch_for, prepare, request, sandbox};

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn a_document_reaches_the_guest_and_comes_back() {
    let module = prepare(&Guest::patch(ECHO));
    let outcome = assert_send(patch(&module, r#"{"count":1}"#)).await.expect("an outcome");
    assert_eq!(outcome.document.as_deref(), Some(br#"{"count":1}"#.as_slice()));
    assert!(!module.waits());
    assert_eq!(module.world(), "0.1.0");
}

#[tokio::test]
async fn every_part_of_a_request_is_where_the_world_says() {
    // Returns the body of the request as the document, if all numbers are as in `node::request`.
    let body = r#"
        (if (i64.ne (i64.load offset=56 (local.get $arguments)) (i64.const 1)) (then unreachable))
        (if (i64.ne (i64.load offset=64 (local.get $arguments)) (i64.const 2)) (then unreachable))
        (if (i64.ne (i64.load offset=72 (local.get $arguments)) (i64.const 3)) (then unreachable))
        (if (i32.ne (i32.load8_u offset=80 (local.get $arguments)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load offset=28 (local.get $arguments)) (i32.const 1)) (then unreachable))
        (call $document (i32.load offset=36 (local.get $arguments)) (i32.load offset=40 (local.get $arguments)))"#;
    let outcome = patch(&prepare(&Guest::patch(body)), "{}").await.expect("an outcome");
    assert_eq!(outcome.document.as_deref(), Some(br#"{"by":1}"#.as_slice()));
}

#[tokio::test]
async fn a_refusal_keeps_its_status_and_code() {
    let body = r#"
        (i32.store8 (i32.const 2048) (i32.const 1))
        (i32.store16 offset=8 (i32.const 2048) (i32.const 409))
        (i32.store offset=12 (i32.const 2048) (i32.const 16384)) (i32.store offset=16 (i32.const 2048) (i32.const 8))
        (i32.const 2048)"#;
    let module = prepare(&Guest { text: "overflow".to_owned(), ..Guest::patch(body) });
    let refused = patch(&module, "{}").await.expect_err("a refusal");
    assert_eq!(refused.code(), "overflow");
    assert!(matches!(refused, CallError::Refused(fault) if fault.status == 409));
    assert_eq!(module.usage().idle, 1, "a guest that refuses is in order");
}

#[tokio::test]
async fn a_core_module_with_metadata_becomes_the_same_service() {
    let guest = Guest::patch(ECHO);
    let module = sandbox().prepare(&guest.core()).expect("an encoded module");
    let component = module.component_bytes().expect("the component that was made").clone();
    assert_eq!(sandbox().prepare(&component).expect("a component").digest(), module.digest());
    assert!(patch(&module, "{}").await.is_ok());
}

#[tokio::test]
async fn migrate_returns_a_state() {
    let module: Arc<Module> = prepare(&Guest::default());
    let host: Arc<dyn Imports> = Arc::new(Silent);
    let migrated = module.migrate(br#"{"a":1}"#, 1, &host).await;
    assert_eq!(migrated.as_deref(), Ok(br#"{"a":1}"#.as_slice()));
}

#[tokio::test]
async fn a_handler_that_is_not_listed_is_not_called() {
    let module = prepare(&Guest::default());
    let request = request();
    let call = Call { occasion: Occasion::Get, document: b"{}", request: &request };
    let refused = module.call(call, &(Arc::new(Silent) as Arc<dyn Imports>)).await;
    assert_eq!(refused, Err(CallError::MissingHandler { handler: Handler::HandleGet }));
}

#[tokio::test]
async fn log_lines_and_statistics_reach_the_node() {
    let guest = Guest {
        imports: r#"(import "steward:service/host@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
                    (import "steward:service/host@0.1.0" "stat" (func $stat (param i32 i32 f64)))"#
            .to_owned(),
        text: "hello{}".to_owned(),
        ..Guest::patch(
            r#"(call $log (i32.const 3) (i32.const 16384) (i32.const 5) (i32.const 16389) (i32.const 2))
               (call $stat (i32.const 16384) (i32.const 5) (f64.const 1.5))
               (call $stat (i32.const 16384) (i32.const 5) (f64.const inf))
               (i32.const 1024)"#,
        )
    };
    let notes = Arc::new(Notes::default());
    let module = prepare(&guest);
    patch_for(&module, "{}", Arc::clone(&notes)).await.expect("an outcome");
    assert_eq!(*notes.lines.lock().expect("no panic"), [(Level::Warn, "hello".to_owned(), "{}".to_owned())]);
    assert_eq!(*notes.stats.lock().expect("no panic"), [("hello".to_owned(), 1.5)]);
    assert_eq!(Arc::strong_count(&notes), 1, "an idle instance holds nothing of the node");
}

#[tokio::test]
async fn log_lines_beyond_the_ceiling_are_dropped_and_the_log_says_so() {
    let guest = Guest {
        imports: r#"(import "steward:service/host@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))"#.to_owned(),
        text: "again".to_owned(),
        ..Guest::patch(
            "(local $left i32) (local.set $left (i32.const 5000))
             (loop $again
               (call $log (i32.const 2) (i32.const 16384) (i32.const 5) (i32.const 0) (i32.const 0))
               (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
             (i32.const 1024)",
        )
    };
    let notes = Arc::new(Notes::default());
    patch_for(&prepare(&guest), "{}", Arc::clone(&notes)).await.expect("an outcome");
    let lines = notes.lines.lock().expect("no panic");
    assert_eq!(lines.len(), 1001);
    assert!(lines[1000].1.contains("dropped"), "{:?}", lines[1000]);
}

#[test]
fn inspection_names_imports_exports_and_sizes_without_compiling() {
    let guest = Guest::default();
    let inspection = inspect(&guest.core()).expect("a core module with metadata");
    assert_eq!(inspection.kind, Kind::CoreModule);
    assert_eq!(inspection.world.as_deref(), Some("0.1.0"));
    assert!(inspection.exports.contains(&"steward:service/service@0.1.0".to_owned()));
    assert!(inspection.sections.iter().any(|section| section.name == "code" && section.bytes > 0));
    assert!(inspection.producers.iter().any(|producer| producer.name == "wit-component"));
}
