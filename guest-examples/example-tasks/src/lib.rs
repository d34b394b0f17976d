//! Xenon's ExampleTaskService: a task that finds all examples, deletes them, and finishes.
//!
//! Each step is a PATCH of the task on itself, so that each step is a version of the document and whoever owns the
//! document next knows where it stood:
//!
//! ```text
//!  POST ──▶ v0 STARTED QUERY_EXAMPLES     start: self-PATCH
//!           v1 STARTED QUERY_EXAMPLES     query ──answer──▶ self-PATCH with the results
//!           v2 STARTED DELETE_EXAMPLES    a DELETE each ──last answer──▶ self-PATCH
//!           v3 FINISHED
//! ```
//!
//! A step that fails makes the task FAILED, with `failureMessage`.
//!
//! **Restarts.** Effects outlive a restart, so the work goes on by itself; the task is told to query once more all the
//! same, as Xenon did. That is why tasks start eagerly: nobody else would touch one that has nothing under way. Two chains of steps would get into each other's way: answers carry the version that asked for
//! them, and those to an older version are passed over.

mod state;

use steward_sdk::prelude::*;

pub use state::{ExampleTask, Stage, SubStage};

/// The kind of PATCH with which a task takes itself up again. Clients may not send it.
const RESTART: &str = "com:vmware:xenon:services:common:ExampleTaskService:RestartRequest";

/// How many examples are deleted before the answers are waited for: as many effects as one call may have.
const DELETES_AT_ONCE: usize = 64;

/// Expiry of a task that names neither a lifetime nor an expiration.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(4 * 3600);

#[service(
    name = "example-tasks",
    factory = "/core/example-tasks",
    kind = "com:vmware:xenon:services:common:ExampleTaskService:ExampleTaskServiceState",
    options(persistence, replication, owner_selection, instrumentation, idempotent_post),
    task,
    start = "eager"
)]
impl ExampleTask {
    fn handle_create(&mut self, ctx: &mut Context) -> Result {
        self.check_new()?;
        match self.lifetime() {
            Some(lifetime) => ctx.expire_in(lifetime),
            None if ctx.expires_micros() == 0 => ctx.expire_in(LIFETIME_DEFAULT),
            None => (),
        }
        self.begin();
        Ok(())
    }

    fn handle_start(&self, ctx: &mut Context) {
        if !ctx.exists() {
            ctx.self_patch(&step(Stage::Started, Some(SubStage::QueryExamples)));
        } else if !self.has_ended() {
            ctx.self_patch(&json!({ "kind": RESTART }));
        }
    }

    fn handle_patch(&mut self, ctx: &mut Context, patch: ExampleTask) -> Result {
        self.check_step(&patch)?;
        self.adopt(patch);
        match (self.stage(), self.sub_stage()) {
            (Stage::Started, SubStage::QueryExamples) => self.query(ctx),
            (Stage::Started, SubStage::DeleteExamples) => self.delete_from(ctx, 0, ctx.version() + 1),
            (Stage::Created | Stage::Finished | Stage::Failed | Stage::Cancelled, _) => (),
        }
        Ok(())
    }

    #[patch(kind = "com:vmware:xenon:services:common:ExampleTaskService:RestartRequest")]
    fn restart(&mut self, ctx: &mut Context) -> Result<Reply> {
        ensure!(ctx.cause() == Cause::Effect, invalid("kind", "only the task itself takes itself up again"));
        if self.has_ended() {
            return Ok(Reply::unchanged());
        }
        self.begin();
        self.query(ctx);
        Ok(Reply::state())
    }

    fn handle_put(&self) -> Result {
        Err(refused(405, "not-allowed", "a task is changed by PATCH"))
    }

    fn handle_reply(&self, ctx: &mut Context, tag: &str, answer: &Answer) -> Result {
        let Some(awaited) = Awaited::parse(tag).filter(|awaited| awaited.version == ctx.version()) else {
            return Ok(());
        };
        if !answer.is_success() {
            fail(ctx, &answer.problem());
            return Ok(());
        }
        match awaited.what {
            What::Query => {
                let mut body = step(Stage::Started, Some(SubStage::DeleteExamples));
                body["exampleQueryTask"] = answer.json()?;
                let tag = Awaited { what: What::Step, version: ctx.version() }.tag();
                ctx.self_patch(&body).reply_tag(tag);
            }
            What::Delete(index) if index + 1 == self.examples().len() => finish(ctx),
            What::Delete(index) if (index + 1) % DELETES_AT_ONCE == 0 => {
                self.delete_from(ctx, index + 1, ctx.version())
            }
            What::Delete(_) | What::Step => (),
        }
        Ok(())
    }

    /// Asks for all examples. The handler that calls it makes a new version, whose number the answer carries.
    fn query(&self, ctx: &mut Context) {
        let tag = Awaited { what: What::Query, version: ctx.version() + 1 }.tag();
        ctx.create("/core/query-tasks", &self.query_task()).reply_tag(tag);
    }

    /// Deletes the next examples.
    fn delete_from(&self, ctx: &mut Context, first: usize, version: u64) {
        let examples = self.examples();
        if examples.is_empty() {
            finish(ctx);
        }
        for (index, example) in examples.iter().enumerate().skip(first).take(DELETES_AT_ONCE) {
            let tag = Awaited { what: What::Delete(index), version }.tag();
            ctx.delete(*example).reply_tag(tag);
        }
    }
}

/// Returns the body of a step.
fn step(stage: Stage, sub_stage: Option<SubStage>) -> Value {
    let mut body = json!({ "taskInfo": { "stage": stage } });
    if let Some(sub_stage) = sub_stage {
        body["subStage"] = json!(sub_stage);
    }
    body
}

fn finish(ctx: &mut Context) {
    ctx.self_patch(&step(Stage::Finished, None));
}

fn fail(ctx: &mut Context, message: &str) {
    let mut body = step(Stage::Failed, None);
    body["failureMessage"] = message.into();
    ctx.self_patch(&body);
}

/// What an answer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Query,
    /// The self-PATCH that brings the results.
    Step,
    /// The DELETE of the example at that place in the results.
    Delete(usize),
}

/// An answer that a version of the task waits for, written in a reply tag: `query@1`, `delete-5@2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Awaited {
    what: What,
    version: u64,
}

impl Awaited {
    fn tag(self) -> String {
        let version = self.version;
        match self.what {
            What::Query => format!("query@{version}"),
            What::Step => format!("step@{version}"),
            What::Delete(index) => format!("delete-{index}@{version}"),
        }
    }

    fn parse(tag: &str) -> Option<Awaited> {
        let (what, version) = tag.split_once('@')?;
        let what = match what {
            "query" => What::Query,
            "step" => What::Step,
            other => What::Delete(other.strip_prefix("delete-")?.parse().ok()?),
        };
        Some(Awaited { what, version: version.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_what_is_awaited() {
        for what in [What::Query, What::Step, What::Delete(63)] {
            let awaited = Awaited { what, version: 2 };
            assert_eq!(Awaited::parse(&awaited.tag()), Some(awaited));
        }
        assert_eq!(Awaited::parse("delete-x@2"), None);
    }
}
