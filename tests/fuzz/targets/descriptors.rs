//! Descriptors of guests: whatever a guest says about itself is refused with a reason, or means the same when it is written
//! down and read again, as the system group does.

use std::collections::BTreeMap;

use serde_json::Value;
use steward_model::service::Descriptor;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let descriptor = match Descriptor::parse(text) {
        Ok(descriptor) => descriptor,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(descriptor.versions_kept() > 0 && descriptor.reads(descriptor.state_version));
    assert!(!descriptor.kind().is_empty());
    let written = serde_json::to_string(&descriptor).expect("descriptors are JSON");
    let read = Descriptor::parse(&written).expect("what was taken in is taken in again");
    assert_eq!(without_schemas(read), without_schemas(descriptor));
}

/// Schemas may hold fractions, which are read as one of two nearest floats, and not always as the same one again.
fn without_schemas(descriptor: Descriptor) -> Descriptor {
    Descriptor { state_schema: Value::Null, actions: BTreeMap::new(), ..descriptor }
}
