//! How a guest is called: what it is told of the request, and what the host accepts of its outcome.

use std::sync::Arc;

use bytes::Bytes;
use steward_model::operation::{Effect, Fault, Outcome, Request};
use steward_model::service::Handler;
use steward_model::{Action, Document, Link, Timestamp, Version, outbound};
use steward_sandbox::{Call, CallError, Occasion};

use super::body::built_in;
use super::demands::Demands;
use super::given::Given;
use super::giving_up::gives_up;
use super::request::Operation;
use super::road::Asking;
use super::{Error, native};
use crate::service::{self, QUERY_TASKS, Service, Unfit, Unreadable};
use crate::telemetry::metrics as telemetry;

/// Runs the handler for `occasion` and checks what it decided.
///
/// # Errors
/// [`Error::Refused`] if the guest says no, [`Error::Guest`] if it fails, [`Error::Outcome`] if it decided what it may not,
/// [`Error::BuiltInField`] or [`Error::Invalid`] if it did so because the client asked for it.
pub(super) async fn call(
    asking: Asking<'_>,
    occasion: Occasion<'_>,
    state: &[u8],
    request: &Request,
) -> Result<Outcome, Error> {
    let called = checked(asking, occasion, state, request).await;
    if let (Err(error), None) = (&called, asking.rehearsal) {
        failed(asking.service, error);
    }
    called
}

/// Failures that an SDK catches itself, and tells as a refusal.
const CAUGHT: [&str; 3] = ["guest-exception", "guest-panic", "guest-outcome"];

/// Counts a failure, if it is one of the guest.
pub(crate) fn failed(service: &Service, error: &Error) {
    let code = match error {
        Error::Guest { error, .. } => error.failure(),
        Error::Outcome { .. } => Some("guest-outcome"),
        Error::Refused(fault) if fault.status >= 500 => CAUGHT.into_iter().find(|code| *code == fault.code),
        _ => None,
    };
    if let Some(code) = code {
        telemetry::guest_failed(&service.path, code);
    }
}

async fn checked(
    asking: Asking<'_>,
    occasion: Occasion<'_>,
    state: &[u8],
    request: &Request,
) -> Result<Outcome, Error> {
    let service = asking.service;
    let imports = (asking.operations.imports)(service, asking.operation);
    let imports = match asking.rehearsal {
        Some(rehearsal) => rehearsal.imports(imports),
        None => imports,
    };
    let occasion_handler = occasion.handler();
    let called = service.module.call(Call { occasion, document: state, request }, &imports).await;
    let mut outcome = called.map_err(|error| match error {
        CallError::Refused(fault) => refusal(asking, occasion_handler, fault),
        other => Error::guest(&service.path, other),
    })?;
    if let Some(expires) = outcome.expires.filter(|expires| expires.0 < 0) {
        // A guest may pass on what the client has sent, and then the fault is the client's.
        built_in(asking.operation.body.as_ref())?.expiry()?;
        return Err(refused(
            service,
            format!("the guest returned the expiry {}: it must be 0 (never) or later", expires.0),
        ));
    }
    let returned = outcome.document.map(|after| service::returned(service.schema.as_ref(), state, after)).transpose();
    outcome.document = returned.map_err(|unfit| of_unfit(asking, occasion_handler, unfit))?;
    outcome.effects.iter().try_for_each(|effect| check_effect(asking, effect))?;
    Ok(outcome)
}

/// Runs `handle-create` on the state that a client wants, and returns it as the guest has left it, and what else the guest decided.
///
/// What the guest leaves as it came is the client's, and has to fit as if no guest had seen it.
///
/// # Errors
/// As [`call`], and [`Error::Invalid`] if what the client has sent does not fit.
pub(super) async fn admitted(asking: Asking<'_>, state: Bytes, request: &Request) -> Result<(Bytes, Outcome), Error> {
    let mut outcome = call(asking, Occasion::Create, &state, request).await?;
    let state = match outcome.document.take() {
        Some(state) => state,
        None => native::unaltered(asking.service, asking.operation, state)?,
    };
    Ok((state, outcome))
}

/// Returns what the guest is told of the request; `document` is the state that it works on, if there is one.
pub(super) fn request_of(operation: &Operation, document: Option<&Document>, given: Given) -> Request {
    Request {
        link: operation.link.clone(),
        query: operation.query.clone(),
        headers: operation.headers.clone(),
        body: operation.body.as_ref().map(|body| body.text().clone()),
        principal: operation.principal.clone(),
        cause: operation.cause,
        now: given.now,
        seed: given.seed,
        version: document.map_or(Version(0), |document| document.version),
        exists: document.is_some(),
        expires: document.map_or(Timestamp(0), |document| document.expires),
    }
}

