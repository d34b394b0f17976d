//! The metrics of a group of nodes: what copies say to each other, who reigns, what reads and operations wait for other nodes.
//!
//! `peer` is the number of another node, `lane` a lane of partitions; both have few values.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use steward_model::{Lane, NodeId};

const SENT_BYTES: &str = "steward_replication_sent_bytes_total";
const RECEIVED_BYTES: &str = "steward_replication_received_bytes_total";
const ACKNOWLEDGEMENTS: &str = "steward_replication_acknowledgements_total";
const DROPPED: &str = "steward_replication_parcels_dropped_total";
const BEHIND: &str = "steward_replication_behind_records";
const LOST_COPIES: &str = "steward_replication_lost_copies";
const COMMITTED: &str = "steward_records_committed_total";
const CUT: &str = "steward_records_cut_total";
const REIGNS_BEGUN: &str = "steward_reigns_begun_total";
const REIGNS_ENDED: &str = "steward_reigns_ended_total";
const PARTITIONS_OWNED: &str = "steward_partitions_owned";
const PARTITIONS_SERVED: &str = "steward_partitions_served";
const CONFIRMATIONS: &str = "steward_read_confirmations_total";
const CONFIRMATION_SECONDS: &str = "steward_read_confirmation_seconds";
const FORWARDED: &str = "steward_operations_forwarded_total";
const FORWARD_SECONDS: &str = "steward_operation_forward_seconds";
const ARRIVED: &str = "steward_operations_arrived_total";
const NODES: &str = "steward_group_nodes";
const REACHED: &str = "steward_group_nodes_reached";
const STRANDED: &str = "steward_group_partitions_stranded";
const QUORUM: &str = "steward_group_quorum";
const DECIDES: &str = "steward_group_decides";

pub(super) fn describe() {
    describe_counter!(SENT_BYTES, Unit::Bytes, "Bytes of records sent to copies of other nodes, repeats included");
    describe_counter!(RECEIVED_BYTES, Unit::Bytes, "Bytes of records received from other nodes, repeats included");
    describe_counter!(ACKNOWLEDGEMENTS, "Acknowledgements of other nodes that hold records durably");
    describe_counter!(DROPPED, "Parcels of letters between copies that were dropped because too many waited");
    describe_gauge!(BEHIND, "Records that copies of another node lack of what this node orders");
    describe_gauge!(LOST_COPIES, "Copies of another node that lack more than the log of this one has");
    describe_counter!(COMMITTED, "Records committed; own: ordered by this node, copied: by another one");
    describe_counter!(CUT, "Records cut off because a later reign ordered something else there");
    describe_counter!(REIGNS_BEGUN, "Reigns that this node began: elections of a partition that it won");
    describe_counter!(REIGNS_ENDED, "Reigns of this node that ended");
    describe_gauge!(PARTITIONS_OWNED, "Partitions for which this node is named, as far as it knows");
    describe_gauge!(PARTITIONS_SERVED, "Partitions whose updates this node orders now");
    describe_counter!(CONFIRMATIONS, "Questions of owners whether they still are, by how they ended");
    describe_histogram!(CONFIRMATION_SECONDS, Unit::Seconds, "Wait of reads for such a confirmation, if any");
    describe_counter!(FORWARDED, "Questions to owners on other nodes, by how they ended");
    describe_histogram!(FORWARD_SECONDS, Unit::Seconds, "Time from handing an operation on to its answer");
    describe_counter!(ARRIVED, "Operations that other nodes have handed on to this one");
    describe_gauge!(NODES, "Nodes of the group by status, as far as this one knows");
    describe_gauge!(REACHED, "Available nodes that this one reaches, itself among them");
    describe_gauge!(
        STRANDED,
        "Persisted partitions that can neither be read nor written from here until nodes are back"
    );
    describe_gauge!(QUORUM, "Nodes that must be available for updates to go on");
    describe_gauge!(DECIDES, "1 if the system group can decide, as far as this node can tell");
}

type Cells = [OnceLock<Counter>; 2];

fn cell(cells: &'static Cells, lane: Lane, make: impl FnOnce(&'static str) -> Counter) -> &'static Counter {
    let place = match lane {
        Lane::Persisted => 0,
        Lane::Volatile => 1,
    };
    cells[place].get_or_init(|| make(lane.as_str()))
}

/// Counts bytes of records that were sent to another node.
pub(crate) fn sent(peer: NodeId, bytes: usize) {
    counter!(SENT_BYTES, "peer" => peer.to_string()).increment(bytes as u64);
}

