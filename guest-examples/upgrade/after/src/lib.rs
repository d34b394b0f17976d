//! The second version of a ledger: its state has another shape, and it reads the first one's.
use steward_sdk::prelude::*;

/// The shape of the first version.
#[derive(serde::Deserialize)]
struct Before {
    count: u64,
    watched: bool,
}

/// What was added up, and where it began.
#[derive(Document)]
pub struct Ledger {
    #[document(default)]
    total: u64,
    #[document(default)]
    carried: u64,
    #[document(default)]
    watched: bool,
    #[document(default)]
    ticks: u64,
}

#[service(factory = "/core/ledgers", name = "ledger", version = "2.0.0", state_version = 2)]
impl Ledger {
    #[migrate(from = 1)]
    fn carry(before: Before) -> Result<Ledger> {
        Ok(Ledger { total: before.count, carried: before.count, watched: before.watched, ticks: 0 })
    }

    fn handle_patch(&mut self, #[field] by: Option<u64>) -> Result<Reply> {
        self.total += by.unwrap_or(1);
        Ok(Reply::state().with_header("x-ledger", "after"))
    }

    #[every("100ms")]
    fn handle_maintenance(&mut self) {
        self.ticks += u64::from(self.watched);
    }
}
