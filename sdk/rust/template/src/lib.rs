//! A counter that comes to rest by itself, one step an hour.
use steward_sdk::prelude::*;

/// A counter.
#[derive(Document)]
pub struct Counter {
    #[document(default)]
    count: u64,
    #[document(default = 1, minimum = 1)]
    step: u64,
}

#[service(name = "my-service", factory = "/core/my-service")]
impl Counter {
    fn handle_patch(&mut self, #[field(minimum = 1)] by: Option<u64>) {
        self.count = self.count.saturating_add(by.unwrap_or(self.step));
    }

    #[every("1h")]
    fn handle_maintenance(&mut self) {
        self.count = self.count.saturating_sub(self.step);
    }
}
