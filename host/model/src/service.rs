//! Services: what a guest says about itself, and the options that a service may have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::link::Link;
use crate::operation::Action;
use crate::partition::Lane;

/// A property of a service. The words are Xenon's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceOption {
    /// Updates survive a power cut: documents live in [`Lane::Persisted`]. Without it they live in memory.
    Persistence,
    /// Updates are copied to other nodes.
    Replication,
    /// One node at a time runs the handlers of a document. Always so here; the word is accepted.
    OwnerSelection,
    /// `handle-maintenance` runs for each document, once per `maintenanceIntervalMicros`.
    PeriodicMaintenance,
    /// A POST to an existing child is a PUT.
    IdempotentPost,
    /// An update must name the version that it changes.
    StrictUpdateChecking,
    /// A document has one version for ever.
    Immutable,
    /// The service has no documents; its handlers answer every path below it.
    Stateless,
    /// Durations of the service's operations are kept, see `/stats`.
    Instrumentation,
}

impl std::fmt::Display for ServiceOption {
    /// The word of descriptors and requests.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// Options that do not go together, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The first option excludes the second, for the reason in the third field.
    #[error("options {0} and {1} exclude each other: {2}")]
    Excluded(ServiceOption, ServiceOption, &'static str),
    /// The first option needs the second, for the reason in the third field.
    #[error("option {0} needs {1}: {2}")]
    Missing(ServiceOption, ServiceOption, &'static str),
}

/// Returns nothing if the options go together.
///
/// # Errors
/// [`OptionsError`] names the first pair that does not. Source: Xenon, `Utils.validateServiceOption`.
pub fn check_options(options: &[ServiceOption]) -> Result<(), OptionsError> {
    use ServiceOption::{
        IdempotentPost, Immutable, Instrumentation, PeriodicMaintenance, Persistence, Replication, Stateless,
        StrictUpdateChecking,
    };
    let no_state = "a stateless service has no documents";
    let excluded = [
        (Immutable, PeriodicMaintenance, "an immutable document cannot change at maintenance"),
        (Immutable, Instrumentation, "immutable documents keep no statistics"),
        (Immutable, StrictUpdateChecking, "an immutable document is never updated"),
        (Stateless, Persistence, no_state),
        (Stateless, Replication, no_state),
        (Stateless, StrictUpdateChecking, no_state),
        (Stateless, IdempotentPost, no_state),
        (Stateless, Immutable, no_state),
    ];
    for (one, other, reason) in excluded {
        if options.contains(&one) && options.contains(&other) {
            return Err(OptionsError::Excluded(one, other, reason));
        }
    }
    if options.contains(&Immutable) && !options.contains(&Persistence) {
        return Err(OptionsError::Missing(Immutable, Persistence, "an immutable document exists to be kept"));
    }
    Ok(())
}

/// A handler that a guest may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handler {
    /// Decides the first state of a child. `wit/service.wit` says what each handler gets and returns.
    HandleCreate,
    /// Runs at every start of ownership, and when another module takes over.
    HandleStart,
    /// Runs when the document is deleted or expires.
    HandleStop,
    /// Answers a GET in place of the host, which would return the state.
    HandleGet,
    /// Answers a POST to the document; without it the host refuses one.
    HandlePost,
    /// Decides on a PUT in place of the host, which would replace the state.
    HandlePut,
    /// Decides on a PATCH in place of the host, which follows [`NativePatch`].
    HandlePatch,
    /// Decides on a DELETE in place of the host, which would delete the document.
    HandleDelete,
    /// Runs once per maintenance interval for each document.
    HandleMaintenance,
    /// Is told the answers to effects that have a reply tag.
    HandleReply,
    /// Turns a state of an older shape into one of the module's own.
    Migrate,
    /// Joins two states of one document from two clusters. Accepted and never called: nothing joins clusters yet.
    Merge,
}

impl Handler {
    /// Returns the handler that decides on an action at a document, or at a service without documents.
    pub fn of(action: Action) -> Handler {
        match action {
            Action::Get => Handler::HandleGet,
            Action::Post => Handler::HandlePost,
            Action::Put => Handler::HandlePut,
            Action::Patch => Handler::HandlePatch,
            Action::Delete => Handler::HandleDelete,
        }
    }

