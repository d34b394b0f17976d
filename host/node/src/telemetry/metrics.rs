//! The metrics of the host, declared once; those of a group are in `group`. Names carry their unit; labels have a bounded number of values.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use steward_model::operation::Cause;
use steward_model::{Action, Lane, Link};
use steward_replication::pending::Amount;
use steward_storage::log::Stats;
use steward_storage::space::Room;

use super::process;

/// Boundaries of the buckets of durations, in seconds.
const SECONDS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

const OPERATIONS: &str = "steward_operations_total";
const OPERATION_SECONDS: &str = "steward_operation_duration_seconds";
const STAGES_FAILED: &str = "steward_operation_stages_failed_total";
const UPDATES_PROPOSED: &str = "steward_updates_proposed_total";
const UPDATES_APPLIED: &str = "steward_updates_applied_total";
const DOCUMENTS_EXPIRED: &str = "steward_documents_expired_total";
const CHECKPOINTS_FAILED: &str = "steward_checkpoints_failed_total";
const EFFECTS: &str = "steward_effects_total";
const EFFECTS_RETRIED: &str = "steward_effects_retried_total";
const LOG_GROUPS: &str = "steward_log_groups_total";
const LOG_FRAMES: &str = "steward_log_frames_total";
const LOG_BYTES: &str = "steward_log_bytes_total";
const LOG_FSYNC: &str = "steward_log_fsync_seconds_total";
const BUILD: &str = "steward_build_info";
const RESPONSES: &str = "steward_http_responses_total";
const CONNECTIONS: &str = "steward_http_connections";
const CONNECTIONS_MAX: &str = "steward_http_connections_max";
const CONNECTIONS_REFUSED: &str = "steward_http_connections_refused_total";
const CONNECTIONS_SILENT: &str = "steward_http_connections_silent_total";
const ACCEPTS_SHORT: &str = "steward_http_accepts_short_total";
const ANSWERS_REFUSED: &str = "steward_http_answers_refused_total";
const EFFECTS_PENDING: &str = "steward_effects_pending";
const EFFECT_BYTES: &str = "steward_effects_pending_bytes";
const ANSWER_BYTES: &str = "steward_http_answer_bytes";
const BODY_BYTES: &str = "steward_http_body_bytes";
const BODIES_REFUSED: &str = "steward_http_bodies_refused_total";
const REQUESTS: &str = "steward_http_requests_under_way";
const GUEST_LINES_DROPPED: &str = "steward_guest_lines_dropped_total";
const STRANGERS: &str = "steward_http_strangers_total";
const DOCUMENTS: &str = "steward_documents";
const DISK_FREE: &str = "steward_disk_free_bytes";
const DISK_USED: &str = "steward_disk_used_bytes";
const LOG_SIZE: &str = "steward_log_size_bytes";
const WAITING: &str = "steward_waiting";
const GUEST_FAILURES: &str = "steward_guest_failures_total";
const DESCRIPTORS: &str = "steward_file_descriptors";
const DESCRIPTORS_MAX: &str = "steward_file_descriptors_max";

/// Sets up the metrics of this process and returns what prints them.
///
/// # Errors
/// [`BuildError`] if metrics are set up already.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?;
    let handle = builder.install_recorder()?;
    describe_counter!(OPERATIONS, "Operations that ended, by service, action, cause and outcome");
    describe_histogram!(OPERATION_SECONDS, Unit::Seconds, "Time from admission to the answer");
    describe_counter!(
        STAGES_FAILED,
        "Stages that refused or failed; an operation may begin anew after one, or go on without it"
    );
    describe_counter!(UPDATES_PROPOSED, "Updates taken into the log");
    describe_counter!(UPDATES_APPLIED, "Updates applied to the state store");
    describe_counter!(DOCUMENTS_EXPIRED, "Documents whose time had passed and that were removed");
    describe_counter!(CHECKPOINTS_FAILED, "Checkpoints that could not be made");
    describe_counter!(EFFECTS, "Effects that were carried out or given up");
    describe_counter!(EFFECTS_RETRIED, "Attempts to carry out an effect that will be repeated");
    describe_counter!(LOG_GROUPS, "Groups written to the commit log, each with one fsync");
    describe_counter!(LOG_FRAMES, "Frames written to the commit log: updates, promises, checkpoints");
    describe_counter!(LOG_BYTES, Unit::Bytes, "Bytes written to the commit log, with headers and padding");
    describe_counter!(RESPONSES, "HTTP responses by class of status");
    describe_gauge!(CONNECTIONS, "Connections of clients that are open");
    describe_gauge!(CONNECTIONS_MAX, "Connections of clients that may be open at once");
    describe_counter!(CONNECTIONS_REFUSED, "Connections that got no place because all others were in use");
    describe_counter!(CONNECTIONS_SILENT, "Connections that were closed because nothing was said or taken");
    describe_counter!(
        ACCEPTS_SHORT,
        "Times that the system handed over no connection for want of descriptors or memory"
    );
    describe_counter!(ANSWERS_REFUSED, "Answers that were too large beside those that clients had not taken yet");
    describe_gauge!(EFFECTS_PENDING, "Effects and timers of a service's documents that wait to be sent by this node");
    describe_gauge!(EFFECT_BYTES, Unit::Bytes, "Bytes of effects and timers that wait to be sent by this node");
    describe_gauge!(BODY_BYTES, Unit::Bytes, "Bytes of bodies of requests that arrive or are worked on");
    describe_counter!(BODIES_REFUSED, "Requests refused because the bodies of others held too many bytes");
    describe_gauge!(REQUESTS, "Requests to services that are under way");
    describe_gauge!(ANSWER_BYTES, Unit::Bytes, "Bytes of large answers that clients have not taken yet");
    describe_counter!(GUEST_LINES_DROPPED, "Log lines of guests beyond what a service may write in a second");
    describe_counter!(
        STRANGERS,
        "Requests refused because they name another host, or a page of a foreign origin sent them"
    );
    describe_gauge!(DOCUMENTS, "Documents of a service that this node has copies of");
    describe_gauge!(DISK_FREE, Unit::Bytes, "Free bytes of the file system in which the data folder lies");
    describe_gauge!(DISK_USED, Unit::Bytes, "Used bytes of that file system, whoever uses them");
    describe_gauge!(LOG_SIZE, Unit::Bytes, "Bytes that the segments of the commit log take");
    describe_gauge!(WAITING, "Operations, calls of guests, queries and modules that wait for their turn, by queue");
    describe_counter!(GUEST_FAILURES, "Calls of a service's guest that failed; what it refuses does not count");
    describe_gauge!(DESCRIPTORS, "File descriptors that the process has open");
    describe_gauge!(DESCRIPTORS_MAX, "File descriptors that the process may have open");
    super::group::describe();
    describe_gauge!(BUILD, "1, with the version of this build as a label");
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// How often recorded durations are sorted into their buckets; until then each takes memory of its own.
const UPKEEP: Duration = Duration::from_secs(2);

