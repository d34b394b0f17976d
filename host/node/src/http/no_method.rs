//! A request whose method is not at its path is told so before all else.
//!
//! A header, a parameter or a body is wrong only for a method that there is: whoever mends those first would mend them in vain. What is
//! at a path is looked up only when a request has failed already, so this costs nothing where all is well.

use http::Method;

use super::error::Error;
use super::methods::is_listed;
use super::route::{Target, route};
use super::{Http, component, infrastructure, utility};
use crate::operation;

/// Returns the failure of a request as its client is told: that there is no such method at `path`, or else `error`.
pub(super) fn first(http: &Http, path: &str, method: &Method, error: Error) -> Error {
    // Where such a request ends nobody knows, and the connection has to be closed.
    if let Error::Framing(_) | Error::TransferCoding(_) = error {
        return error;
    }
    match at(http, path) {
        Some(allowed) if !is_listed(&allowed, method) => {
            let hint = match route(path) {
                Ok(Target::Infrastructure(place)) => infrastructure::hint_at(place, method),
                Ok(Target::Utility(..) | Target::Service(_)) | Err(_) => None,
            };
            Error::Method { method: method.clone(), path: path.to_owned(), allowed, hint }
        }
        Some(_) | None => error,
    }
}

/// Returns the methods at a path, as `Allow` lists them; none if nothing is there, or an HTTP component, which has its own.
fn at(http: &Http, path: &str) -> Option<String> {
    if component::at(http, path).is_some() {
        return None;
    }
    let services = http.operations().services();
    Some(match route(path).ok()? {
        Target::Infrastructure(place) => infrastructure::methods_of(http, place)?,
        Target::Utility(link, utility) => utility::methods_of(http, &link, utility)?,
        Target::Service(link) => operation::methods(&services.find(&link)?.actions()).join(", "),
    })
}
