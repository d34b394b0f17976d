//! The second version of a ledger: its state has another shape, and it reads the first one's.
use std::hint::black_box;

use steward_sdk::Level;
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

/// Takes its time with a call: that many steps.
fn take(ctx: &Context, work: Option<u64>) {
    if let Some(work) = work {
        ctx.log(Level::Info, "new work begins");
        (0..work).for_each(|step| {
            black_box(step);
        });
    }
}

#[service(
    factory = "/core/ledgers",
    name = "ledger",
    version = "2.0.0",
    state_version = 2,
    limits(deadline_millis = 30_000)
)]
impl Ledger {
    /// Creation has the state as its body, so the work stands in the query.
    fn handle_create(&mut self, ctx: &mut Context) {
        take(ctx, ctx.parameter("work").and_then(|steps| steps.parse().ok()));
    }

    #[migrate(from = 1)]
    fn carry(before: Before) -> Result<Ledger> {
        Ok(Ledger { total: before.count, carried: before.count, watched: before.watched, ticks: 0 })
    }

    fn handle_patch(
        &mut self,
        ctx: &mut Context,
        #[field] by: Option<u64>,
        #[field] work: Option<u64>,
    ) -> Result<Reply> {
        take(ctx, work);
        self.total += by.unwrap_or(1);
        Ok(Reply::state().with_header("x-ledger", "after"))
    }

    #[every("100ms")]
    fn handle_maintenance(&mut self) {
        self.ticks += u64::from(self.watched);
    }
}
