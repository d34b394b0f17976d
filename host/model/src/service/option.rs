//! Options that a service may have, and which of them go together.

use serde::{Deserialize, Serialize};

/// A property of a service. The words are Xenon's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceOption {
    /// Updates survive a power cut: documents live in [`Lane::Persisted`](crate::Lane::Persisted). Without it they live in memory.
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

/// Options of a service that names none: its documents outlive the process.
pub const OPTIONS_DEFAULT: [ServiceOption; 3] =
    [ServiceOption::Persistence, ServiceOption::Replication, ServiceOption::OwnerSelection];