/// Keeps the memory of the metrics bounded, for as long as it is polled.
pub(crate) async fn keep(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        handle.run_upkeep();
    }
}

fn by_lane(cell: &'static [OnceLock<Counter>; 2], name: &'static str, lane: Lane) -> &'static Counter {
    let place = match lane {
        Lane::Persisted => 0,
        Lane::Volatile => 1,
    };
    cell[place].get_or_init(|| counter!(name, "lane" => lane.as_str()))
}

/// Counts an update that was taken into the log.
pub(crate) fn proposed(lane: Lane) {
    static CELLS: [OnceLock<Counter>; 2] = [OnceLock::new(), OnceLock::new()];
    by_lane(&CELLS, UPDATES_PROPOSED, lane).increment(1);
}

/// Counts updates that were applied to a state store.
pub(crate) fn applied(lane: Lane, updates: usize) {
    static CELLS: [OnceLock<Counter>; 2] = [OnceLock::new(), OnceLock::new()];
    by_lane(&CELLS, UPDATES_APPLIED, lane).increment(updates as u64);
}

/// Counts a document that was removed because its time had passed.
pub(crate) fn expired() {
    counter!(DOCUMENTS_EXPIRED).increment(1);
}

/// Counts a checkpoint that could not be made.
pub(crate) fn checkpoint_failed() {
    counter!(CHECKPOINTS_FAILED).increment(1);
}

/// Counts an operation that was refused or failed in this stage.
pub(crate) fn stage_failed(stage: &'static str) {
    counter!(STAGES_FAILED, "stage" => stage).increment(1);
}

/// Takes over what the commit log has counted itself.
pub(crate) fn log_written(stats: &Stats) {
    counter!(LOG_GROUPS).absolute(stats.groups);
    counter!(LOG_FRAMES).absolute(stats.frames);
    counter!(LOG_BYTES).absolute(stats.bytes);
}

/// Returns the metrics that have fractions, and those of the process, in the text format of Prometheus. Counters of the library have whole
/// numbers only, and times are told in seconds.
pub(crate) fn fractions(stats: &Stats) -> String {
    let seconds = Duration::from_micros(stats.sync_micros_total).as_secs_f64();
    let mut text = String::new();
    process::write(&mut text, LOG_FSYNC, "counter", "Duration of all fsyncs of the commit log together", seconds);
    process::describe(&mut text);
    text
}

/// Counts an effect that ended: `outcome` is `answered`, `refused` or `given-up`.
pub(crate) fn effect(outcome: &'static str) {
    counter!(EFFECTS, "outcome" => outcome).increment(1);
}

/// Counts an attempt to carry out an effect that will be repeated.
pub(crate) fn effect_retried() {
    counter!(EFFECTS_RETRIED).increment(1);
}

