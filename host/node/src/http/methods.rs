//! Which methods there are at a path, and that a request with another one is told so before all else.
//!
//! A header, a parameter or a body is wrong only for a method that there is: whoever mends those first would mend them in vain. What is
//! at a path is looked up only when a request has failed already, so this costs nothing where all is well.

use http::Method;

use super::error::Error;
use super::route::{Target, route};
use super::{Http, infrastructure, utility};
use crate::operation;

/// The methods of a place, and what each of them does there.
pub(super) struct Methods<Act: 'static>(pub(super) &'static [(&'static str, Act)]);

/// Methods of places that only tell.
pub(super) const READ_ONLY: Methods<()> = Methods(&[("GET", ()), ("HEAD", ())]);

impl<Act: Copy> Methods<Act> {
    /// Returns the methods as `Allow` lists them.
    pub(super) fn allowed(&self) -> String {
        let names = self.0.iter().map(|(name, _)| *name).chain(["OPTIONS"]);
        names.collect::<Vec<_>>().join(", ")
    }

    /// Returns what `method` does; none if it is none of them.
    pub(super) fn wanted(&self, method: &Method) -> Option<Act> {
        self.0.iter().find(|(name, _)| *name == method.as_str()).map(|(_, act)| *act)
    }
}

/// Returns the failure of a request as its client is told: that there is no such method at `path`, or else `error`.
pub(super) fn first(http: &Http, path: &str, method: &Method, error: Error) -> Error {
    // Where such a request ends nobody knows, and the connection has to be closed.
    if let Error::Framing(_) | Error::TransferCoding(_) = error {
        return error;
    }
    match at(http, path) {
        Some(allowed) if !allowed.split(", ").any(|one| one == method.as_str()) => {
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
    let services = http.operations().services();
    if services.http_above(path).is_some() {
        return None;
    }
    Some(match route(path).ok()? {
        Target::Infrastructure(place) => infrastructure::methods_of(http, place)?,
        Target::Utility(link, utility) => utility::methods_of(http, &link, utility)?,
        Target::Service(link) => operation::methods(&services.find(&link)?.actions()).join(", "),
    })
}
