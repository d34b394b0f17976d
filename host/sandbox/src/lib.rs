//! steward-sandbox
