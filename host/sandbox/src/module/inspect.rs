//! What the file of a module says about itself, without compiling it.

use wasmparser::{Encoding, KnownCustom, Parser, Payload, Validator};

use super::encode::{METADATA_SECTION, encode};
use super::intake::{self, broken};
use super::workshop;
use crate::bindings::{HOST_0_1, SERVICE};
use crate::config::ModuleLimits;
use crate::error::PrepareError;
use crate::exchange::{HANDLER_0_3, INCOMING};
use crate::script::{self, Script};

/// What kind of file a module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A component.
    Component,
    /// A core module that becomes a component when it is deployed.
    CoreModule,
    /// A script, which a component of the host runs.
    Script,
}

/// The size of all sections of one kind, those of nested modules included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Name of the section, such as `code`; custom sections as `custom <name>`.
    pub name: String,
    /// Bytes of all such sections together.
    pub bytes: u64,
}

/// A tool or language that made a part of the module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// What it did: `language`, `processed-by` or `sdk`.
    pub field: String,
    /// Name of the tool or language, such as `rustc`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What a module says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// What kind of file it is.
    pub kind: Kind,
    /// Size of the file.
    pub bytes: usize,
    /// Version of the world that it speaks, such as `0.1.0`; none if it is no service.
    pub world: Option<String>,
    /// Version of `wasi:http` that it answers requests by, such as `0.2.3`; none if it is no HTTP component.
    pub http: Option<String>,
    /// Names of the interfaces that it imports.
    pub imports: Vec<String>,
    /// Names of the interfaces that it exports.
    pub exports: Vec<String>,
    /// Sizes by section, the largest first.
    pub sections: Vec<Section>,
    /// Who made it.
    pub producers: Vec<Producer>,
}

/// Reads a module without compiling it. A core module with component metadata is described as the component that it
/// becomes.
///
/// # Errors
/// [`PrepareError`] if the bytes are no valid WebAssembly, more than any host allows by itself, or a core module that becomes
/// no component.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, PrepareError> {
    let kind = kind(bytes)?;
    intake::measure(bytes, &ModuleLimits::default())?;
    workshop::on_large_stack(|| {
        validate(bytes)?;
        let inspection = match kind {
            Kind::Component => survey(bytes)?,
            Kind::CoreModule => survey(&encode(bytes)?)?,
            Kind::Script => Inspection {
                world: Some(script::WORLD.to_owned()),
                imports: vec![HOST_0_1.to_owned()],
                ..survey(bytes)?
            },
        };
        Ok(Inspection { kind, bytes: bytes.len(), ..inspection })
    })
}

/// Checks every byte.
pub(crate) fn validate(bytes: &[u8]) -> Result<(), PrepareError> {
    Validator::new().validate_all(bytes).map(|_| ()).map_err(|error| broken(&error))
}

/// Returns the kind of a file, from its first bytes and the names of its sections.
///
/// # Errors
/// [`PrepareError::NotWasm`], [`PrepareError::Broken`], or [`PrepareError::PlainCore`] for a core module without
/// component metadata.
pub(crate) fn kind(bytes: &[u8]) -> Result<Kind, PrepareError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(PrepareError::NotWasm { found: looks_like(bytes) });
    }
    if Script::is_module(bytes) {
        return Ok(Kind::Script);
    }
    let mut encoding = None;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| broken(&error))? {
            Payload::Version { encoding: Encoding::Component, .. } if encoding.is_none() => return Ok(Kind::Component),
            Payload::Version { encoding: found, .. } => encoding = Some(found),
            Payload::CustomSection(section) if section.name().starts_with(METADATA_SECTION) => {
                return Ok(Kind::CoreModule);
            }
            _ => {}
        }
    }
    Err(PrepareError::PlainCore)
}

fn looks_like(bytes: &[u8]) -> String {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(16)]);
    let start = start.trim_start();
    match bytes {
        [] => "it is empty".to_owned(),
        _ if start.starts_with("(module") || start.starts_with("(component") => {
            "it is WebAssembly text, which has to be assembled first (`wasm-tools parse`)".to_owned()
        }
        [0x1f, 0x8b, ..] => "it is compressed with gzip".to_owned(),
        [b'P', b'K', 3, 4, ..] => "it is a zip archive".to_owned(),
        [0x7f, b'E', b'L', b'F', ..] => "it is a program for this machine".to_owned(),
        _ => format!("it begins with {start:?}"),
    }
}

