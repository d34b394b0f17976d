//! One request and its response.
//!
//! A GET of a document goes straight through [`document`]. All work that costs more is boxed, so that the future of the
//! common request stays small.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::{Body, Incoming};
use steward_model::service::NativePatch;
use steward_model::{Action, Epoch, Link};

use super::answer_body::AnswerBody;
use super::arriving::Arriving;
use super::decode::{self, Head, Media, Returned};
use super::encode::{self, Answer};
use super::error::Error;
use super::host_request::HostRequest;
use super::route::{Target, route};
use super::{
    Http, body, component, expectation, freshness, headers, infrastructure, listing, no_method, parameters, preference,
    problem, utility,
};
use crate::failure;
use crate::operation::Freshness;
use crate::service::Found;
use crate::telemetry::metrics as telemetry;

/// Methods that services may have; which of them a service has is said by the operation.
const ALL: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Answers a request for `uri`, whatever it is, and never fails. `local` is the address at which it arrived.
pub(super) async fn answer(http: &Arc<Http>, request: Request<Incoming>, uri: &Uri, local: IpAddr) -> Answer {
    let (parts, body) = request.into_parts();
    let body = Arriving::new(http, &parts, body);
    let withheld = body.withheld();
    // In one place from here on: each future on the way would have room for it twice, and would be moved with it.
    let mut asked = Box::new(HostRequest { parts, head: Head::default(), body });
    let HostRequest { parts, head, .. } = &mut *asked;
    // The name of the request is read first, for the refusal has it too.
    let read = head.read(&parts.headers);
    let read = of_documents(http, uri, read);
    let stranger = http.strangers.check(parts, local);
    if head.id.is_empty() {
        head.id = http.request_ids.next(http.operations().clock().wall_time());
    }
    let (id, method) = (head.id.clone(), parts.method.clone());
    let wait = head.wait.filter(|_| preference::waits(http, uri.path()));
    let lacks = |error| no_method::first(http, uri.path(), &method, error);
    let outcome = match (stranger, read) {
        (Ok(()), Ok(())) => {
            // What a panic leaves behind is an operation, and those stand in tasks and locks of their own.
            let dispatched = AssertUnwindSafe(failure::contained(dispatch(http, uri, asked))).catch_unwind().await;
            dispatched.unwrap_or(Err(Error::Panicked)).map_err(lacks)
        }
        (Ok(()), Err(error)) => Err(lacks(error)),
        // Strangers learn nothing of what is here.
        (Err(error), _) => Err(error),
    };
    let mut response = outcome.unwrap_or_else(|error| problem::respond(http, &error, uri.path(), &id));
    complete(http, &mut response, id);
    if withheld.is_some_and(|withheld| withheld.remains()) {
        // What comes next may be the body all the same, or another request.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(wait) = wait {
        preference::say_wait(response.headers_mut(), wait);
    }
    telemetry::response(response.status().as_u16());
    if method == Method::HEAD && !response.body().is_streamed() { without_body(response) } else { response }
}

/// Returns what was read of the headers, without the faults of those that are about documents: they mean nothing to an HTTP component, or
/// something else.
fn of_documents(http: &Http, uri: &Uri, read: Result<(), Error>) -> Result<(), Error> {
    match read {
        Err(Error::Header { .. } | Error::Demand(_)) if component::at(http, uri.path()).is_some() => Ok(()),
        read => read,
    }
}

/// Adds what every response carries.
fn complete(http: &Http, response: &mut Answer, id: String) {
    let headers = response.headers_mut();
    // Set already if another node has answered.
    headers.entry(&headers::OWNER).or_insert_with(|| http.owner.clone());
    if !headers.contains_key(&headers::EPOCH) {
        let incarnation = http.parts.control.state().incarnation().counter;
        headers.insert(&headers::EPOCH, HeaderValue::from(Epoch { incarnation, ..Epoch::ZERO }.as_u64()));
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(&headers::REQUEST_ID, id);
    }
}

