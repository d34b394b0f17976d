//! `/metrics`, in the text format of Prometheus.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body_util::Full;

use super::shapes::READ_ONLY;
use crate::descriptors;
use crate::http::Http;
use crate::http::encode::Answer;
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::telemetry::metrics;

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
    let text = http.parts.metrics.render() + &metrics::fractions(&stats);
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
