//! Files that are deployed as guests: any bytes are refused with a code and a sentence, or described; nothing breaks off.
//!
//! Only what is read before compilation is looked at: kind, sizes, custom sections, validity, names, and the component that
//! a core module becomes. Compiling would take most of the time and belongs to wasmtime, which is fuzzed at home.

use steward_sandbox::inspect;

pub(crate) fn check(bytes: &[u8]) {
    match inspect(bytes) {
        Ok(inspection) => {
            assert_eq!(inspection.bytes, bytes.len());
            let largest_first = inspection.sections.is_sorted_by(|one, other| one.bytes >= other.bytes);
            assert!(largest_first, "{:?}", inspection.sections);
        }
        // A reader of another house that panics is contained and refused like the rest: that is what is promised.
        Err(error) => assert!(!error.code().is_empty() && !error.to_string().is_empty()),
    }
}
