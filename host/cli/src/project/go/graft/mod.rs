//! Makes a module that asks nothing of WASI out of what the Go compiler writes for `wasip1`.
//!
//! **Problem.** Go's runtime imports WASI 0.1. Joined with the usual adapter, every look at the clock leaves the component, which it may
//! not do while the host hands over arguments: after some thousands of calls the garbage collector looks at the clock right then,
//! and the call ends with "cannot leave component instance". Besides, each text that the host hands over enters Go's scheduler to ask
//! for memory.
//!
//! **Promise.** Each import of WASI is replaced by a few instructions inside of the module, so that Go's runtime never leaves it: the
//! clock shows the moment of the call, randomness grows out of the call's seed, what is printed becomes lines of the log, a sleep
//! ends at once, and there are no files. Memory for what the host hands over comes from an arena that the SDK sets aside, and only what
//! is too large for it from Go. What remains to be imported is our own interface.
//!
//! ```text
//!   before                                   after
//!   import wasi_snapshot_preview1.…  ─┐
//!   import steward:sdk.…             ─┼──▶   functions of the module itself   (stand_in)
//!   import steward:service/host.…    ────▶   import steward:service/host.…
//!   export describe, handle-…        ────▶   export describe, handle-…, cabi_realloc
//! ```
//!
//! Left out: a monotonic clock that measures anything. It moves by a microsecond at each look, so that Go's runtime sees time pass.

mod stand_in;

use wasm_encoder::reencode::{Error as Reencoding, Reencode, utils};
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, FunctionSection, GlobalSection, ImportSection, Module, TypeSection,
};
use wasmparser::{CompositeInnerType, FuncType, Parser, Payload, TypeRef};

use stand_in::{Own, Places, StandIn};

/// Where the log of the host is imported from; the SDK always imports it.
const LOG: (&str, &str) = ("steward:service/host@0.1.0", "log");

/// The function of the SDK that takes memory from Go.
const ALLOCATE: &str = "steward-allocate";

/// Under which name the host asks for memory.
const REALLOC: &str = "cabi_realloc";

/// Why a module cannot be grafted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The module lacks what the SDK brings.
    #[error("it has no {0}")]
    NoSdk(&'static str),
    /// The module is none that Go's compiler writes.
    #[error("{0}")]
    Foreign(String),
}

/// Returns the module without imports of WASI.
///
/// # Errors
/// [`Error`] if it was not made of the SDK by the Go compiler.
pub(super) fn graft(module: &[u8]) -> Result<Vec<u8>, Error> {
    let survey = Survey::of(module)?;
    let mut grafted = Module::new();
    let mut graft = Graft { survey };
    let foreign = |error: Reencoding| Error::Foreign(error.to_string());
    graft.parse_core_module(&mut grafted, Parser::new(0), module).map_err(foreign)?;
    Ok(grafted.finish())
}

/// What has to be known of a module before it is written anew.
struct Survey {
    /// What becomes of each imported function.
    imports: Vec<Option<StandIn>>,
    /// The type of each imported function.
    types: Vec<u32>,
    type_count: u32,
    function_count: u32,
    global_count: u32,
    allocate: u32,
    log: u32,
}

impl Survey {
    fn of(module: &[u8]) -> Result<Survey, Error> {
        let foreign = |error: wasmparser::BinaryReaderError| Error::Foreign(error.to_string());
        let mut functions: Vec<FuncType> = Vec::new();
        let (mut imports, mut types) = (Vec::new(), Vec::new());
        let (mut function_count, mut global_count, mut allocate, mut log) = (0, 0, None, None);
        for payload in Parser::new(0).parse_all(module) {
            match payload.map_err(foreign)? {
                Payload::TypeSection(section) => {
                    for group in section {
                        for ty in group.map_err(foreign)?.into_types() {
                            let CompositeInnerType::Func(ty) = ty.composite_type.inner else {
                                return Err(Error::Foreign("it has types that are no functions".to_owned()));
                            };
                            functions.push(ty);
                        }
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.map_err(foreign)?;
                        let TypeRef::Func(ty) = import.ty else {
                            return Err(Error::Foreign(format!("it imports {}, which is no function", import.name)));
                        };
                        if (import.module, import.name) == LOG {
                            log = Some(u32::try_from(imports.len()).unwrap_or(u32::MAX));
                        }
                        imports.push(StandIn::of(import.module, import.name));
                        types.push(ty);
                    }
                }
                Payload::FunctionSection(section) => function_count = section.count(),
                Payload::GlobalSection(section) => global_count = section.count(),
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.map_err(foreign)?;
                        allocate = allocate.or((export.name == ALLOCATE).then_some(export.index));
                    }
                }
                _ => {}
            }
        }
        Ok(Survey {
            imports,
            types,
            type_count: u32::try_from(functions.len()).unwrap_or(u32::MAX),
            function_count,
            global_count,
            allocate: allocate.ok_or(Error::NoSdk("function `steward-allocate`, which the SDK exports"))?,
            log: log.ok_or(Error::NoSdk("import of the host's log, which the SDK uses"))?,
        })
    }

    /// Returns how many imports stay.
    fn kept(&self) -> u32 {
        count(self.imports.iter().filter(|stand_in| stand_in.is_none()))
    }

    /// Returns the new number of a function.
    fn function(&self, old: u32) -> u32 {
        let imported = count(self.imports.iter());
        if old >= imported {
            return old - imported + self.kept();
        }
        let before = &self.imports[..old as usize];
        match self.imports[old as usize] {
            None => count(before.iter().filter(|stand_in| stand_in.is_none())),
            Some(_) => {
                let others = count(before.iter().filter(|stand_in| stand_in.is_some()));
                self.own(Own::COUNT + others)
            }
        }
    }

    /// Returns the number of an added function.
    fn own(&self, nth: u32) -> u32 {
        self.kept() + self.function_count + nth
    }

    fn places(&self) -> Places {
        Places {
            globals: self.global_count,
            say: self.own(Own::Say as u32),
            flush: self.own(Own::Flush as u32),
            log: self.function(self.log),
            allocate: self.function(self.allocate),
        }
    }

    fn stand_ins(&self) -> impl Iterator<Item = (StandIn, u32)> + '_ {
        self.imports.iter().zip(&self.types).filter_map(|(stand_in, ty)| Some(((*stand_in)?, *ty)))
    }
}

