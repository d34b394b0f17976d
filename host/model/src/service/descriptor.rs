//! What a guest says about itself, checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::handler::Handler;
use super::option::{OPTIONS_DEFAULT, OptionsError, ServiceOption, check_options};
use crate::line;
use crate::link::Link;
use crate::operation::Action;
use crate::partition::Lane;

/// How the host answers PATCH when the guest has no handler for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NativePatch {
    /// It refuses the request with 405.
    #[default]
    None,
    /// By RFC 7396, JSON Merge Patch.
    Merge,
}

/// How the host answers PUT when the guest has no handler for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NativePut {
    /// It refuses the request with 405.
    None,
    /// It replaces the state, as creation would make one of the body: `handle-create` decides on it, if there is one.
    #[default]
    Replace,
}

/// When `handle-start` runs at a new owner of a document, and under a new module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Before whatever happens to the document first. A document that nobody touches costs nothing.
    #[default]
    Lazy,
    /// As soon as the owner can, for every document.
    Eager,
}

/// How instances of a module are shared between calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// An instance serves many calls, one after the other.
    #[default]
    Pooled,
    /// Each call gets an instance of its own.
    PerCall,
}

/// The type of an indexed field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IndexType {
    /// UTF-8 text; ranges compare bytes, without regard to language.
    String,
    /// Integer or floating point; ranges compare the numbers.
    Number,
    /// True or false; false comes first.
    Boolean,
}

/// A field that the service wants to be found by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexField {
    /// Dotted path in the state, such as `taskInfo.stage`.
    pub path: String,
    /// Its type; other values of the field are not indexed.
    #[serde(rename = "type")]
    pub kind: IndexType,
}

/// What a guest wants to be allowed; granted at deployment or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Capabilities {
    /// Hosts outside that effects may address: `example.com`, `*.example.com`, with an optional `:port`;
    /// `*` for all that the operator allows.
    pub outbound: Vec<String>,
}

/// Limits that a guest wants; the host's own ceilings hold above them. Zero: the host's default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsWanted {
    /// Longest time of one call, in milliseconds.
    pub deadline_millis: u64,
    /// Most memory of one instance, in bytes.
    pub memory_bytes: u64,
    /// Largest state of one document, in bytes.
    pub document_bytes: u64,
}

/// What a guest says about itself (`describe`), checked at deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Descriptor {
    /// Name of the service, such as `counter`: ASCII letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Semantic version of the module, such as `1.2.3`; for people, the host does not compare it.
    pub version: String,
    /// Default path of the factory, or of the stateless service.
    pub factory: Link,
    /// `documentKind` of its documents; empty: `<name>` as it is.
    #[serde(default)]
    pub document_kind: String,
    /// Number of the state's shape that this module writes.
    #[serde(default = "one")]
    pub state_version: u32,
    /// Numbers of the shapes that this module reads besides, through `migrate`.
    #[serde(default)]
    pub reads_state_versions: Vec<u32>,
    /// JSON Schema of the state. Every new state must fit it, whether a client sent it or a guest returned it.
    #[serde(default = "any_object")]
    pub state_schema: Value,
    /// JSON Schemas of request bodies, by handler name and then by `kind` (empty: no kind).
    #[serde(default)]
    pub actions: BTreeMap<String, BTreeMap<String, Value>>,
    /// The handlers that the module has; the host never calls one that is not listed.
    #[serde(default)]
    pub handlers: Vec<Handler>,
    /// Options of the children; they must go together, see [`check_options`]. A descriptor without them means [`OPTIONS_DEFAULT`].
    #[serde(default = "options_default")]
    pub options: Vec<ServiceOption>,
    /// When `handle-start` runs at a new owner.
    #[serde(default)]
    pub start: Start,
    /// Microseconds between two calls of `handle-maintenance` on one document, at least
    /// [`MAINTENANCE_INTERVAL_MICROS_MIN`]; without the option `PERIODIC_MAINTENANCE` it means nothing.
    #[serde(default)]
    pub maintenance_interval_micros: u64,
    /// How many versions before the newest one are kept; 0: [`VERSION_RETENTION_DEFAULT`].
    #[serde(default)]
    pub version_retention: u64,
    /// Fields to index; none: every scalar up to depth 3.
    #[serde(default)]
    pub index: Option<Vec<IndexField>>,
    /// What the module wants to be allowed; an operator grants it, or part of it, at deployment.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// Limits that the module wants for its calls and documents.
    #[serde(default)]
    pub limits: LimitsWanted,
    /// Whether calls may share an instance one after the other.
    #[serde(default)]
    pub isolation: Isolation,
    /// How PATCH works without a handler.
    #[serde(default)]
    pub patch: NativePatch,
    /// How PUT works without a handler.
    #[serde(default)]
    pub put: NativePut,
    /// True: children are tasks, a POST answers 202.
    #[serde(default)]
    pub task: bool,
    /// A sentence about the service, for people; may be empty.
    #[serde(default)]
    pub docs: String,
}

