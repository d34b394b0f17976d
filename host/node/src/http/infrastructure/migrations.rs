//! `/core/migrations/<factory>`: in which shapes a factory's documents are stored, and how they are brought to the newest one.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use steward_model::Link;
use steward_protocol::cluster::command::Refused;

use super::shapes::{body, with_built_in};
use crate::deployment::Place;
use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::http::methods::Methods;
use crate::service::Service;

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Show,
    Migrate,
}

pub(super) const METHODS: Methods<Act> = Methods(&[("GET", Act::Show), ("HEAD", Act::Show), ("POST", Act::Migrate)]);

const KIND: &str = "steward:Migration";

/// How many documents a portion has that does not say otherwise, and at the most.
const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Request {
    limit: u64,
    from: Option<String>,
}

impl Default for Request {
    fn default() -> Request {
        Request { limit: LIMIT, from: None }
    }
}

/// Counts the documents by the version of their state, or migrates a portion of them. `path` lacks the first slash.
///
/// # Errors
/// [`Error`] if nothing with documents answers at the path, or the body of a POST is refused.
pub(super) async fn answer(http: &Arc<Http>, asked: HostRequest, path: &str) -> Result<Answer, Error> {
    let path = Link::parse(&format!("/{path}"))?;
    let service = http.operations().services().at(&path).filter(|service| !service.is_stateless());
    let service = service.ok_or_else(|| Error::from(Refused::NotMounted { path: path.clone() }))?;
    match asked.act(&METHODS)? {
        Act::Show => Ok(encode::json(StatusCode::OK, &shown(http, &service).await?)),
        Act::Migrate => migrate(http, &service, body(http, asked).await?).await,
    }
}

async fn shown(http: &Http, service: &Service) -> Result<Value, Error> {
    let shapes = http.parts.deployments.counted(&service.path).await?;
    let newest = service.descriptor().state_version;
    let older: u64 = shapes.iter().filter(|(version, _)| **version != newest).map(|(_, count)| count).sum();
    let counts: BTreeMap<String, u64> = shapes.iter().map(|(version, count)| (version.to_string(), *count)).collect();
    let document = json!({ "factory": service.path, "stateVersion": newest, "stored": counts, "olderCount": older });
    Ok(with_built_in(http, document, &format!("/core/migrations{}", service.path), KIND))
}

async fn migrate(http: &Http, service: &Arc<Service>, request: Request) -> Result<Answer, Error> {
    let Request { limit, from } = request;
    if limit == 0 || limit > LIMIT_MAX {
        let reason = format!("is {limit}: write a number from 1 to {LIMIT_MAX}");
        return Err(Error::Field { pointer: "/limit".to_owned(), reason });
    }
    let unreadable = |from: &str| Error::Field {
        pointer: "/from".to_owned(),
        reason: format!("is {from:?}: write the next of the portion before, or leave it out"),
    };
    let place = from.map(|from| Place::parse(&from).ok_or_else(|| unreadable(&from))).transpose()?.unwrap_or_default();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let portion = http.parts.deployments.migrate(service, place, limit).await?;
    let refused: Vec<Value> = portion
        .refused
        .iter()
        .map(|(link, problem)| json!({ "link": link, "code": problem.code, "detail": problem.detail }))
        .collect();
    let next = portion.next.map(|place| place.to_string());
    let answer = json!({ "migratedCount": portion.migrated, "refused": refused, "next": next });
    Ok(encode::json(StatusCode::OK, &answer))
}
