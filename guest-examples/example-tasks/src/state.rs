//! The state of a task: its fields, and the rules by which it may change.

use steward_sdk::prelude::*;

const EXAMPLE_KIND: &str = "com:vmware:xenon:services:common:ExampleService:ExampleServiceState";

/// A task that deletes all examples.
#[derive(Document)]
pub struct ExampleTask {
    /// Seconds after which the task expires.
    task_lifetime: Option<i64>,
    /// What the task is at. Its own to set.
    sub_stage: Option<SubStage>,
    /// The finished query for examples. The task's own to set.
    example_query_task: Option<Value>,
    /// One more clause that examples must meet.
    custom_query_clause: Option<Value>,
    /// Where the task stands.
    task_info: Option<TaskInfo>,
    /// Why it failed.
    failure_message: Option<String>,
}

/// The part of the state that all tasks have.
#[derive(Document)]
struct TaskInfo {
    stage: Option<Stage>,
    #[document(default)]
    is_direct: bool,
    duration_micros: Option<i64>,
    failure: Option<Value>,
}

/// Where a task stands.
#[derive(Document, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// Nothing was done.
    Created,
    /// Work is going on.
    Started,
    /// All is done.
    Finished,
    /// A step failed.
    Failed,
    /// A client ended it.
    Cancelled,
}

/// What a started task is at.
#[derive(Document, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SubStage {
    /// Finding the examples.
    QueryExamples,
    /// Deleting them.
    DeleteExamples,
}

impl ExampleTask {
    /// Refuses a new task that sets what is not a client's to set.
    pub(crate) fn check_new(&self) -> Result {
        ensure!(self.sub_stage.is_none(), invalid("subStage", "Do not specify subStage: internal use only"));
        let internal = invalid("exampleQueryTask", "Do not specify exampleQueryTask: internal use only");
        ensure!(self.example_query_task.is_none(), internal);
        let positive = self.task_lifetime.is_none_or(|seconds| seconds > 0);
        ensure!(positive, invalid("taskLifetime", "taskLifetime must be positive"));
        let stage = self.task_info.as_ref().and_then(|info| info.stage);
        let unset = matches!(stage, None | Some(Stage::Created));
        ensure!(unset, invalid("taskInfo/stage", "a new task has no stage yet, or CREATED"));
        Ok(())
    }

    /// Refuses a step that leads backwards, or out of an end.
    pub(crate) fn check_step(&self, patch: &ExampleTask) -> Result {
        let info = patch.task_info.as_ref().or_invalid("taskInfo", "Missing taskInfo")?;
        let stage = info.stage.or_invalid("taskInfo/stage", "Missing stage")?;
        let now = self.stage();
        let onwards = !self.has_ended() && stage >= now && stage != Stage::Created;
        ensure!(onwards, invalid("taskInfo/stage", format!("Task stage cannot move from {now:?} to {stage:?}")));
        if stage != Stage::Started {
            return Ok(());
        }
        let next = patch.sub_stage.or_invalid("subStage", "Missing subStage")?;
        let now = self.sub_stage();
        ensure!(next >= now, invalid("subStage", format!("subStage cannot move from {now:?} to {next:?}")));
        let found = self.example_query_task.is_some() || patch.example_query_task.is_some();
        let ready = next == SubStage::QueryExamples || found;
        ensure!(ready, invalid("exampleQueryTask", "nothing can be deleted before the query has its results"));
        Ok(())
    }

    /// Takes over a step that was checked.
    pub(crate) fn adopt(&mut self, patch: ExampleTask) {
        if let (Some(mine), Some(theirs)) = (self.task_info.as_mut(), patch.task_info) {
            mine.stage = theirs.stage.or(mine.stage);
            mine.failure = theirs.failure.or(mine.failure.take());
        }
        self.sub_stage = patch.sub_stage.or(self.sub_stage);
        self.example_query_task = patch.example_query_task.or(self.example_query_task.take());
        self.failure_message = patch.failure_message.or(self.failure_message.take());
    }

    /// Sets the task to its first step.
    pub(crate) fn begin(&mut self) {
        let is_direct = self.task_info.as_ref().is_some_and(|info| info.is_direct);
        let stage = Some(Stage::Started);
        self.task_info = Some(TaskInfo { stage, is_direct, duration_micros: None, failure: None });
        self.sub_stage = Some(SubStage::QueryExamples);
    }

    /// Returns where the task stands.
    pub(crate) fn stage(&self) -> Stage {
        self.task_info.as_ref().and_then(|info| info.stage).unwrap_or(Stage::Created)
    }

    /// Returns what the task is at.
    pub(crate) fn sub_stage(&self) -> SubStage {
        self.sub_stage.unwrap_or(SubStage::QueryExamples)
    }

    /// Returns true for a task that will do nothing any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.stage() > Stage::Started
    }

    /// Returns how long the task may live.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        self.task_lifetime.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs)
    }

    /// Returns the query for examples.
    pub(crate) fn query_task(&self) -> Value {
        let kind = json!({ "propertyName": "documentKind", "matchValue": EXAMPLE_KIND, "matchType": "TERM" });
        let mut clauses = vec![json!({ "occurance": "MUST_OCCUR", "term": kind })];
        clauses.extend(self.custom_query_clause.clone());
        json!({
            "taskInfo": { "isDirect": true },
            "querySpec": { "query": { "occurance": "MUST_OCCUR", "booleanClauses": clauses }, "options": [] },
        })
    }

    /// Returns the examples that the query found.
    pub(crate) fn examples(&self) -> Vec<&str> {
        let found = self.example_query_task.as_ref().map(|task| &task["results"]["documentLinks"]);
        found.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }
}