fn without_body(response: Answer) -> Answer {
    let (mut parts, body) = response.into_parts();
    // That the state is as before says nothing of how long it is, and 0 would be wrong: source RFC 9110, section 8.6.
    let tells_length = !matches!(parts.status, StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT);
    if let Some(bytes) = body.size_hint().exact().filter(|_| tells_length) {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    Response::from_parts(parts, AnswerBody::default())
}

async fn dispatch(http: &Arc<Http>, uri: &Uri, asked: Box<HostRequest>) -> Result<Answer, Error> {
    if uri.path() == "*" && asked.parts.method == Method::OPTIONS {
        return asked.other(ALL.to_owned());
    }
    if let Some(service) = component::at(http, uri.path()) {
        return Box::pin(component::answer(http, &service, asked)).await;
    }
    match route(uri.path())? {
        Target::Service(link) => {
            let _under_way = http.under_way()?;
            loaded(http, &link).await;
            service(http, link, asked).await
        }
        Target::Utility(link, utility) => {
            loaded(http, &link).await;
            Box::pin(utility::answer(http, &link, utility, *asked)).await
        }
        Target::Infrastructure(place) => Box::pin(infrastructure::answer(http, place, *asked)).await,
    }
}

/// Waits if what answers at `link` is about to be served here.
async fn loaded(http: &Http, link: &Link) {
    if !http.operations().services().is_whole() {
        Box::pin(http.operations().loaded(link)).await;
    }
}

async fn service(http: &Arc<Http>, link: Link, asked: Box<HostRequest>) -> Result<Answer, Error> {
    // It was loaded meanwhile, or its path was written in another way.
    if let Some(component) = http.operations().services().http_above(link.as_str()) {
        return Box::pin(component::answer(http, &component, asked)).await;
    }
    match asked.parts.method {
        Method::GET | Method::HEAD => document(http, link, asked).await,
        Method::POST => Box::pin(update(http, Action::Post, link, asked)).await,
        Method::PUT => Box::pin(update(http, Action::Put, link, asked)).await,
        Method::PATCH => Box::pin(update(http, Action::Patch, link, asked)).await,
        Method::DELETE => Box::pin(update(http, Action::Delete, link, asked)).await,
        Method::OPTIONS => utility::options(http, &link),
        _ => utility::unknown_method(http, &link, &asked),
    }
}

async fn document(http: &Arc<Http>, link: Link, mut asked: Box<HostRequest>) -> Result<Answer, Error> {
    if asked.head.events_only {
        return Err(Error::NotAcceptable("text/event-stream".to_owned()));
    }
    if asked.head.wanted.is_some() {
        let reason = "is for updates: a read shows what is committed".to_owned();
        return Err(Error::Header { name: headers::WANTED, reason });
    }
    if http.operations().services().at(&link).is_some_and(|service| !service.is_stateless()) {
        let reason = "is for one document: a listing shows the newest states";
        freshness::refuse(asked.query(), asked.head.at_least.as_deref(), reason)?;
        return Box::pin(listing::answer(http, &link, asked.query(), asked.head.wait)).await;
    }
    let query = asked.parts.uri.query().unwrap_or_default();
    parameters::of_service(http, &link, Action::Get, query)?;
    let freshness = match says(query, &asked.head) && is_stateless(http, &link) {
        true => Freshness::Newest,
        false => freshness::freshness(query, asked.head.at_least.as_deref())?,
    };
    let mut operation = decode::operation(http, &mut asked.head, Action::Get, link, query, None)?;
    operation.freshness = freshness;
    let reply = http.operations().submit(operation).await?;
    Ok(encode::reply(http, reply, Returned::State))
}

async fn update(http: &Arc<Http>, action: Action, link: Link, asked: Box<HostRequest>) -> Result<Answer, Error> {
    let HostRequest { parts, mut head, body } = *asked;
    if head.media == Media::MergePatch && !(action == Action::Patch && merges(http, &link)) {
        return Err(body::unexpected(&parts.headers, "application/json"));
    }
    body::foreseen(&head, &parts, &body)?;
    let query = parts.uri.query().unwrap_or_default();
    if says(query, &head) {
        if !is_stateless(http, &link) {
            let reason = "is for GET: updates are made by the owner, on the newest state";
            freshness::refuse(query, head.at_least.as_deref(), reason)?;
        }
        parameters::of_service(http, &link, action, query)?;
    }
    if body.is_withheld() {
        Box::pin(expectation::foreseen(http, action, &link, &head)).await?;
    }
    let mut held = http.bodies.nothing();
    let body = body::received(&head, &parts, body, http.parts.bounds.request_bytes_max, &mut held).await?;
    let body = body::checked(&head, &parts.headers, body)?;
    let returned = head.returned;
    let operation = decode::operation(http, &mut head, action, link, query, body)?;
    let reply = http.operations().submit(operation).await?;
    Ok(encode::reply(http, reply, returned))
}

/// Returns true if the request says something about how it is to be answered. Most say nothing of the kind, and nobody has to look up
/// for whom they are.
fn says(query: &str, head: &Head) -> bool {
    !query.is_empty() || head.at_least.is_some()
}

/// Returns true if a service without documents is at `link`, which may understand what a request says in its own way.
fn is_stateless(http: &Http, link: &Link) -> bool {
    matches!(http.operations().services().find(link), Some(Found::Stateless(_)))
}

/// Returns true if the host itself answers PATCH at `link`, by merging.
fn merges(http: &Http, link: &Link) -> bool {
    match http.operations().services().find(link) {
        Some(Found::Child(service)) => {
            let handles = service.handles(steward_model::service::Handler::HandlePatch);
            service.descriptor().patch == NativePatch::Merge && !handles
        }
        Some(Found::Factory(_) | Found::Stateless(_)) | None => false,
    }
}