/// The metrics of one service's operations; looked up once, because a look-up costs as much as a small handler.
#[derive(Clone)]
struct PerService {
    ended: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl PerService {
    fn of(service: &Link, action: Action, cause: Cause) -> PerService {
        let (service, action, cause) = (service.as_str().to_owned(), action.as_str(), cause.as_str());
        let counted = |outcome: &'static str| counter!(OPERATIONS, "service" => service.clone(), "action" => action, "cause" => cause, "outcome" => outcome);
        let (ended, failed) = (counted("ok"), counted("failed"));
        PerService { ended, failed, seconds: histogram!(OPERATION_SECONDS, "service" => service, "action" => action) }
    }
}

/// Takes note of an operation that ended.
pub(crate) fn operation(service: &Link, action: Action, cause: Cause, took: Duration, failed: bool) {
    use std::cell::RefCell;
    use std::collections::HashMap;
    thread_local! {
        static KNOWN: RefCell<HashMap<(Link, Action, Cause), PerService>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        let key = (service.clone(), action, cause);
        let metrics = known.entry(key).or_insert_with(|| PerService::of(service, action, cause));
        if failed { &metrics.failed } else { &metrics.ended }.increment(1);
        metrics.seconds.record(took.as_secs_f64());
    });
}

/// Takes note of how many connections are open, and how many may be.
pub(crate) fn connections(open: usize, max: usize) {
    gauge!(CONNECTIONS).set(open as f64);
    gauge!(CONNECTIONS_MAX).set(max as f64);
}

/// Takes note of how many file descriptors are open, if that is known, and how many may be.
pub(crate) fn descriptors(open: Option<usize>, max: usize) {
    if let Some(open) = open {
        gauge!(DESCRIPTORS).set(open as f64);
    }
    gauge!(DESCRIPTORS_MAX).set(max as f64);
}

/// Counts a connection that got no place.
pub(crate) fn connection_refused() {
    counter!(CONNECTIONS_REFUSED).increment(1);
}

/// Counts a connection that was closed because nothing was said or taken.
pub(crate) fn connection_silent() {
    counter!(CONNECTIONS_SILENT).increment(1);
}

/// Counts a time when the system handed over no connection for want of descriptors or memory.
pub(crate) fn accept_short() {
    counter!(ACCEPTS_SHORT).increment(1);
}

/// Counts an answer that there was no room for.
pub(crate) fn answer_refused() {
    counter!(ANSWERS_REFUSED).increment(1);
}

/// Takes note of how many requests are under way, and how many bytes their bodies hold.
pub(crate) fn requests(under_way: usize, body_bytes: usize) {
    gauge!(REQUESTS).set(under_way as f64);
    gauge!(BODY_BYTES).set(body_bytes as f64);
}

/// Counts a request whose body there was no room for.
pub(crate) fn body_refused() {
    counter!(BODIES_REFUSED).increment(1);
}

/// Takes note of how many bytes large answers hold.
pub(crate) fn answers(bytes: usize) {
    gauge!(ANSWER_BYTES).set(bytes as f64);
}

/// Takes note of what the documents of a factory have to send.
pub(crate) fn pending(factory: &Link, amount: Amount) {
    let factory = || factory.as_str().to_owned();
    gauge!(EFFECTS_PENDING, "service" => factory(), "kind" => "effect").set((amount.effects - amount.timers) as f64);
    gauge!(EFFECTS_PENDING, "service" => factory(), "kind" => "timer").set(amount.timers as f64);
    gauge!(EFFECT_BYTES, "service" => factory()).set(amount.bytes as f64);
}

/// Takes note of how many documents a service has here.
pub(crate) fn documents(service: &Link, count: u64) {
    gauge!(DOCUMENTS, "service" => service.as_str().to_owned()).set(count as f64);
}

/// Takes note of the file system of the data folder, and of how many bytes the commit log takes there.
pub(crate) fn disk(room: Room, log_bytes: u64) {
    gauge!(DISK_FREE).set(room.free as f64);
    gauge!(DISK_USED).set(room.used as f64);
    gauge!(LOG_SIZE).set(log_bytes as f64);
}

/// Takes note of how many wait in a queue.
pub(crate) fn waiting(queue: &'static str, count: usize) {
    gauge!(WAITING, "queue" => queue).set(count as f64);
}

/// Counts a call that failed by a fault of the guest, which has one of the codes `guest-…`.
pub(crate) fn guest_failed(service: &Link, code: &'static str) {
    counter!(GUEST_FAILURES, "service" => service.as_str().to_owned(), "code" => code).increment(1);
}

/// Counts a log line of a guest that was not written.
pub(crate) fn guest_line_dropped(service: &Link) {
    counter!(GUEST_LINES_DROPPED, "service" => service.as_str().to_owned()).increment(1);
}

/// Counts a request that names another `host` or `scheme`, or an update from a page of a foreign `origin`: `sign` is one of the three.
pub(crate) fn stranger(sign: &'static str) {
    counter!(STRANGERS, "sign" => sign).increment(1);
}

/// Counts an HTTP response.
pub(crate) fn response(status: u16) {
    static CELLS: [OnceLock<Counter>; 6] = [const { OnceLock::new() }; 6];
    let class = usize::from(status / 100).min(5);
    let names = ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"];
    CELLS[class].get_or_init(|| counter!(RESPONSES, "class" => names[class])).increment(1);
}
