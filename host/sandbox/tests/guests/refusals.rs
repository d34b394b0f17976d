//! Modules that are refused when they are deployed, each with a sentence that says what is wrong and how to mend it.

use steward_sandbox::{PrepareError, inspect};

use crate::guest::Guest;
use crate::node::sandbox;

fn refusal(bytes: &[u8]) -> PrepareError {
    sandbox().prepare(bytes).expect_err("must be refused")
}

fn assert_says(refused: &PrepareError, code: &str, words: &[&str]) {
    let text = refused.to_string();
    assert_eq!(refused.code(), code, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn a_file_that_is_no_webassembly_is_refused() {
    assert_says(&refusal(b""), "module-not-wasm", &["empty", "deploy the .wasm file"]);
    assert_says(&refusal(b"(module)"), "module-not-wasm", &["WebAssembly text", "wasm-tools parse"]);
    assert_says(&refusal(b"#!/bin/sh"), "module-not-wasm", &["begins with"]);
}

#[test]
fn a_plain_core_module_is_refused() {
    assert_says(&refusal(&Guest::default().plain_core()), "module-plain-core", &["without component metadata", "SDK"]);
}

#[test]
fn a_broken_file_is_refused_wherever_it_was_cut() {
    let component = Guest::default().component();
    for cut in [9, 100, component.len() / 2, component.len() - 1] {
        let refused = refusal(&component[..cut]);
        assert_says(&refused, "module-broken", &["offset", "send it again"]);
        assert_eq!(inspect(&component[..cut]).expect_err("broken").code(), "module-broken");
    }
}

#[test]
fn a_component_with_an_invalid_function_is_refused() {
    let component = wat::parse_str(
        r#"(component (core module (func (result i32) i64.const 1))
             (instance $empty) (export "steward:service/service@0.1.0" (instance $empty)))"#,
    )
    .expect("text that is well formed and does not validate");
    assert_says(&refusal(&component), "module-broken", &["offset"]);
}

#[test]
fn a_foreign_import_is_refused_by_name() {
    let guest = Guest {
        imports: r#"(import "foreign:clock/now@1.0.0" "get" (func (result i64)))"#.to_owned(),
        world_imports: "import foreign:clock/now@1.0.0;",
        packages: "package foreign:clock@1.0.0 { interface now { get: func() -> u64; } }",
        ..Guest::default()
    };
    let words = ["foreign import `foreign:clock/now@1.0.0`", "WASI 0.2", "build it without"];
    assert_says(&refusal(&guest.component()), "module-foreign-import", &words);
    assert!(inspect(&guest.component()).expect("a valid component").imports.iter().any(|i| i.starts_with("foreign:")));
}

#[test]
fn a_core_import_that_the_metadata_does_not_name_is_refused() {
    let preview_1 = r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#;
    let guest = Guest { imports: preview_1.to_owned(), ..Guest::default() };
    assert_says(&refusal(&guest.core()), "module-not-encodable", &["wasi_snapshot_preview1", "wasm32-unknown-unknown"]);
}

#[test]
fn an_unknown_version_of_the_world_is_refused() {
    let guest = Guest { version: "0.2.0", ..Guest::default() };
    let words = ["unknown world version `steward:service/service@0.2.0`", "upgrade the host"];
    assert_says(&refusal(&guest.component()), "module-unknown-world", &words);
}

#[test]
fn a_later_patch_of_the_known_world_is_accepted() {
    let guest = Guest { version: "0.1.7", ..Guest::default() };
    let module = sandbox().prepare(&guest.component()).expect("a compatible version");
    assert_eq!(module.world(), "0.1.7");
}

#[test]
fn a_component_that_is_no_service_is_refused() {
    let component = wat::parse_str(r#"(component (instance $i) (export "other:thing/api" (instance $i)))"#);
    let words = ["is no service", "other:thing/api", "service-guest"];
    assert_says(&refusal(&component.expect("valid text")), "module-no-service", &words);
    let empty = wat::parse_str("(component)").expect("valid text");
    assert_says(&refusal(&empty), "module-no-service", &["but nothing"]);
}

#[test]
fn an_http_component_is_refused_for_what_it_wants_or_lacks() {
    let exporting = |imports: &str, interface: &str| {
        let text = format!(r#"(component {imports} (instance $i) (export "{interface}" (instance $i)))"#);
        refusal(&wat::parse_str(text).expect("valid text"))
    };
    let incoming = "wasi:http/incoming-handler@0.2.3";
    let foreign = exporting(r#"(import "steward:service/host@0.1.0" (instance))"#, incoming);
    assert_says(&foreign, "module-foreign-import", &["steward:service/host@0.1.0", "HTTP component", "wasi:http 0.2"]);
    assert_says(&exporting("", incoming), "module-no-service", &["`handle`"]);
    let newer = exporting("", "wasi:http/handler@0.3.0");
    assert_says(&newer, "module-newer-http", &["0.3.0", "wasi:http/proxy@0.2"]);
}

#[test]
fn an_export_of_another_type_is_refused_by_name() {
    let component = wat::parse_str(
        r#"(component
             (core module $m (func (export "describe") (result i32) (i32.const 1)))
             (core instance $m (instantiate $m))
             (func $describe (result u32) (canon lift (core func $m "describe")))
             (instance $service (export "describe" (func $describe)))
             (export "steward:service/service@0.1.0" (instance $service)))"#,
    );
    assert_says(&refusal(&component.expect("valid text")), "module-export-type", &["`describe`", "SDK"]);
}

#[test]
fn a_module_that_wants_more_memory_than_there_is_cannot_be_compiled() {
    let guest = Guest { functions: "(memory $more 1000)".to_owned(), ..Guest::default() };
    assert_says(&refusal(&guest.component()), "module-not-compilable", &["ceilings"]);
}

#[test]
fn a_bad_descriptor_is_refused() {
    let refused = refusal(&Guest::default().describing(r#","options":["STATELESS","PERSISTENCE"]"#).component());
    assert_says(&refused, "module-descriptor", &["exclude each other"]);
}

#[test]
fn a_module_that_traps_when_it_describes_itself_is_refused() {
    let guest = Guest { functions: "(func $start unreachable) (start $start)".to_owned(), ..Guest::default() };
    assert_says(&refusal(&guest.component()), "module-not-described", &["trapped"]);
}
