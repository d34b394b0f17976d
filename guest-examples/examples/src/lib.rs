//! Xenon's ExampleService: the document with which everything can be tried.
//!
//! Departures from Xenon: an update that is refused points at the field, and a PATCH without a body is 400, not 500.

use std::collections::{BTreeMap, BTreeSet};

use steward_sdk::prelude::*;

/// The example of a document.
#[derive(Document)]
pub struct ExampleState {
    /// Pairs that a PATCH merges key by key.
    #[document(default)]
    key_values: BTreeMap<String, String>,
    /// A counter that a PATCH can only raise.
    counter: Option<i64>,
    /// A second counter, to sort by.
    sorted_counter: Option<i64>,
    /// What the example is called; it has to have a name.
    name: Option<String>,
    /// Words to which a PATCH adds.
    #[document(default)]
    tags: BTreeSet<String>,
    /// An identifier of the client's own.
    id: Option<String>,
    /// A text of the client's own.
    required: Option<String>,
    /// Whether a migration between clusters has made it.
    is_from_migration: Option<bool>,
}

/// What a PATCH may change. Other fields of the body are passed over.
#[derive(Document)]
#[document(default)]
struct Change {
    key_values: BTreeMap<String, Option<String>>,
    counter: Option<i64>,
    name: Option<String>,
    tags: BTreeSet<String>,
    document_expiration_time_micros: i64,
}

/// A change of the name under the condition that nothing else has changed.
#[derive(Document)]
struct StrictUpdate {
    name: Option<String>,
    document_version: u64,
}

/// What a DELETE may say about its tombstone.
#[derive(Document)]
struct Deletion {
    #[document(default)]
    document_expiration_time_micros: i64,
}

#[service(
    name = "examples",
    factory = "/core/examples",
    kind = "com:vmware:xenon:services:common:ExampleService:ExampleServiceState",
    options(persistence, replication, owner_selection, instrumentation),
    retention = 100
)]
impl ExampleState {
    fn handle_create(&mut self, ctx: &mut Context) -> Result {
        ensure!(self.name.is_some(), invalid("name", "name is required"));
        self.is_from_migration = Some(ctx.header("pragma").is_some_and(|pragma| pragma.contains("xn-from-migration")));
        Ok(())
    }

    fn handle_put(&mut self, state: ExampleState) -> Result {
        ensure!(state.name.is_some(), invalid("name", "name must be set"));
        *self = state;
        Ok(())
    }

    fn handle_patch(&mut self, ctx: &mut Context, change: Change) {
        for (key, value) in change.key_values {
            match value {
                Some(value) => drop(self.key_values.insert(key, value)),
                None => drop(self.key_values.remove(&key)),
            }
        }
        self.counter = self.counter.max(change.counter);
        self.name = change.name.or(self.name.take());
        self.tags.extend(change.tags);
        expire(ctx, change.document_expiration_time_micros);
    }

    #[patch(kind = "com:vmware:xenon:services:common:ExampleService:StrictUpdateRequest")]
    fn strict(&mut self, ctx: &mut Context, update: StrictUpdate) -> Result {
        let (have, named) = (ctx.version(), update.document_version);
        let message = format!("Current version {have}. Request version {named}");
        ensure!(have == named, invalid("documentVersion", message));
        self.name = update.name;
        Ok(())
    }

    fn handle_delete(&self, ctx: &mut Context, deletion: Option<Deletion>) {
        expire(ctx, deletion.map_or(0, |deletion| deletion.document_expiration_time_micros));
    }
}

/// Sets the expiry that a body asks for; zero asks for nothing.
fn expire(ctx: &mut Context, moment: i64) {
    if moment != 0 {
        ctx.expire_at_micros(moment);
    }
}
