//! steward-protocol
