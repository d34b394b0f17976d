//! `/metrics`, in the text format of Prometheus.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use steward_model::node::NodeStatus;
use steward_model::{Lane, Link};
use steward_storage::space::room;

use super::shares::Shares;
use crate::descriptors;
use crate::failure;
use crate::http::Http;
use crate::http::answer_body::AnswerBody;
use crate::http::encode::Answer;
use crate::telemetry::queues::Queue;
use crate::telemetry::{group, metrics};

/// Prints the metrics of this process.
pub(super) async fn answer(http: &Arc<Http>) -> Answer {
    metrics::connections(http.connections.open(), http.connections.max());
    metrics::requests(http.requests(), http.bodies.held());
    metrics::answers(http.answers.held());
    metrics::descriptors(descriptors::open(), http.parts.descriptors.limit);
    let stats = http.operations().partitions().shared().log.stats();
    metrics::log_written(&stats);
    let pending = http.operations().partitions().shared().pending_effects.by_factory();
    pending.iter().for_each(|(factory, amount)| metrics::pending(factory, *amount));
    queues(http);
    stand(http);
    let keeping = Arc::clone(http);
    // The disk is asked: it may be slow, or hang.
    let looked = tokio::task::spawn_blocking(move || failure::contain(|| kept(&keeping)));
    if looked.await.is_err() {
        tracing::debug!("what is stored could not be looked at");
    }
    let services = http.operations().services();
    // What documents of a factory that was taken away still have to send waits for its return.
    let waits = |path: &Link| pending.iter().any(|(factory, amount)| factory == path && amount.effects > 0);
    let is_there = |path: &Link| services.at(path).is_some() || services.absent(path).is_some() || waits(path);
    let text = of_those_there(&http.parts.metrics.render(), is_there) + &metrics::fractions(&stats);
    let mut response = Response::new(AnswerBody::from(Bytes::from(text)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns the text without the series of services that are not there any more. One that is deployed again goes on where it was.
fn of_those_there(text: &str, is_there: impl Fn(&Link) -> bool) -> String {
    let mut known: HashMap<&str, bool> = HashMap::new();
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let is_shown = service_of(line).is_none_or(|service| {
            *known.entry(service).or_insert_with(|| Link::parse(service).is_ok_and(|path| is_there(&path)))
        });
        if is_shown {
            shown.push_str(line);
        }
    }
    shown
}

fn service_of(line: &str) -> Option<&str> {
    let (_, value) = line.split_once("service=\"")?;
    value.split_once('"').map(|(service, _)| service)
}

/// Takes note of who waits.
fn queues(http: &Http) {
    let guests = http.parts.modules.waiting();
    for (queue, waiting) in [
        ("document", Queue::Document.waiting()),
        ("quorum", Queue::Quorum.waiting()),
        ("guest", guests.calls),
        ("query", http.parts.queries.waiting()),
        ("compilation", guests.modules),
    ] {
        metrics::waiting(queue, waiting);
    }
}

/// Takes note of what is stored: documents by factory, and bytes. What cannot be read now keeps its last value.
fn kept(http: &Http) {
    let services = http.operations().services().all();
    let paths: Vec<&Link> =
        services.iter().filter(|service| !service.is_stateless()).map(|service| &service.path).collect();
    match http.parts.deployments.kept(&paths) {
        Ok(counts) => paths.into_iter().zip(counts).for_each(|(path, count)| metrics::documents(path, count)),
        Err(error) => tracing::debug!(%error, "documents cannot be counted"),
    }
    match room(&http.parts.data) {
        Ok(room) => metrics::disk(room, http.operations().partitions().shared().log.bytes()),
        Err(error) => tracing::debug!(%error, "the room on the disk cannot be measured"),
    }
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
        let partitions = http.operations().partitions().lane(lane);
        group::partitions(lane, owned, partitions.iter().filter(|partition| partition.admits().is_ok()).count());
    }
    let standing = http.parts.view.standing();
    for status in NodeStatus::ALL {
        group::nodes(status.as_str(), cluster.group().nodes().filter(|node| node.status == status).count());
    }
    group::group(cluster.quorum().value, standing.decides);
    group::within_reach(standing.available(&cluster), standing.stranded(&cluster));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_services_that_are_gone_are_left_out() {
        let text = "# TYPE a counter\na{service=\"/x\",action=\"GET\"} 1\na{action=\"GET\",service=\"/y\"} 2\nb 3\n";
        let shown = of_those_there(text, |path| path.as_str() == "/y");
        assert_eq!(shown, "# TYPE a counter\na{action=\"GET\",service=\"/y\"} 2\nb 3\n");
    }
}
