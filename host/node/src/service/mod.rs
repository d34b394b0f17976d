//! Services on this node: which guest module answers which path, and what it has been doing.

mod doors;
mod follow;
mod index;
mod modules;
mod paths;
mod schema;
mod starts;
mod stats;
mod store;
mod table;

use std::sync::Arc;

use steward_model::service::{Descriptor, Handler, ServiceOption};
use steward_model::{Lane, Link};
use steward_sandbox::Module;

pub use doors::{Closed, Door, Doors};
pub use follow::{all_revisions, follow};
pub use index::ServiceIndex;
pub use modules::{Modules, ModulesError};
pub use paths::{HOST_BELOW_CORE, reserved};
pub use schema::{Schema, SchemaError};
pub use starts::Starts;
pub use stats::{DocumentStats, Measure, Measures, ServiceStats};
pub use store::{ModuleFolder, ModuleStore, StoreError};
pub use table::{Absent, Found, ServiceTable};

/// One mounted service: a factory with its children, or a stateless service with everything below its path.
pub struct Service {
    /// Where it is mounted.
    pub path: Link,
    /// Which revision of the mount this is.
    pub revision: u64,
    /// The guest.
    pub module: Arc<Module>,
    /// What the guest says about itself, under what the operator decided.
    pub descriptor: Descriptor,
    /// JSON Schema of the state, compiled; none if the schema allows everything.
    pub schema: Option<Schema>,
    /// Every scalar of every document is in the field index, as the module sees it: no revision has listed fields of its
    /// own or written states of another shape.
    pub indexed_by_default: bool,
    /// Some documents may be stored in a shape that another revision wrote.
    pub has_former_states: bool,
    /// Held by whoever writes for this service, see [`Doors`]; kept across revisions.
    pub door: Door,
    /// What it has been doing; kept across revisions.
    pub stats: Arc<ServiceStats>,
}

impl Service {
    /// Returns what the guest says about itself, under what the operator decided.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Returns true if the service has the option.
    pub fn has(&self, option: ServiceOption) -> bool {
        self.descriptor.has(option)
    }

    /// Returns true if the guest has the handler.
    pub fn handles(&self, handler: Handler) -> bool {
        self.descriptor.handles(handler)
    }

    /// Returns the lane of its documents.
    pub fn lane(&self) -> Lane {
        self.descriptor.lane()
    }

    /// Returns true if the service has no documents.
    pub fn is_stateless(&self) -> bool {
        self.has(ServiceOption::Stateless)
    }
}
