//! guest-counter
