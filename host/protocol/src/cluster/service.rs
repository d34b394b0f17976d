//! What answers at the path of a factory: documents of one lane, or handlers without documents.

use serde::{Deserialize, Serialize};
use steward_model::Lane;
use steward_model::service::{Descriptor, ServiceOption};

/// What answers at the path of a factory; fixed as long as it is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Service {
    /// Documents, one segment below the path.
    Stateful {
        /// The lane in which they live.
        lane: Lane,
    },
    /// Handlers that answer every path below it, and no documents.
    Stateless,
}

impl Service {
    /// Returns what a service with this descriptor is.
    pub fn of(descriptor: &Descriptor) -> Service {
        if descriptor.has(ServiceOption::Stateless) {
            Service::Stateless
        } else {
            Service::Stateful { lane: descriptor.lane() }
        }
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Service::Stateful { lane: Lane::Persisted } => "persisted documents",
            Service::Stateful { lane: Lane::Volatile } => "volatile documents",
            Service::Stateless => "no documents",
        })
    }
}
