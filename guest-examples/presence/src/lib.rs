//! Who is here: documents in memory, without a handler. The host checks, merges and replaces by itself.
use steward_sdk::prelude::*;

/// One who is here.
#[derive(Document)]
pub struct Presence {
    #[document(min_length = 1)]
    name: String,
    #[document(default, maximum = 3)]
    mood: u8,
    note: Option<String>,
}

#[service(factory = "/presences", patch = "merge", options(REPLICATION, OWNER_SELECTION, STRICT_UPDATE_CHECKING))]
impl Presence {}
