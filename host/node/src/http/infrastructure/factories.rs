//! `/core/factories`: which guest module answers at which path. Mount, move to another version, roll back, unmount.
//!
//! A change is decided on a revision: with `expectedRevision` the client names the one that it has seen. If two people
//! deploy at once, the second is refused and does not overwrite the first unseen.

use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use steward_model::Link;
use steward_model::module::Digest;
use steward_protocol::cluster::ClusterState;
use steward_protocol::cluster::command::Refused;
use steward_protocol::cluster::registry::{Factory, Revision};

use super::shapes::{body, expands, list, message, too_many_words};
use crate::deployment::{Changed, Wanted};
use crate::http::Http;
use crate::http::decode;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::http::methods::Methods;

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    List,
    Mount,
}

pub(super) const METHODS: Methods<Act> = Methods(&[("GET", Act::List), ("HEAD", Act::List), ("POST", Act::Mount)]);

#[derive(Debug, Clone, Copy)]
pub(super) enum OnOne {
    Show,
    Change,
    Unmount,
}

pub(super) const METHODS_OF_ONE: Methods<OnOne> =
    Methods(&[("GET", OnOne::Show), ("HEAD", OnOne::Show), ("PATCH", OnOne::Change), ("DELETE", OnOne::Unmount)]);

const KIND: &str = "steward:Factory";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[derive(Default)]
struct Request {
    document_self_link: Option<Link>,
    module_digest: Option<Digest>,
    message: String,
    expected_revision: Option<u64>,
    rollback: bool,
    revision: Option<u64>,
}

/// Lists the mounted factories, with the paths of those that were, or mounts one; where its module answers already, that is shown.
///
/// # Errors
/// [`Error`] says why a module cannot be mounted.
pub(super) async fn answer(http: &Arc<Http>, asked: HostRequest) -> Result<Answer, Error> {
    match asked.act(&METHODS)? {
        Act::List => {
            let state = http.parts.control.state();
            let mounted: Vec<&Factory> = state.registry().factories().filter(|f| f.mounted.is_some()).collect();
            let links = mounted.iter().map(|factory| factory.path.to_string()).collect();
            let mut documents = None;
            if expands(&asked)? {
                let paths: Vec<&Link> = mounted.iter().map(|factory| &factory.path).collect();
                let counts = http.parts.deployments.documents(&paths).await?;
                let shown =
                    |(factory, count): (&Factory, u64)| (factory.path.to_string(), shown(http, &state, factory, count));
                documents = Some(Map::from_iter(mounted.into_iter().zip(counts).map(shown)));
            }
            let mut list = list(http, links, documents);
            let gone = state.registry().factories().filter(|factory| factory.mounted.is_none());
            list["undeployedLinks"] = gone.map(|factory| factory.path.to_string()).collect();
            Ok(encode::json(StatusCode::OK, &list))
        }
        Act::Mount => mount(http, request(http, asked).await?).await,
    }
}

/// Shows, moves, rolls back or unmounts one factory. `path` lacks the first slash.
///
/// # Errors
/// [`Error`] says why the change is refused, or that there is no such factory.
pub(super) async fn one(http: &Arc<Http>, asked: HostRequest, path: &str) -> Result<Answer, Error> {
    let path = Link::parse(&format!("/{path}"))?;
    let state = http.parts.control.state();
    let not_mounted = || Error::from(Refused::NotMounted { path: path.clone() });
    let factory = state.factory(&path).ok_or_else(not_mounted)?;
    match asked.act(&METHODS_OF_ONE)? {
        OnOne::Show => {
            let count = count(http, &path).await?;
            Ok(encode::json(StatusCode::OK, &shown(http, &state, factory, count)))
        }
        OnOne::Change => {
            let dry = decode::is_set(asked.query(), "dryRun")?;
            change(http, &path, request(http, asked).await?, dry).await
        }
        OnOne::Unmount => {
            let seen = decode::number(asked.query(), "expectedRevision")?;
            let message = message(asked.query())?;
            let changed = http.parts.deployments.unmount(&path, seen, message).await?;
            settled(http, &path, changed, StatusCode::OK).await
        }
    }
}

async fn request(http: &Http, asked: HostRequest) -> Result<Request, Error> {
    let request: Request = body(http, asked).await?;
    match too_many_words(&request.message) {
        Some(reason) => Err(Error::Field { pointer: "/message".to_owned(), reason }),
        None => Ok(request),
    }
}

