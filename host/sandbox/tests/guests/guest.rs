//! Builds guests out of WebAssembly text and the WIT of this repository.
//!
//! A guest is one core module. Its memory has this layout:
//!
//! ```text
//!    1024   an outcome that decides nothing
//!    2048   an outcome with a document, see `$document`
//!    8192   the descriptor
//!   16384   a text of the test's choice, see `Guest::text`
//!   65536   what the host hands over, and memory that the guest asks for
//! ```

use std::fmt::Write as _;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A guest under construction: a service `tester` with the handler `handle-patch`.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// More fields of the descriptor, beginning with a comma.
    pub(crate) descriptor: String,
    /// Body of `handle-patch`; `$arguments` is where the arguments are, the result where the outcome is.
    pub(crate) patch: String,
    /// Imports of the core module.
    pub(crate) imports: String,
    /// More functions of the core module.
    pub(crate) functions: String,
    /// A text at 16384.
    pub(crate) text: String,
    /// Version of the world.
    pub(crate) version: &'static str,
    /// Imports of the world, in WIT.
    pub(crate) world_imports: &'static str,
    /// Further packages, in WIT.
    pub(crate) packages: &'static str,
}

impl Default for Guest {
    fn default() -> Guest {
        Guest {
            descriptor: String::new(),
            patch: NOTHING.to_owned(),
            imports: String::new(),
            functions: String::new(),
            text: String::new(),
            version: "0.1.0",
            world_imports: "",
            packages: "",
        }
    }
}

/// Decides nothing.
pub(crate) const NOTHING: &str = "(i32.const 1024)";

/// Returns the document as it came.
pub(crate) const ECHO: &str =
    "(call $document (i32.load (local.get $arguments)) (i32.load offset=4 (local.get $arguments)))";

impl Guest {
    /// A guest whose `handle-patch` has this body.
    pub(crate) fn patch(body: &str) -> Guest {
        Guest { patch: body.to_owned(), ..Guest::default() }
    }

    /// A guest whose `handle-patch` returns this text as the document.
    pub(crate) fn document(text: &str) -> Guest {
        let body = format!("(call $document (i32.const 16384) (i32.const {}))", text.len());
        Guest { text: text.to_owned(), ..Guest::patch(&body) }
    }

    /// Adds fields to the descriptor.
    pub(crate) fn describing(self, fields: &str) -> Guest {
        Guest { descriptor: fields.to_owned(), ..self }
    }

    /// Returns the core module without component metadata.
    pub(crate) fn plain_core(&self) -> Vec<u8> {
        wat::parse_str(self.wat()).expect("valid text")
    }

    /// Returns the core module with component metadata.
    pub(crate) fn core(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("world.wit", &self.wit()).expect("valid WIT");
        let world = resolve.select_world(&[package], Some("service-guest")).expect("the world of guests");
        let mut module = self.plain_core();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
        module
    }

    /// Returns the component.
    pub(crate) fn component(&self) -> Vec<u8> {
        let encoder = ComponentEncoder::default();
        encoder.validate(true).module(&self.core()).and_then(|mut encoder| encoder.encode()).expect("a component")
    }

    fn wit(&self) -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
        let read = |name: &str| std::fs::read_to_string(format!("{folder}/{name}.wit")).expect("a file of the world");
        let world = read("world").replace("0.1.0", self.version);
        let world = world.replace("import host;", &format!("import host; {}", self.world_imports));
        [world, read("types"), read("host"), read("service"), self.packages.to_owned()].join("\n")
    }

    fn wat(&self) -> String {
        let descriptor = format!(
            r#"{{"name":"tester","version":"1.0.0","factory":"/core/testers","handlers":["handle-patch","migrate","merge"]{}}}"#,
            self.descriptor
        );
        let mut wat = format!("(module {}\n{BASE}\n{}\n", self.imports, self.functions);
        let service = format!("steward:service/service@{}", self.version);
        let _ = writeln!(wat, "(data (i32.const 8192) {descriptor:?}) (data (i32.const 16384) {:?})", self.text);
        let _ = write!(
            wat,
            r#"(func (export "{service}#describe") (result i32)
                 (i32.store (i32.const 512) (i32.const 8192)) (i32.store (i32.const 516) (i32.const {}))
                 (i32.const 512))
               (func (export "{service}#migrate") (param i32 i32 i32) (result i32)
                 (call $json (local.get 0) (local.get 1)))
               (func (export "{service}#merge") (param i32 i32 i32 i32) (result i32)
                 (call $json (local.get 2) (local.get 3)))
               (func $patch (export "{service}#handle-patch") (param $arguments i32) (result i32) {})
               (func (export "cabi_post_{service}#handle-patch") (param i32) (global.set $heap (i32.const 65536)))"#,
            descriptor.len(),
            self.patch,
        );
        for handler in ["create", "start", "stop", "get", "post", "put", "delete", "maintenance", "reply"] {
            let _ = write!(wat, r#"(func (export "{service}#handle-{handler}") (param i32) (result i32) {NOTHING})"#);
        }
        wat.push(')');
        wat
    }
}

const BASE: &str = r#"
  (memory (export "memory") 4)
  (global $heap (mut i32) (i32.const 65536))
  (global $calls (mut i32) (i32.const 0))
  (func $realloc (export "cabi_realloc") (param $old i32) (param $old_bytes i32) (param $align i32) (param $bytes i32) (result i32)
    (local $start i32)
    (local.set $start (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $start) (local.get $bytes)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $fits (i32.ne (i32.const -1)
        (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $bytes) (i32.const 65536))))))
      (unreachable))
    (local.get $start))
  (func $document (param $text i32) (param $bytes i32) (result i32)
    (i32.store8 (i32.const 2048) (i32.const 0))
    (i32.store8 offset=8 (i32.const 2048) (i32.const 1))
    (i32.store offset=12 (i32.const 2048) (local.get $text))
    (i32.store offset=16 (i32.const 2048) (local.get $bytes))
    (i32.const 2048))
  (func $json (param $text i32) (param $bytes i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store offset=4 (i32.const 512) (local.get $text))
    (i32.store offset=8 (i32.const 512) (local.get $bytes))
    (i32.const 512))
"#;