fn count(items: impl Iterator) -> u32 {
    // A module's function numbers are of 32 bits, and there are no more imports than that.
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

struct Graft {
    survey: Survey,
}

impl Reencode for Graft {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Reencoding> {
        Ok(self.survey.function(function))
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: wasmparser::TypeSectionReader<'_>,
    ) -> Result<(), Reencoding> {
        utils::parse_type_section(self, types, section)?;
        for own in Own::ALL {
            let (parameters, results) = own.signature();
            types.ty().function(parameters.iter().copied(), results.iter().copied());
        }
        Ok(())
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Result<(), Reencoding> {
        for (at, import) in section.into_imports().enumerate() {
            if self.survey.imports[at].is_none() {
                utils::parse_import(self, imports, import?)?;
            }
        }
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Result<(), Reencoding> {
        utils::parse_function_section(self, functions, section)?;
        for own in Own::ALL {
            functions.function(self.survey.type_count + own as u32);
        }
        for (_, ty) in self.survey.stand_ins() {
            functions.function(ty);
        }
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<(), Reencoding> {
        utils::parse_global_section(self, globals, section)?;
        for (ty, value) in stand_in::globals() {
            globals.global(ty, &value);
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), Reencoding> {
        for export in section {
            let export = export?;
            if export.name != ALLOCATE {
                utils::parse_export(self, exports, export)?;
            }
        }
        exports.export(REALLOC, ExportKind::Func, self.survey.own(Own::Realloc as u32));
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Result<(), Reencoding> {
        utils::parse_code_section(self, code, section)?;
        let places = self.survey.places();
        for own in Own::ALL {
            code.function(&own.body(&places));
        }
        for (stand_in, _) in self.survey.stand_ins() {
            code.function(&stand_in.body(&places));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use wasmparser::Validator;

    use super::*;

    /// What of Go's modules matters here.
    const GO: &str = r#"(module
        (type $pairs (func (param i32 i32 i32 i32) (result i32)))
        (type $log (func (param i32 i32 i32 i32 i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (type $pairs)))
        (import "steward:service/host@0.1.0" "log" (func $log (type $log)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (type $pairs)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open" (func $open (param i32) (result i32)))
        (import "steward:sdk" "begin" (func $begin (param i64 i64)))
        (import "steward:sdk" "end" (func $end))
        (import "steward:sdk" "arena" (func $arena (param i32 i32)))
        (memory (export "memory") 1)
        (global (mut i32) (i32.const 0))
        (table 2 funcref)
        (elem (i32.const 0) $write $allocate)
        (func $allocate (export "steward-allocate") (param i32) (result i32) (i32.const 60000))
        (func (export "run") (result i32)
            (call $arena (i32.const 20000) (i32.const 16))
            (call $begin (i64.const 7) (i64.const 8))
            (call $log (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
            (call $close (i32.const 1))
            (call $end)))"#;

    #[test]
    fn nothing_of_wasi_is_left_and_the_module_is_valid() {
        let module = graft(&wat::parse_str(GO).expect("a module")).expect("grafted");
        Validator::new().validate_all(&module).expect("a valid module");
        let (mut imports, mut exports) = (Vec::new(), BTreeSet::new());
        for payload in Parser::new(0).parse_all(&module) {
            match payload.expect("a module") {
                Payload::ImportSection(section) => {
                    imports.extend(section.into_imports().map(|import| import.expect("an import").name.to_owned()));
                }
                Payload::ExportSection(section) => {
                    exports.extend(section.into_iter().map(|export| export.expect("an export").name.to_owned()));
                }
                _ => {}
            }
        }
        assert_eq!(imports, ["log"]);
        assert_eq!(exports, BTreeSet::from(["memory", "run", REALLOC].map(str::to_owned)));
    }

    #[test]
    fn a_module_without_the_sdk_is_refused_with_what_it_lacks() {
        let plain = wat::parse_str("(module (memory 1) (func (export \"run\")))").expect("a module");
        let refused = graft(&plain).expect_err("there is no SDK").to_string();
        assert_eq!(refused, "it has no function `steward-allocate`, which the SDK exports");
    }
}