async fn mount(http: &Arc<Http>, request: Request) -> Result<Answer, Error> {
    let module = wanted_module(&request)?;
    let Request { document_self_link, expected_revision, message, .. } = request;
    let mounting = http.parts.deployments.mount(document_self_link, module, expected_revision, message);
    let (path, changed) = mounting.await?;
    let status = if changed == Changed::Nothing { StatusCode::OK } else { StatusCode::CREATED };
    settled(http, &path, changed, status).await
}

/// Lets another module answer; `?dryRun` goes through the checks and changes nothing.
async fn change(http: &Arc<Http>, path: &Link, request: Request, dry: bool) -> Result<Answer, Error> {
    let wanted = match request.rollback {
        true => Wanted::Earlier(request.revision),
        false => Wanted::Module(wanted_module(&request)?),
    };
    if dry {
        http.parts.deployments.rehearse(path, wanted, request.expected_revision).await?;
        return settled(http, path, Changed::Nothing, StatusCode::OK).await;
    }
    let changed = http.parts.deployments.alter(path, wanted, request.expected_revision, request.message).await?;
    settled(http, path, changed, StatusCode::OK).await
}

fn wanted_module(request: &Request) -> Result<Digest, Error> {
    let reason = "is missing: the digest that POST /core/modules answered with".to_owned();
    request.module_digest.ok_or(Error::Field { pointer: "/moduleDigest".to_owned(), reason })
}

/// Answers with the factory as it is now; with 202 if what was decided does not show on all nodes yet.
async fn settled(http: &Arc<Http>, path: &Link, changed: Changed, status: StatusCode) -> Result<Answer, Error> {
    let status = match changed {
        Changed::Decided => StatusCode::ACCEPTED,
        Changed::Served | Changed::Nothing => status,
    };
    let state = http.parts.control.state();
    let factory = state.factory(path).ok_or(Error::Panicked)?;
    let mut answer = encode::json(status, &shown(http, &state, factory, count(http, path).await?));
    if changed == Changed::Nothing {
        return Ok(answer);
    }
    if let Ok(location) = HeaderValue::try_from(format!("/core/factories{path}")) {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

async fn count(http: &Http, path: &Link) -> Result<u64, Error> {
    Ok(http.parts.deployments.documents(&[path]).await?[0])
}

fn shown(http: &Http, state: &ClusterState, factory: &Factory, count: u64) -> Value {
    let mounted = factory.mounted.as_ref();
    let module = mounted.and_then(|mounted| state.module(&mounted.module));
    let descriptor = module.and_then(|module| module.descriptor().ok());
    let revisions: Vec<Value> = factory.history.iter().map(|revision| shown_revision(state, revision)).collect();
    let served = http.operations().services().at(&factory.path);
    let available = served.as_ref().is_some_and(|service| service.revision == factory.revision);
    let problem = served.filter(|_| available).and_then(|service| http.problem_of(&service));
    json!({
        "moduleDigest": mounted.map(|mounted| mounted.module.to_string()).unwrap_or_default(),
        "moduleName": module.map(|module| module.name.as_str()).unwrap_or_default(),
        "moduleVersion": module.map(|module| module.version.as_str()).unwrap_or_default(),
        "revision": factory.revision,
        "revisions": revisions,
        "options": descriptor.as_ref().map(|descriptor| &descriptor.options),
        "stateVersion": descriptor.as_ref().map(|descriptor| descriptor.state_version),
        "task": descriptor.as_ref().map(|descriptor| descriptor.task),
        "docs": descriptor.as_ref().map(|descriptor| &descriptor.docs),
        "grants": mounted.map(|mounted| &mounted.overrides.granted),
        "documentCount": count,
        "available": available && problem.is_none(),
        "documentKind": KIND,
        "documentSelfLink": factory.path,
        "documentVersion": factory.revision,
        "documentUpdateTimeMicros": factory.history.last().map(|revision| revision.authorship.at.0),
        "documentExpirationTimeMicros": 0,
        "documentOwner": http.owner_name(),
    })
}

fn shown_revision(state: &ClusterState, revision: &Revision) -> Value {
    let version = revision.module.and_then(|digest| state.module(&digest)).map(|module| module.version.as_str());
    json!({
        "revision": revision.number,
        "digest": revision.module.map(|digest| digest.to_string()).unwrap_or_default(),
        "version": version.unwrap_or_default(),
        "atMicros": revision.authorship.at.0,
        "by": revision.authorship.by,
        "message": revision.authorship.message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_fields_are_refused() {
        assert!(serde_json::from_value::<Request>(json!({"moduleDigst": "00"})).is_err());
        assert!(serde_json::from_value::<Request>(json!({"rollback": true, "revision": 3})).is_ok());
    }
}
