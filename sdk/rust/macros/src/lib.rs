//! steward-sdk-macros
