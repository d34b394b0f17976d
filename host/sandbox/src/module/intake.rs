//! The first look at the bytes of an unknown module, by loops whose time is bounded.
//!
//! Problem: readers of components call themselves for each component type inside another. The time of validators grows
//! with the square of the number of components, that of compilers with the square of the number of variables in a
//! function; their memory grows with the size of the largest function, a gigabyte for a million instructions. All of
//! them are made for modules that compilers wrote; a client may send any bytes.
//!
//! Promise: the bytes are counted before any of these see them. What exceeds a limit is refused, with the name of the
//! limit. What passes can be read in bounded time and on a stack of known size, see [`super::workshop`]; what it takes to compile it is
//! bounded once more, see [`super::compiler`].
//!
//! How deep component types lie inside one another is not read, but estimated from above. Each type but the outermost
//! follows the byte of a declaration, 0x01, and begins with 0x41 or 0x42. In real modules, few pairs of bytes look like
//! that by chance.

use wasmparser::{Parser, Payload};

use super::encode::METADATA_SECTION;
use crate::config::ModuleLimits;
use crate::error::PrepareError;

/// Most component types inside one another.
const TYPE_DEPTH_MAX: u64 = 1000;

/// Most types, imports, exports and aliases of components, all together.
const COMPONENT_ITEMS_MAX: u64 = 20_000;

/// Most modules and components inside one another.
const DEPTH_MAX: u64 = 32;

/// Most modules and components in a file.
const PARTS_MAX: u64 = 500;

/// Most sections in a file.
const SECTIONS_MAX: u64 = 10_000;

/// Measures a file, and the metadata in it that describe a component.
///
/// # Errors
/// [`PrepareError::TooMuch`] names what exceeds its limit, [`PrepareError::Broken`] where the sections do not hold.
pub(crate) fn measure(bytes: &[u8], limits: &ModuleLimits) -> Result<(), PrepareError> {
    let mut measured = Measured { limits, sections: 0, parts: 0, depth: 0, items: 0, types: 1, functions: 0 };
    check("bytes", bytes.len() as u64, limits.bytes_max as u64, "module_bytes")?;
    // What describes a component is a component itself; it holds no further ones of that kind.
    let mut metadata = Vec::new();
    measured.file(bytes, &mut metadata)?;
    for described in metadata {
        measured.file(described, &mut Vec::new())?;
    }
    Ok(())
}

pub(super) fn broken(error: &wasmparser::BinaryReaderError) -> PrepareError {
    PrepareError::Broken { reason: format!("{} at offset {}", error.message(), error.offset()) }
}

struct Measured<'l> {
    limits: &'l ModuleLimits,
    sections: u64,
    parts: u64,
    depth: u64,
    items: u64,
    types: u64,
    functions: u64,
}

impl Measured<'_> {
    fn file<'a>(&mut self, bytes: &'a [u8], metadata: &mut Vec<&'a [u8]>) -> Result<(), PrepareError> {
        self.depth = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(|error| broken(&error))?;
            self.add(&payload, bytes)?;
            if let Payload::CustomSection(section) = &payload
                && section.name().starts_with(METADATA_SECTION)
                && section.data().starts_with(b"\0asm")
            {
                metadata.push(section.data());
            }
        }
        Ok(())
    }

    fn add(&mut self, payload: &Payload<'_>, bytes: &[u8]) -> Result<(), PrepareError> {
        match payload {
            Payload::Version { .. } => {
                self.parts += 1;
                self.depth += 1;
                check("modules and components", self.parts, PARTS_MAX, "")?;
                return check("modules and components inside one another", self.depth, DEPTH_MAX, "");
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                return Ok(());
            }
            Payload::CodeSectionEntry(body) => return self.function(body),
            Payload::FunctionSection(section) => {
                self.functions += u64::from(section.count());
                check("functions", self.functions, self.limits.functions_max.into(), "module_functions")?;
            }
            Payload::ComponentTypeSection(section) => {
                self.items += u64::from(section.count());
                let declared = bytes.get(section.range()).unwrap_or(bytes);
                let inside = declared.windows(2).filter(|pair| matches!(pair, [0x01, 0x41 | 0x42])).count();
                self.types = self.types.max(inside as u64 + 1);
                check("component types inside one another", self.types, TYPE_DEPTH_MAX, "")?;
            }
            Payload::ComponentImportSection(section) => self.items += u64::from(section.count()),
            Payload::ComponentExportSection(section) => self.items += u64::from(section.count()),
            Payload::ComponentAliasSection(section) => self.items += u64::from(section.count()),
            Payload::CoreTypeSection(section) => self.items += u64::from(section.count()),
            Payload::ComponentInstanceSection(section) => self.items += u64::from(section.count()),
            Payload::InstanceSection(section) => self.items += u64::from(section.count()),
            _ => {}
        }
        self.sections += 1;
        check("sections", self.sections, SECTIONS_MAX, "")?;
        check("types, imports, exports and aliases", self.items, COMPONENT_ITEMS_MAX, "")
    }

    fn function(&self, body: &wasmparser::FunctionBody<'_>) -> Result<(), PrepareError> {
        let code = body.range().len() as u64;
        check("bytes in one function", code, self.limits.function_bytes_max as u64, "module_function_bytes")?;
        let mut locals = 0;
        for group in body.get_locals_reader().map_err(|error| broken(&error))? {
            locals += u64::from(group.map_err(|error| broken(&error))?.0);
        }
        check("variables in one function", locals, self.limits.locals_max.into(), "module_locals")
    }
}

