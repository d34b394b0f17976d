//! `/core/node-selectors/default`: which node owns a document.

use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use steward_model::{Lane, Link, PartitionId};
use steward_protocol::cluster::group::Node;

use super::shapes::{body, with_built_in};
use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::http::methods::Methods;
use crate::service::Found;

const PATH: &str = "/core/node-selectors/default";

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Show,
    Tell,
}

pub(super) const METHODS: Methods<Act> = Methods(&[("GET", Act::Show), ("HEAD", Act::Show), ("POST", Act::Tell)]);

const KIND: &str = "com:vmware:xenon:common:NodeSelectorState";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    key: String,
    /// Clients of Xenon say what the request is; there is only this one.
    #[serde(rename = "kind")]
    _kind: Option<IgnoredAny>,
}

/// Shows the selector, or tells who owns the self-link that is the request's `key`.
///
/// # Errors
/// [`Error::Path`] if the key is no self-link, [`Error::NotAvailable`] before the first node serves.
pub(super) async fn answer(http: &Http, asked: HostRequest) -> Result<Answer, Error> {
    match asked.act(&METHODS)? {
        Act::Show => Ok(encode::json(StatusCode::OK, &state(http))),
        Act::Tell => {
            let request: Request = body(http, asked).await?;
            Ok(encode::json(StatusCode::OK, &owner(http, &request.key).await?))
        }
    }
}

fn state(http: &Http) -> Value {
    let cluster = http.parts.control.state();
    let available = http.parts.view.standing().available(&cluster);
    let quorum = cluster.quorum().value;
    let enough = u32::try_from(available).unwrap_or(u32::MAX) >= quorum;
    let updated = cluster.group().nodes().map(|node| node.updated.0).max().unwrap_or(0);
    let document = json!({
        "nodeGroupLink": "/core/node-groups/default",
        "membershipQuorum": quorum,
        "membershipUpdateTimeMicros": updated,
        "status": if enough { "AVAILABLE" } else { "UNAVAILABLE" },
        "availableNodeCount": available,
        "partitionsPerLane": cluster.partitions_per_lane(),
    });
    with_built_in(http, document, PATH, KIND)
}

/// Tells who owns a self-link: as the system group confirms it now, or, while it cannot, as this node knows.
async fn owner(http: &Http, key: &str) -> Result<Value, Error> {
    let link = Link::parse(key)?;
    let lane = match http.operations().services().find(&link) {
        Some(Found::Child(service) | Found::Factory(service)) => service.lane(),
        Some(Found::Stateless(_)) | None => Lane::Persisted,
    };
    let partition = PartitionId::of(&link, lane);
    let newest = http.parts.control.newest().await;
    let confirmed = newest.is_ok();
    let cluster = newest.unwrap_or_else(|error| {
        tracing::debug!(%error, %partition, "owner not confirmed");
        http.parts.control.state()
    });
    let row = cluster.row(partition);
    let owner = row.and_then(|row| cluster.node(row.primary.node));
    let (Some(row), Some(owner)) = (row, owner) else {
        let reason = "no node has registered yet".to_owned();
        return Err(Error::NotAvailable { subject: format!("partition {partition}"), reason });
    };
    let reference = |node: &Node| format!("{}/core/node-groups/default", node.address);
    let holders = row.in_sync.iter().filter_map(|member| cluster.node(member.node));
    let selected: Vec<Value> =
        holders.map(|node| json!({"id": node.host, "groupReference": reference(node)})).collect();
    Ok(json!({
        "key": key,
        "ownerNodeId": owner.host,
        "ownerNodeGroupReference": reference(owner),
        "confirmed": confirmed,
        "isLocalHostOwner": owner.id == http.parts.node,
        "availableNodeCount": selected.len(),
        "selectedNodes": selected,
        "partition": partition.to_string(),
        "lane": partition.lane.as_str(),
        "writeQuorum": row.write_quorum,
        "epoch": row.epoch.as_u64(),
        "membershipUpdateTimeMicros": owner.updated.0,
    }))
}