/// Counts what came in one parcel of another node: bytes of records, and acknowledgements.
pub(crate) fn received(peer: NodeId, bytes: usize, acknowledgements: usize) {
    if bytes > 0 {
        counter!(RECEIVED_BYTES, "peer" => peer.to_string()).increment(bytes as u64);
    }
    if acknowledgements > 0 {
        counter!(ACKNOWLEDGEMENTS, "peer" => peer.to_string()).increment(acknowledgements as u64);
    }
}

/// Counts a parcel that was dropped.
pub(crate) fn dropped() {
    counter!(DROPPED).increment(1);
}

/// Takes note of how far the copies of another node are behind, and how many of them cannot catch up.
pub(crate) fn behind(peer: NodeId, records: u64, lost: usize) {
    gauge!(BEHIND, "peer" => peer.to_string()).set(records as f64);
    gauge!(LOST_COPIES, "peer" => peer.to_string()).set(lost as f64);
}

/// Counts committed records; `is_own`: this node has ordered them.
pub(crate) fn committed(lane: Lane, records: usize, is_own: bool) {
    static OWN: Cells = [const { OnceLock::new() }; 2];
    static COPIED: Cells = [const { OnceLock::new() }; 2];
    let (cells, origin) = if is_own { (&OWN, "own") } else { (&COPIED, "copied") };
    cell(cells, lane, |lane| counter!(COMMITTED, "lane" => lane, "origin" => origin)).increment(records as u64);
}

/// Counts records that were cut off a log.
pub(crate) fn cut(lane: Lane, records: usize) {
    counter!(CUT, "lane" => lane.as_str()).increment(records as u64);
}

/// Counts a reign of this node that began.
pub(crate) fn reign_begun(lane: Lane) {
    counter!(REIGNS_BEGUN, "lane" => lane.as_str()).increment(1);
}

/// Counts a reign of this node that ended.
pub(crate) fn reign_ended(lane: Lane) {
    counter!(REIGNS_ENDED, "lane" => lane.as_str()).increment(1);
}

/// Takes note of how many partitions of a lane this node is named for, and how many it serves.
pub(crate) fn partitions(lane: Lane, owned: usize, served: usize) {
    gauge!(PARTITIONS_OWNED, "lane" => lane.as_str()).set(owned as f64);
    gauge!(PARTITIONS_SERVED, "lane" => lane.as_str()).set(served as f64);
}

/// How the question of an owner ended whether it still is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// It is.
    Yes,
    /// Another one may be.
    Refused,
    /// Nobody has said so in time.
    Late,
}

/// Counts such a question, and how long it was waited for; none: its answer was there at once.
pub(crate) fn confirmed(how: Confirmed, waited: Option<Duration>) {
    static CELLS: [OnceLock<Counter>; 3] = [const { OnceLock::new() }; 3];
    let (place, outcome) = match how {
        Confirmed::Yes => (0, "confirmed"),
        Confirmed::Refused => (1, "refused"),
        Confirmed::Late => (2, "late"),
    };
    CELLS[place].get_or_init(|| counter!(CONFIRMATIONS, "outcome" => outcome)).increment(1);
    if let Some(waited) = waited {
        histogram!(CONFIRMATION_SECONDS).record(waited.as_secs_f64());
    }
}

/// Counts a question to an owner; `outcome` is `answered`, `refused`, `not-owner`, `unreachable` or `unknown`.
pub(crate) fn forwarded(outcome: &'static str, took: Duration) {
    counter!(FORWARDED, "outcome" => outcome).increment(1);
    histogram!(FORWARD_SECONDS).record(took.as_secs_f64());
}

/// Counts an operation that another node has handed on.
pub(crate) fn arrived() {
    static CELL: OnceLock<Counter> = OnceLock::new();
    CELL.get_or_init(|| counter!(ARRIVED)).increment(1);
}

/// Takes note of how many nodes have a status.
pub(crate) fn nodes(status: &'static str, count: usize) {
    gauge!(NODES, "status" => status).set(count as f64);
}

/// Takes note of how many available nodes are reached, and how many partitions are out of reach.
pub(crate) fn within_reach(nodes: usize, stranded: usize) {
    gauge!(REACHED).set(nodes as f64);
    gauge!(STRANDED).set(stranded as f64);
}

/// Takes note of the quorum, and whether the system group can decide.
pub(crate) fn group(quorum: u32, decides: bool) {
    gauge!(QUORUM).set(f64::from(quorum));
    gauge!(DECIDES).set(if decides { 1.0 } else { 0.0 });
}
