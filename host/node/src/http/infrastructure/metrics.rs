//! `/metrics`, in the text format of Prometheus.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body_util::Full;
use steward_model::Lane;
use steward_model::node::NodeStatus;

use super::shapes::READ_ONLY;
use super::shares::Shares;
use crate::descriptors;
use crate::http::Http;
use crate::http::encode::Answer;
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::telemetry::{group, metrics};

/// Prints the metrics of this process.
///
/// # Errors
/// [`Error::Method`] for everything but reading.
pub(super) fn answer(http: &Http, asked: &HostRequest) -> Result<Answer, Error> {
    if !asked.reads() {
        return asked.other(READ_ONLY);
    }
    metrics::connections(http.connections.open(), http.connections.max());
    metrics::answers(http.answers.held());
    metrics::descriptors(descriptors::open(), http.parts.descriptors.limit);
    let stats = http.operations().table().shared().log.stats();
    metrics::log_written(&stats);
    for (factory, amount) in http.operations().table().shared().pending_effects.by_factory() {
        metrics::pending(&factory, amount);
    }
    stand(http);
    let text = http.parts.metrics.render() + &metrics::fractions(&stats);
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Takes note of how the group and the copies stand now.
fn stand(http: &Http) {
    let cluster = http.parts.control.state();
    let shares = Shares::of(http, &cluster);
    for (peer, records, lost) in shares.fed() {
        group::behind(peer, records, lost);
    }
    for lane in [Lane::Persisted, Lane::Volatile] {
        let rows = cluster.table().rows().filter(|(partition, _)| partition.lane == lane);
        let owned = rows.filter(|(_, row)| row.primary.node == http.parts.node).count();
        let partitions = http.operations().table().lane(lane);
        group::partitions(lane, owned, partitions.iter().filter(|partition| partition.admits().is_ok()).count());
    }
    for status in NodeStatus::ALL {
        group::nodes(status.as_str(), cluster.group().nodes().filter(|node| node.status == status).count());
    }
    group::group(cluster.quorum().value, http.parts.view.standing().decides);
}
