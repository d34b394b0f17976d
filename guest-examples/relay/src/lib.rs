//! A relay: each PATCH is counted and passed on to another document, together or not at all.
use steward_sdk::prelude::*;

/// How much was passed on.
#[derive(Document)]
pub struct Relay {
    #[document(default)]
    sent: u64,
}

#[service(factory = "/core/relays")]
impl Relay {
    fn handle_patch(&mut self, ctx: &mut Context, #[field] to: String, #[field(minimum = 1)] by: Option<u64>) {
        let by = by.unwrap_or(1);
        self.sent = self.sent.saturating_add(by);
        ctx.patch(to, &json!({ "by": by }));
    }
}
