//! Services on this node: which guest module answers at which path, and its statistics.

mod checks;
mod doors;
mod fields;
mod follow;
mod index;
mod lines;
mod modules;
mod paths;
mod schema;
mod shared;
mod starts;
mod states;
mod stats;
mod store;
mod table;

use std::sync::Arc;

use steward_model::service::{Descriptor, Handler, NativePatch, NativePut, ServiceOption};
use steward_model::{Action, Lane, Link};
use steward_sandbox::Module;

pub(crate) use doors::{Closed, Door, Doors};
pub(crate) use fields::Fields;
pub(crate) use follow::{follow, revisions};
pub(crate) use index::ServiceIndex;
pub(crate) use lines::Line;
pub(crate) use modules::{Modules, ModulesError};
pub use paths::{HOST_BELOW_CORE, answers_itself};
pub(crate) use paths::{QUERY_TASKS, reserved};
pub(crate) use schema::{Schema, SchemaError};
pub(crate) use shared::{GroupModules, Kept, ModuleAnswers, keep_elsewhere, shown_elsewhere};
pub(crate) use starts::Starts;
pub(crate) use states::{
    Reader, Unfit, Unreadable, body_violations, migrated, problem_of_call, returned, stripped, violations,
    violations_of_client,
};
pub(crate) use stats::{Measure, ServiceStats};
pub(crate) use store::{ModuleFolder, ModuleStore};
pub(crate) use table::{Absent, Found, ServiceTable};

/// One mounted service: a factory with its children, or a stateless service with everything below its path.
pub(crate) struct Service {
    /// Where it is mounted.
    pub path: Link,
    /// Which revision of the mount this is.
    pub revision: u64,
    pub module: Arc<Module>,
    /// What the guest says about itself, under what the operator decided.
    pub descriptor: Descriptor,
    /// JSON Schema of the state, compiled; none if the schema allows everything.
    pub schema: Option<Schema>,
    /// Every scalar of every document is in the field index, as the module sees it: no revision has listed fields of its
    /// own or written states of another shape.
    pub indexed_by_default: bool,
    /// The kind of every document, if every revision gave them the same.
    pub kind_of_all: Option<String>,
    /// What is known about the fields of every document.
    pub fields: Fields,
    /// Some documents may be stored in a shape that another revision wrote.
    pub has_former_states: bool,
    /// Held by whoever writes for this service, see [`Doors`]; kept across revisions.
    pub door: Door,
    /// What it has been doing; kept across revisions.
    pub stats: Arc<ServiceStats>,
}

impl Service {
    /// Returns what the guest says about itself, under what the operator decided.
    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Returns the service as it would be if another module ran its handlers, for calls of which nothing comes. What the module wants
    /// to reach is granted: nothing is sent.
    ///
    /// # Errors
    /// [`SchemaError`] if the schema of its state cannot be used.
    pub(crate) fn run_by(&self, module: &Arc<Module>) -> Result<Service, SchemaError> {
        let descriptor = module.descriptor().clone();
        let schema = Schema::compile(&descriptor.state_schema)?;
        Ok(Service {
            path: self.path.clone(),
            revision: self.revision,
            module: Arc::clone(module),
            descriptor,
            schema,
            indexed_by_default: self.indexed_by_default,
            kind_of_all: self.kind_of_all.clone(),
            fields: self.fields.clone(),
            has_former_states: self.has_former_states,
            door: Arc::clone(&self.door),
            stats: Arc::clone(&self.stats),
        })
    }

    /// Returns what reads the states of its documents.
    pub(crate) fn reader(&self) -> Reader<'_> {
        let (path, module) = (&self.path, &*self.module);
        Reader { path, module, descriptor: &self.descriptor, schema: self.schema.as_ref() }
    }

    /// Returns true if the service has the option.
    pub(crate) fn has(&self, option: ServiceOption) -> bool {
        self.descriptor.has(option)
    }

    /// Returns true if the guest has the handler.
    pub(crate) fn handles(&self, handler: Handler) -> bool {
        self.descriptor.handles(handler)
    }

    /// Returns the lane of its documents.
    pub(crate) fn lane(&self) -> Lane {
        self.descriptor.lane()
    }

    /// Returns what can be asked of a document of the service, or of the service itself if it has none.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let handled = |action| self.handles(Handler::of(action)).then_some(action);
        let all = if self.is_stateless() {
            [
                handled(Action::Get),
                handled(Action::Post),
                handled(Action::Put),
                handled(Action::Patch),
                handled(Action::Delete),
            ]
        } else {
            let mutable = !self.has(ServiceOption::Immutable);
            let merges = self.descriptor.patch == NativePatch::Merge;
            let patches = mutable && (merges || self.handles(Handler::HandlePatch));
            let replaces = mutable && (self.descriptor.put == NativePut::Replace || self.handles(Handler::HandlePut));
            let posts = mutable && self.handles(Handler::HandlePost);
            [
                Some(Action::Get),
                posts.then_some(Action::Post),
                replaces.then_some(Action::Put),
                patches.then_some(Action::Patch),
                Some(Action::Delete),
            ]
        };
        all.into_iter().flatten().collect()
    }

    /// Returns true if the service has no documents.
    pub(crate) fn is_stateless(&self) -> bool {
        self.has(ServiceOption::Stateless)
    }
}
