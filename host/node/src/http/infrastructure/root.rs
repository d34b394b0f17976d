//! `/`: a list of what this node serves.

use http::StatusCode;

use super::shapes::{READ_ONLY, list};
use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;

/// Factories of the host itself.
const OWN: [&str; 5] =
    ["/core/factories", "/core/modules", "/core/node-groups", "/core/node-selectors", "/core/query-tasks"];

/// Lists the services of this node by path.
///
/// # Errors
/// [`Error::Method`] for everything but reading.
pub(super) fn answer(http: &Http, asked: &HostRequest) -> Result<Answer, Error> {
    if !asked.reads() {
        return asked.other(READ_ONLY);
    }
    let services = http.operations().services().all();
    let mut links: Vec<String> = services.iter().map(|service| service.path.to_string()).collect();
    links.extend(OWN.map(str::to_owned));
    links.sort_unstable();
    Ok(encode::json(StatusCode::OK, &list(http, links, None)))
}