/// Reads names and sizes of a component; function bodies are not looked at.
pub(crate) fn survey(component: &[u8]) -> Result<Inspection, PrepareError> {
    let mut survey = Survey::default();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(|error| broken(&error))?;
        survey.add(&payload).map_err(|error| broken(&error))?;
    }
    let Survey { imports, exports, mut sections, mut producers, .. } = survey;
    sections.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    producers.sort();
    producers.dedup();
    let world = exports.iter().find_map(|name| version_of(name, SERVICE)).map(str::to_owned);
    let http = http_export(&exports).filter(|_| world.is_none()).map(|(_, version)| version.to_owned());
    Ok(Inspection { kind: Kind::Component, bytes: component.len(), world, http, imports, exports, sections, producers })
}

/// Returns the version in `name` if it is `interface@version`.
pub(crate) fn version_of<'a>(name: &'a str, interface: &str) -> Option<&'a str> {
    name.strip_prefix(interface)?.strip_prefix('@')
}

/// Returns the interface of `wasi:http` by which a component answers requests, and its version.
pub(super) fn http_export(exports: &[String]) -> Option<(&str, &str)> {
    let by = |interface| exports.iter().find_map(|export| Some((export.as_str(), version_of(export, interface)?)));
    by(INCOMING).or_else(|| by(HANDLER_0_3))
}

#[derive(Default)]
struct Survey {
    /// How many components and modules around the present place; 1 in the outermost component.
    depth: usize,
    imports: Vec<String>,
    exports: Vec<String>,
    sections: Vec<Section>,
    producers: Vec<Producer>,
}

impl Survey {
    fn add(&mut self, payload: &Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::Version { .. } => self.depth += 1,
            Payload::End(_) => self.depth -= 1,
            Payload::ComponentImportSection(section) if self.depth == 1 => {
                for import in section.clone() {
                    self.imports.push(full_name(&import?.name));
                }
            }
            Payload::ComponentExportSection(section) if self.depth == 1 => {
                for export in section.clone() {
                    self.exports.push(full_name(&export?.name));
                }
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Producers(fields) = section.as_known() {
                    self.add_producers(fields)?;
                }
            }
            _ => {}
        }
        if let Some((name, bytes)) = measured(payload) {
            match self.sections.iter_mut().find(|section| section.name == name) {
                Some(section) => section.bytes += bytes,
                None => self.sections.push(Section { name, bytes }),
            }
        }
        Ok(())
    }

    fn add_producers(&mut self, fields: wasmparser::ProducersSectionReader<'_>) -> wasmparser::Result<()> {
        for field in fields {
            let field = field?;
            for value in field.values {
                let value = value?;
                self.producers.push(Producer {
                    field: field.name.to_owned(),
                    name: value.name.to_owned(),
                    version: value.version.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Returns the name with the rest of the version, which newer encoders keep beside it.
fn full_name(name: &wasmparser::ComponentExternName<'_>) -> String {
    let suffix = name.version_suffix.filter(|_| name.implements.is_none());
    format!("{}{}", name.name, suffix.unwrap_or_default())
}

/// Returns name and size of a section, if the payload is one that does not hold others.
fn measured(payload: &Payload<'_>) -> Option<(String, u64)> {
    let name = match payload {
        Payload::CodeSectionStart { .. } => "code",
        Payload::DataSection(_) => "data",
        Payload::ElementSection(_) => "elements",
        Payload::CustomSection(section) => {
            let range = section.range();
            return Some((format!("custom {}", section.name()), (range.end - range.start) as u64));
        }
        Payload::ModuleSection { .. } | Payload::ComponentSection { .. } | Payload::CodeSectionEntry(_) => return None,
        _ => "types and names",
    };
    let (_, range) = payload.as_section()?;
    Some((name.to_owned(), (range.end - range.start) as u64))
}
