//! `/core/partitions`: the state of the copies of partitions on this node.

use http::StatusCode;
use serde_json::{Value, json};
use steward_model::Lane;

use super::shapes::with_built_in;
use crate::http::Http;
use crate::http::decode;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::partition::Status;

const LANE: &str = "lane";
const VERIFY: &str = "verify";

/// The query parameters that are read here.
pub(super) const PARAMETERS: [&str; 2] = [LANE, VERIFY];

/// Shows every partition's copy on this node, or with `?lane=persisted` (`volatile`) those of one lane.
///
/// With `?verify=true` the digest of every partition is computed anew out of its documents, and `digestsAgree` says
/// whether it is what the partition has kept; that reads every document.
///
/// # Errors
/// [`Error::Parameter`] for an unknown lane and a `verify` that says neither yes nor no.
pub(super) async fn answer(http: &Http, asked: &HostRequest) -> Result<Answer, Error> {
    let partitions = http.operations().partitions();
    let wanted = match decode::parameter(asked.query(), LANE)?.as_deref() {
        None => None,
        Some("persisted") => Some(Lane::Persisted),
        Some("volatile") => Some(Lane::Volatile),
        Some(other) => {
            let reason = format!("is {other:?}: write persisted or volatile");
            return Err(Error::Parameter { name: LANE, reason });
        }
    };
    let all = partitions.all().filter(|partition| wanted.is_none_or(|lane| partition.id().lane == lane));
    let statuses: Vec<(Status, bool)> = all.map(|partition| (partition.status(), partition.admits().is_ok())).collect();
    let serving = statuses.iter().filter(|(_, serves)| *serves).count();
    let shown: Vec<Value> = statuses.iter().map(|(status, serves)| shown(http, status, *serves)).collect();
    // Null until every partition that is served here knows.
    let served = statuses.iter().filter(|(_, serves)| *serves);
    let pending: Option<usize> = served.map(|(status, _)| status.pending_effects).sum();
    let mut document = json!({"partitionCount": shown.len(), "servingCount": serving, "pendingEffects": pending});
    if decode::is_set(asked.query(), VERIFY)? {
        document["digestsAgree"] = json!(digests_agree(http).await?);
    }
    document["partitions"] = json!(shown);
    Ok(encode::json(StatusCode::OK, &with_built_in(http, document, "/core/partitions", "steward:PartitionStatus")))
}

async fn digests_agree(http: &Http) -> Result<bool, Error> {
    for partition in http.operations().partitions().all() {
        if !crate::partition::digests_agree(partition).await.map_err(crate::operation::Error::from)? {
            tracing::error!(partition = %partition.id(), "digest differs from the documents");
            return Ok(false);
        }
    }
    Ok(true)
}

fn shown(http: &Http, status: &Status, serves: bool) -> Value {
    let replica = &status.replica;
    let row = replica.row.as_ref();
    let cluster = http.parts.control.state();
    let host = |node| cluster.node(node).map(|node| node.host.to_string());
    let members = row.into_iter().flat_map(|row| &row.in_sync);
    let end = replica.end.map_or(0, |end| end.offset.0 + 1);
    let fed = replica.copies.iter().map(|copy| {
        let proven = copy.proven.map_or(0, |proven| proven.0 + 1);
        json!({"node": host(copy.member.node), "behind": end.saturating_sub(proven), "isLost": copy.is_lost})
    });
    json!({
        "id": status.partition.to_string(),
        "role": replica.role.as_str(),
        "serves": serves,
        "epoch": row.map(|row| row.epoch.as_u64()),
        "primary": row.and_then(|row| host(row.primary.node)),
        "inSync": members.map(|member| json!(host(member.node))).collect::<Vec<Value>>(),
        "writeQuorum": row.map(|row| row.write_quorum),
        "recoveryQuorum": row.map(|row| row.recovery_quorum),
        "rowVersion": row.map(|row| row.version),
        "promisedEpoch": replica.promised.as_u64(),
        "copies": fed.collect::<Vec<Value>>(),
        "logStart": status.log_start.0,
        "lastOffset": replica.end.map(|end| end.offset.0),
        "durableOffset": replica.durable.map(|offset| offset.0),
        "committedOffset": replica.committed.map(|offset| offset.0),
        "appliedOffset": status.applied.map(|offset| offset.0),
        "unappliedRecords": status.unapplied,
        "refusedByLog": status.refused_by_log,
        "pendingEffects": status.pending_effects,
    })
}