/// How many versions before the newest one are kept if a descriptor does not say: Xenon's default.
pub const VERSION_RETENTION_DEFAULT: u64 = 1000;

fn options_default() -> Vec<ServiceOption> {
    OPTIONS_DEFAULT.to_vec()
}

fn one() -> u32 {
    1
}

fn any_object() -> Value {
    serde_json::json!({ "type": "object" })
}

/// Why the host refuses a descriptor.
#[derive(Debug, thiserror::Error)]
pub enum DescriptorError {
    /// It is no JSON, has unknown fields, or lacks a field.
    #[error("descriptor does not have the right shape: {0}")]
    Shape(#[from] serde_json::Error),
    /// Its options do not go together.
    #[error("descriptor of {name}: {source}")]
    Options {
        /// The `name` in the descriptor.
        name: String,
        /// The first pair of options at fault.
        source: OptionsError,
    },
    /// A field has a value that cannot be.
    #[error("descriptor of {name}: {field} {reason}")]
    Field {
        /// Name of the service.
        name: String,
        /// The field, as it is written in JSON.
        field: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
}

impl Descriptor {
    /// Parses and checks what `describe` returned.
    ///
    /// # Errors
    /// [`DescriptorError`] says what the author of the service has to change.
    pub fn parse(text: &str) -> Result<Descriptor, DescriptorError> {
        let descriptor: Descriptor = serde_json::from_str(text)?;
        descriptor.check()?;
        Ok(descriptor)
    }

    fn check(&self) -> Result<(), DescriptorError> {
        check_options(&self.options).map_err(|source| DescriptorError::Options { name: shown(&self.name), source })?;
        let named = !self.name.is_empty() && self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !named || self.name.len() > WORD_CHARACTERS_MAX {
            return self
                .fault("name", format!("must be at most {WORD_CHARACTERS_MAX} letters, digits, '-', '_' and '.'"));
        }
        for (field, word) in [("version", &self.version), ("documentKind", &self.document_kind)] {
            if let Some(reason) = unfit(word) {
                return self.fault(field, reason);
            }
        }
        if self.version.split('.').count() != 3 {
            return self.fault("version", "must be a semantic version such as 1.2.3");
        }
        if self.factory.is_root() {
            return self.fault("factory", "must be a path such as /core/counters");
        }
        if !self.state_schema.is_object() {
            return self.fault("stateSchema", "must be a JSON Schema object");
        }
        self.check_handlers()
    }

    /// Checks that the handlers are there which other fields speak of.
    fn check_handlers(&self) -> Result<(), DescriptorError> {
        if self.has(ServiceOption::PeriodicMaintenance) {
            if !self.handles(Handler::HandleMaintenance) {
                let reason = "must list handle-maintenance, because the options have PERIODIC_MAINTENANCE";
                return self.fault("handlers", reason);
            }
            if self.maintenance_interval_micros < MAINTENANCE_INTERVAL_MICROS_MIN {
                return self.fault("maintenanceIntervalMicros", "must be 1000 (a millisecond) or more");
            }
        }
        if self.start == Start::Eager && !self.handles(Handler::HandleStart) {
            return self.fault("handlers", "must list handle-start, because start is eager");
        }
        if self.put == NativePut::None {
            if self.handles(Handler::HandlePut) {
                return self.fault("put", "is none, so handlers must not list handle-put");
            }
            if self.has(ServiceOption::IdempotentPost) {
                return self
                    .fault("put", "is none, so options must not have IDEMPOTENT_POST, which makes a PUT of a POST");
            }
        }
        if self.reads_state_versions.contains(&self.state_version) {
            // Whoever writes a migration has changed the shape: under the same number it would never run, and what it carries over be lost.
            let own = self.state_version;
            let reason = format!("lists {own}, the module's own stateVersion: raise that, or the migration never runs");
            return self.fault("readsStateVersions", reason);
        }
        if !self.reads_state_versions.is_empty() && !self.handles(Handler::Migrate) {
            return self.fault("readsStateVersions", "lists versions, so handlers must list migrate");
        }
        Ok(())
    }

    fn fault(&self, field: &'static str, reason: impl Into<String>) -> Result<(), DescriptorError> {
        Err(DescriptorError::Field { name: shown(&self.name), field, reason: reason.into() })
    }

    /// Returns true if the service has the option.
    pub fn has(&self, option: ServiceOption) -> bool {
        self.options.contains(&option)
    }

    /// Returns true if the guest has the handler.
    pub fn handles(&self, handler: Handler) -> bool {
        self.handlers.contains(&handler)
    }

    /// Returns the handler that decides on an action at a document, if the guest has one: that of the action; for a PUT also the one
    /// that decides on creation, for a replacement has to keep the same rules.
    pub fn decides(&self, action: Action) -> Option<Handler> {
        let own = Handler::of(action);
        let creates = action == Action::Put && self.put == NativePut::Replace && !self.handles(own);
        let handler = if creates { Handler::HandleCreate } else { own };
        self.handles(handler).then_some(handler)
    }

    /// Returns true if states may have fields that the schema does not name: those that the host makes of a client's body itself, for
    /// a guest writes what its schema says.
    pub fn has_strays(&self) -> bool {
        !self.handles(Handler::HandleCreate) || self.patch == NativePatch::Merge
    }

    /// Returns the lane in which documents of the service live.
    pub fn lane(&self) -> Lane {
        if self.has(ServiceOption::Persistence) { Lane::Persisted } else { Lane::Volatile }
    }

    /// Returns the `documentKind` of the service's documents: the one of the descriptor, or else its name.
    pub fn kind(&self) -> &str {
        if self.document_kind.is_empty() { &self.name } else { &self.document_kind }
    }

    /// Returns how many versions before the newest one are kept: at least one.
    pub fn versions_kept(&self) -> u64 {
        if self.version_retention == 0 { VERSION_RETENTION_DEFAULT } else { self.version_retention }
    }

    /// Returns the state versions that the module reads, in order: its own and those that it migrates.
    pub fn readable_state_versions(&self) -> Vec<u32> {
        let mut reads = self.reads_state_versions.clone();
        reads.push(self.state_version);
        reads.sort_unstable();
        reads.dedup();
        reads
    }

    /// Returns true if this module can work on a stored state of shape `version`.
    pub fn reads(&self, version: u32) -> bool {
        version == self.state_version || self.reads_state_versions.contains(&version)
    }
}

/// Shortest maintenance interval: one millisecond.
pub const MAINTENANCE_INTERVAL_MICROS_MIN: u64 = 1000;

/// Most characters of a name, a version or a kind.
const WORD_CHARACTERS_MAX: usize = 256;

/// Returns why a word that people and URLs show cannot be; none if it can.
fn unfit(word: &str) -> Option<String> {
    let characters = word.chars().count();
    let strange = word.chars().find(|letter| line::commands(*letter));
    match strange {
        Some(letter) => Some(format!("must not have the character {}", letter.escape_default())),
        None if characters > WORD_CHARACTERS_MAX => {
            Some(format!("has {characters} characters: it must have at most {WORD_CHARACTERS_MAX}"))
        }
        None => None,
    }
}

/// Returns a name as it can be told, be it one or not.
fn shown(name: &str) -> String {
    line::on_one_line(&name.chars().take(WORD_CHARACTERS_MAX).collect::<String>()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(extra: &str) -> Result<Descriptor, DescriptorError> {
        Descriptor::parse(&format!(r#"{{"name":"counter","version":"1.0.0","factory":"/core/counters"{extra}}}"#))
    }

    #[test]
    fn a_short_descriptor_gets_defaults() {
        let descriptor = described("").expect("a valid descriptor");
        assert_eq!(descriptor.kind(), "counter");
        assert_eq!(descriptor.versions_kept(), VERSION_RETENTION_DEFAULT);
        assert_eq!((descriptor.lane(), &descriptor.options[..]), (Lane::Persisted, &OPTIONS_DEFAULT[..]));
        assert_eq!(described(r#","options":[]"#).expect("a valid descriptor").lane(), Lane::Volatile);
        assert_eq!(descriptor.start, Start::Lazy);
    }

    #[test]
    fn options_that_exclude_each_other_are_refused() {
        let refused = described(r#","options":["STATELESS","PERSISTENCE"]"#).expect_err("must be refused");
        assert!(refused.to_string().contains("exclude each other"), "{refused}");
        let refused = described(r#","options":["IMMUTABLE"]"#).expect_err("must be refused");
        assert!(refused.to_string().contains("needs"), "{refused}");
    }

    #[test]
    fn unknown_fields_and_bad_values_are_refused_by_name() {
        for (extra, word) in [
            (r#","stateShema":{}"#, "stateShema"),
            (r#","options":["PERIODIC_MAINTENANCE"]"#, "handle-maintenance"),
            (r#","readsStateVersions":[1],"stateVersion":2"#, "migrate"),
            (r#","readsStateVersions":[1],"handlers":["migrate"]"#, "never runs"),
            (r#","stateSchema":7"#, "stateSchema"),
            (r#","put":"none","handlers":["handle-put"]"#, "handle-put"),
            (r#","put":"none","options":["IDEMPOTENT_POST"]"#, "IDEMPOTENT_POST"),
            (r#","put":"never""#, "replace"),
            (r#","documentKind":"a\u001b[31mb""#, r"documentKind must not have the character \u{1b}"),
            (r#","documentKind":"a\u202eb""#, "documentKind"),
            (r#","start":"eager""#, "handle-start"),
            (r#","start":"soon""#, "lazy"),
        ] {
            let refused = described(extra).expect_err("must be refused").to_string();
            assert!(refused.contains(word), "{refused}");
        }
        let long = format!(r#","documentKind":"{}""#, "k".repeat(WORD_CHARACTERS_MAX + 1));
        let refused = described(&long).expect_err("must be refused").to_string();
        assert!(refused.contains("documentKind has 257 characters"), "{refused}");
        for version in ["1.0.0\\n2", "1.0.0\\u0000", "1.0"] {
            let text = format!(r#"{{"name":"counter","version":"{version}","factory":"/core/counters"}}"#);
            let refused = Descriptor::parse(&text).expect_err("must be refused").to_string();
            assert!(refused.starts_with("descriptor of counter: version must"), "{refused}");
        }
    }

    #[test]
    fn a_replacement_is_decided_on_by_whoever_decides_on_creation() {
        let decides = |extra: &str| described(extra).expect("a valid descriptor").decides(Action::Put);
        assert_eq!(decides(""), None);
        assert_eq!(decides(r#","handlers":["handle-create"]"#), Some(Handler::HandleCreate));
        assert_eq!(decides(r#","handlers":["handle-create","handle-put"]"#), Some(Handler::HandlePut));
        assert_eq!(decides(r#","handlers":["handle-create"],"put":"none""#), None);
    }
}
