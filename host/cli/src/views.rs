//! The answers of a host, as far as this program shows them. Fields that the answer does not have are empty.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{Exit, Failure};

/// One entry of `GET /core/factories`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Factory {
    /// Path of the factory.
    pub document_self_link: String,
    /// Digest of the module that answers.
    pub module_digest: String,
    /// Its name.
    pub module_name: String,
    /// Its version.
    pub module_version: String,
    /// Number of the active revision.
    pub revision: u64,
    /// All revisions.
    pub revisions: Vec<Revision>,
    /// Options of the children.
    pub options: Vec<String>,
    /// How many children there are.
    pub document_count: Option<u64>,
    /// True if it answers.
    pub available: bool,
}

/// One activation of a module under a factory.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Revision {
    /// Its number, from 1.
    pub revision: u64,
    /// The module.
    pub digest: String,
    /// The module's version.
    pub version: String,
    /// When it was activated.
    pub at_micros: i64,
    /// Who did it.
    pub by: String,
    /// Why.
    pub message: String,
}

/// One entry of `GET /core/modules`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Module {
    /// SHA-256 of the component.
    pub digest: String,
    /// Name of the service.
    pub name: String,
    /// Version of the module.
    pub version: String,
    /// Size of the component.
    pub size_bytes: u64,
    /// When it was installed.
    pub installed_time_micros: i64,
    /// Who did it.
    pub installed_by: String,
    /// Factories that run it.
    pub factories: Vec<String>,
}

/// One entry of `GET /core/node-groups/default`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Node {
    /// Name of the node.
    pub id: String,
    /// `AVAILABLE`, `SYNCHRONIZING`, …
    pub status: String,
    /// How many must be available, as this node sees it.
    pub membership_quorum: Option<u64>,
    /// Where the node is.
    pub group_reference: String,
    /// When its row changed last.
    pub document_update_time_micros: Option<i64>,
    /// True if it votes in the system group.
    pub votes: bool,
    /// True if it leads the system group.
    pub leads: bool,
    /// How many partitions it owns, and in how many its copy counts.
    pub owned_partitions: Option<u64>,
    /// See there.
    pub in_sync_partitions: Option<u64>,
    /// How many records its copies lack of what the node that answers orders.
    pub behind: Option<u64>,
    /// Whether messages pass between it and the node that answers.
    pub reached: Option<bool>,
}

impl Factory {
    /// Returns the revision with this number.
    pub(super) fn revision(&self, number: u64) -> Option<&Revision> {
        self.revisions.iter().find(|revision| revision.revision == number)
    }
}

/// Reads the entries of a map such as `documents`, in the order in which the host sent them.
///
/// # Errors
/// A failure if the answer has another shape.
pub(super) fn entries<T: DeserializeOwned>(answer: &Value, field: &str) -> Result<Vec<T>, Failure> {
    let map = answer.get(field).and_then(Value::as_object);
    map.into_iter().flat_map(|map| map.values()).map(|entry| one(entry.clone())).collect()
}

/// Returns the texts of a list such as `documentLinks`; none if the answer does not have it.
pub(super) fn texts(answer: &Value, field: &str) -> Vec<String> {
    let list = answer.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Reads one document.
///
/// # Errors
/// A failure if it has another shape.
pub(super) fn one<T: DeserializeOwned>(document: Value) -> Result<T, Failure> {
    serde_json::from_value(document).map_err(|error| {
        Failure::new(Exit::Failed, "unexpected-answer", "the host answered in a shape that this program does not know")
            .detail(error.to_string())
            .hint("compare versions: steward --version, steward status")
    })
}

/// Returns the first twelve digits of a digest, as people compare them.
pub(super) fn short_digest(digest: &str) -> String {
    digest.strip_prefix("sha256:").unwrap_or(digest).chars().take(12).collect()
}
