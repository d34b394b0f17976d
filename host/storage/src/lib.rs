//! steward-storage
