//! steward-node
