//! steward-tests