/// Returns the document in the shape of the mounted module's state.
///
/// # Errors
/// [`Error::StateVersion`] if the module does not read the stored shape, or the guest's own.
pub(super) async fn migrated(service: &Arc<Service>, document: &Arc<Document>) -> Result<Arc<Document>, Error> {
    rehearsed_migration(service, document).await.inspect_err(|error| failed(service, error))
}

/// Returns what [`migrated`] does, for a module that is only tried: if it fails, its service has not.
///
/// # Errors
/// As [`migrated`].
pub(super) async fn rehearsed_migration(
    service: &Arc<Service>,
    document: &Arc<Document>,
) -> Result<Arc<Document>, Error> {
    service::migrated(service.reader(), document).await.map_err(|unreadable| match unreadable {
        Unreadable::Version { link, stored } => Error::StateVersion { link, stored },
        Unreadable::Guest { service, error } => Error::guest(&service, error),
        Unreadable::Outcome { service, reason } => Error::Outcome { service, reason },
    })
}

/// Returns the refusal of a guest, with what else is wrong with the body that it refused. A guest may end at the first fault; whoever
/// mends a body wants to know of all.
fn refusal(asking: Asking<'_>, handler: Handler, fault: Fault) -> Error {
    let Some(body) = asking.operation.body.as_ref().filter(|_| fault.status == 400 && !fault.pointer.is_empty()) else {
        return Error::Refused(fault);
    };
    let mut further = service::body_violations(asking.service.reader(), handler, body.text());
    further.retain(|violation| violation.pointer != fault.pointer);
    if further.is_empty() { Error::Refused(fault) } else { Error::RefusedBody { fault, further } }
}

/// Returns why a state is not taken: the client's fault if the guest has only passed on what came, else the guest's.
fn of_unfit(asking: Asking<'_>, handler: Handler, unfit: Unfit) -> Error {
    let own = refused(asking.service, unfit.to_string());
    let Some(body) = &asking.operation.body else { return own };
    match service::violations_of_client(asking.service.reader(), handler, body.text(), unfit) {
        none if none.is_empty() => own,
        violations => Error::Invalid { violations },
    }
}

fn refused(service: &Service, reason: String) -> Error {
    Error::Outcome { service: service.path.clone(), reason }
}

/// Checks that the guest may send the effect where it wants to, and that it can be understood there.
fn check_effect(asking: Asking<'_>, effect: &Effect) -> Result<(), Error> {
    let service = asking.service;
    // That goes nowhere: it is settled with the update.
    if gives_up(effect, &asking.operation.link) {
        return Ok(());
    }
    if effect.to.starts_with('/') {
        let path = effect.to.split('?').next().unwrap_or_default();
        let link = Link::parse(path).map_err(|error| refused(service, format!("an effect cannot be sent: {error}")))?;
        if service::answers_itself(&link) && !(path == QUERY_TASKS && effect.action == Action::Post) {
            return Err(refused(
                service,
                format!(
                    "an effect is a {} of {path}, where the host itself answers: effects go to documents, factories and services, and \
                     of the host they reach only POST {QUERY_TASKS}, and DELETE of the document's own effects",
                    effect.action.as_str()
                ),
            ));
        }
        // What cannot be read must not be passed over later, when the effect changes something.
        let demands = Demands::of(&effect.headers).map(|_| ());
        return demands.map_err(|error| refused(service, format!("an effect cannot be sent: its {error}")));
    }
    let granted = &service.descriptor().capabilities.outbound;
    match is_granted(granted, &effect.to) {
        true => Ok(()),
        false => Err(refused(
            service,
            format!(
                "an effect addresses {:?}, which the descriptor's capabilities.outbound does not list: it lists {}",
                effect.to,
                if granted.is_empty() { "nothing".to_owned() } else { granted.join(", ") },
            ),
        )),
    }
}

/// Returns true if `url` is an `http` URL whose host one of the patterns names.
fn is_granted(patterns: &[String], url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let port = outbound::port_of(uri.scheme_str(), uri.port_u16());
    uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| outbound::allows(patterns, host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_reach_only_hosts_that_the_descriptor_lists() {
        let granted = ["api.example.com".to_owned(), "*.example.org:8080".to_owned()];
        for (url, allowed) in [
            ("http://api.example.com/x", true),
            ("http://api.example.com:81/x", true),
            ("http://a.example.org:8080/", true),
            ("http://A.Example.ORG:8080/", true),
            ("http://a.example.org/", false),
            ("http://example.org:8080/", false),
            ("http://evilexample.org:8080/", false),
            ("ftp://api.example.com/", false),
            ("api.example.com", false),
        ] {
            assert_eq!(is_granted(&granted, url), allowed, "{url}");
        }
    }
}
