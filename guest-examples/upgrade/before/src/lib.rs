//! The first version of a ledger: the module that `upgrade/after` takes over from.
use std::hint::black_box;

use steward_sdk::Level;
use steward_sdk::prelude::*;

/// What was added up.
#[derive(Document)]
pub struct Ledger {
    #[document(default)]
    count: u64,
    /// The second version looks after such a ledger; this one has no maintenance.
    #[document(default)]
    watched: bool,
    /// How often this module has started the ledger; the second version has no start handler.
    #[document(default)]
    starts: u64,
}

#[service(factory = "/core/ledgers", name = "ledger", version = "1.0.0", limits(deadline_millis = 30_000))]
impl Ledger {
    fn handle_start(&mut self) {
        self.starts += 1;
    }

    /// `work` is the number of steps that the call takes its time with.
    fn handle_patch(
        &mut self,
        ctx: &mut Context,
        #[field] by: Option<u64>,
        #[field] work: Option<u64>,
    ) -> Result<Reply> {
        if let Some(work) = work {
            ctx.log(Level::Info, "work begins");
            (0..work).for_each(|step| {
                black_box(step);
            });
        }
        self.count += by.unwrap_or(1);
        Ok(Reply::state().with_header("x-ledger", "before"))
    }
}
