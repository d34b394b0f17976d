//! Services: what a guest says about itself, and the options that a service may have.

mod descriptor;
mod handler;
mod option;

pub use descriptor::{
    Capabilities, Descriptor, DescriptorError, IndexField, IndexType, Isolation, LimitsWanted,
    MAINTENANCE_INTERVAL_MICROS_MIN, NativePatch, NativePut, Start, VERSION_RETENTION_DEFAULT,
};
pub use handler::Handler;
pub use option::{OPTIONS_DEFAULT, OptionsError, ServiceOption, check_options};
