//! `/metrics`, in the text format of Prometheus.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body_util::Full;

use super::READ_ONLY;
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
    metrics::descriptors(descriptors::open(), http.parts.descriptors.limit);
    metrics::log_written(&http.operations().table().shared().log.stats());
    let mut response = Response::new(Full::new(Bytes::from(http.parts.metrics.render())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
