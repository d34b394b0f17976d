//! guest-examples