    /// Returns the word of descriptors, which is the name of the export.
    pub fn as_str(self) -> &'static str {
        match self {
            Handler::HandleCreate => "handle-create",
            Handler::HandleStart => "handle-start",
            Handler::HandleStop => "handle-stop",
            Handler::HandleGet => "handle-get",
            Handler::HandlePost => "handle-post",
            Handler::HandlePut => "handle-put",
            Handler::HandlePatch => "handle-patch",
            Handler::HandleDelete => "handle-delete",
            Handler::HandleMaintenance => "handle-maintenance",
            Handler::HandleReply => "handle-reply",
            Handler::Migrate => "migrate",
            Handler::Merge => "merge",
        }
    }
}

impl std::fmt::Display for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

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
    /// True: children are tasks, a POST answers 202.
    #[serde(default)]
    pub task: bool,
    /// A sentence about the service, for people; may be empty.
    #[serde(default)]
    pub docs: String,
}

/// Options of a service that names none: its documents outlive the process.
pub const OPTIONS_DEFAULT: [ServiceOption; 3] =
    [ServiceOption::Persistence, ServiceOption::Replication, ServiceOption::OwnerSelection];

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
        let name = || self.name.clone();
        let field = |field, reason: &str| {
            Err(DescriptorError::Field { name: self.name.clone(), field, reason: reason.to_owned() })
        };
        check_options(&self.options).map_err(|source| DescriptorError::Options { name: name(), source })?;
        let named = !self.name.is_empty() && self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !named {
            return field("name", "must be letters, digits, '-', '_' and '.'");
        }
        if self.version.split('.').count() != 3 {
            return field("version", "must be a semantic version such as 1.2.3");
        }
        if self.factory.is_root() {
            return field("factory", "must be a path such as /core/counters");
        }
        if self.has(ServiceOption::PeriodicMaintenance) {
            if !self.handles(Handler::HandleMaintenance) {
                return field(
                    "handlers",
                    "must list handle-maintenance, because the options have PERIODIC_MAINTENANCE",
                );
            }
            if self.maintenance_interval_micros < MAINTENANCE_INTERVAL_MICROS_MIN {
                return field("maintenanceIntervalMicros", "must be 1000 (a millisecond) or more");
            }
        }
        if self.start == Start::Eager && !self.handles(Handler::HandleStart) {
            return field("handlers", "must list handle-start, because start is eager");
        }
        if !self.state_schema.is_object() {
            return field("stateSchema", "must be a JSON Schema object");
        }
        let migrates = self.reads_state_versions.iter().any(|version| *version != self.state_version);
        if migrates && !self.handles(Handler::Migrate) {
            return field("readsStateVersions", "lists other versions, so handlers must list migrate");
        }
        Ok(())
    }

    /// Returns true if the service has the option.
    pub fn has(&self, option: ServiceOption) -> bool {
        self.options.contains(&option)
    }

    /// Returns true if the guest has the handler.
    pub fn handles(&self, handler: Handler) -> bool {
        self.handlers.contains(&handler)
    }

    /// Returns true if states may have fields that the schema does not name: those that the host makes of a client's body itself, for
    /// a guest writes what its schema says.
    pub fn has_strays(&self) -> bool {
        let guests = self.handles(Handler::HandleCreate)
            && (self.handles(Handler::HandlePut) || self.has(ServiceOption::Immutable));
        !guests || self.patch == NativePatch::Merge
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
            (r#","stateSchema":7"#, "stateSchema"),
            (r#","start":"eager""#, "handle-start"),
            (r#","start":"soon""#, "lazy"),
        ] {
            let refused = described(extra).expect_err("must be refused").to_string();
            assert!(refused.contains(word), "{refused}");
        }
    }
}
