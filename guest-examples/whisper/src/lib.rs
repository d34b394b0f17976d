//! A relay in memory: each PATCH is passed on to another document, and after a restart nobody remembers it.
use steward_sdk::prelude::*;

/// How often something was passed on since the host started.
#[derive(Document)]
pub struct Whisper {
    #[document(default)]
    sent: u64,
}

#[service(factory = "/core/whispers", options(REPLICATION, OWNER_SELECTION))]
impl Whisper {
    fn handle_patch(&mut self, ctx: &mut Context, #[field] to: String, #[field(minimum = 1)] by: Option<u64>) {
        self.sent = self.sent.saturating_add(1);
        ctx.patch(to, &json!({ "by": by.unwrap_or(1) }));
    }
}