fn check(what: &'static str, found: u64, max: u64, setting: &'static str) -> Result<(), PrepareError> {
    if found <= max { Ok(()) } else { Err(PrepareError::TooMuch { what, found, max, setting }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leb(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let low = (number & 0x7f) as u8;
            number >>= 7;
            bytes.push(if number > 0 { low | 0x80 } else { low });
            if number == 0 {
                return bytes;
            }
        }
    }

    fn section(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number][..], &leb(content.len()), content].concat()
    }

    /// A component with these sections.
    fn component(sections: &[Vec<u8>]) -> Vec<u8> {
        [b"\0asm\x0d\0\x01\0".as_slice(), &sections.concat()].concat()
    }

    fn refused(bytes: &[u8]) -> String {
        let refused = measure(bytes, &ModuleLimits::default()).expect_err("must be refused");
        assert!(matches!(refused, PrepareError::TooMuch { .. }), "{refused}");
        refused.to_string()
    }

    /// Types of a kind inside one another.
    fn nested(kind: u8, depth: usize) -> Vec<u8> {
        let inside: Vec<u8> = [kind, 1, 1].repeat(depth);
        section(7, &[&[1][..], &inside, &[kind, 0]].concat())
    }

    #[test]
    fn deep_types_are_refused_however_deep_they_are() {
        for (kind, depth) in [(0x42, 1100), (0x41, 2000), (0x42, 5_000_000)] {
            assert!(refused(&component(&[nested(kind, depth)])).contains("types inside one another"), "{depth}");
        }
        measure(&component(&[nested(0x42, 90)]), &ModuleLimits::default()).expect("types of an ordinary depth");
    }

    #[test]
    fn many_parts_and_sections_are_refused() {
        let empty = section(4, &component(&[]));
        assert!(refused(&component(&vec![empty; 10_000])).contains("modules and components"));
        let mut inside = component(&[]);
        for _ in 0..100 {
            inside = component(&[section(4, &inside)]);
        }
        assert!(refused(&inside).contains("inside one another"));
        assert!(refused(&component(&vec![section(0, b"\x01x"); 20_000])).contains("sections"));
    }

    #[test]
    fn what_costs_a_compiler_is_bounded_by_settings() {
        let limits =
            ModuleLimits { functions_max: 2, function_bytes_max: 100, locals_max: 10, ..ModuleLimits::default() };
        let module = |text: &str| wat::parse_str(text).expect("a valid module");
        let three = module("(module (func) (func) (func))");
        assert!(measure(&three, &limits).expect_err("too many").to_string().contains("`module_functions`"));
        let variables = module(&format!("(module (func (local {})))", "i32 ".repeat(11)));
        assert!(measure(&variables, &limits).expect_err("too many").to_string().contains("`module_locals`"));
        let long = module(&format!("(module (func {}))", "nop ".repeat(100)));
        assert!(measure(&long, &limits).expect_err("too long").to_string().contains("`module_function_bytes`"));
        measure(&module("(module (func (local i32)))"), &limits).expect("within the limits");
    }

    #[test]
    fn types_in_the_metadata_of_a_core_module_are_measured_too() {
        let described = component(&[nested(0x42, 3000)]);
        let custom = [&leb(14)[..], b"component-type", &described].concat();
        let module = [b"\0asm\x01\0\0\0".as_slice(), &section(0, &custom)].concat();
        assert!(refused(&module).contains("types inside one another"));
    }
}
