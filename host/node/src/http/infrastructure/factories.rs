//! `/core/factories`: which guest module answers at which path. Mounting, moving to another version, rolling back,
//! unmounting.
//!
//! A change is decided on a revision: with `expectedRevision` the client says which one it has seen, so that two people
//! who deploy at once do not overwrite each other unseen.

use std::sync::Arc;
use std::time::Duration;

use http::header::LOCATION;
use http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use steward_model::Link;
use steward_model::module::Digest;
use steward_model::service::Descriptor;
use steward_protocol::cluster::command::{Applied, Refused};
use steward_protocol::cluster::registry::{Factory, Revision};
use steward_protocol::cluster::{ClusterState, Command};

use super::{body, expands, list};
use crate::http::Http;
use crate::http::decode;
use crate::http::deployment::{self, Change};
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::exchange::Asked;

const ALLOWED: &str = "GET, HEAD, POST, OPTIONS";
const ALLOWED_ONE: &str = "GET, HEAD, PATCH, DELETE, OPTIONS";

const KIND: &str = "steward:Factory";

/// How long a change may take to reach the services of this node.
const SERVED_WITHIN: Duration = Duration::from_secs(10);

/// How often to look whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(5);

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

/// Lists the mounted factories, or mounts one.
///
/// # Errors
/// [`Error`] says why a module cannot be mounted.
pub(super) async fn answer(http: &Arc<Http>, asked: Asked) -> Result<Answer, Error> {
    match asked.parts.method {
        Method::GET | Method::HEAD => {
            let state = http.parts.control.state();
            let mounted: Vec<&Factory> = state.registry().factories().filter(|f| f.mounted.is_some()).collect();
            let links = mounted.iter().map(|factory| factory.path.to_string()).collect();
            let mut documents = Map::new();
            if expands(&asked)? {
                for factory in mounted {
                    documents.insert(factory.path.to_string(), shown(http, &state, factory).await?);
                }
                return Ok(encode::json(StatusCode::OK, &list(http, links, Some(documents))));
            }
            Ok(encode::json(StatusCode::OK, &list(http, links, None)))
        }
        Method::POST => mount(http, body(http, asked).await?).await,
        _ => asked.other(ALLOWED),
    }
}

/// Shows, moves, rolls back or unmounts one factory. `path` lacks the first slash.
///
/// # Errors
/// [`Error`] says why the change is refused, or that there is no such factory.
pub(super) async fn one(http: &Arc<Http>, asked: Asked, path: &str) -> Result<Answer, Error> {
    let path = Link::parse(&format!("/{path}"))?;
    let state = http.parts.control.state();
    let not_mounted = || Error::Refused(Refused::NotMounted { path: path.clone() });
    let factory = state.factory(&path).ok_or_else(not_mounted)?;
    match asked.parts.method {
        Method::GET | Method::HEAD => Ok(encode::json(StatusCode::OK, &shown(http, &state, factory).await?)),
        Method::PATCH => change(http, &state, factory, body(http, asked).await?).await,
        Method::DELETE => {
            let revision = decode::number(asked.query(), "expectedRevision")?.unwrap_or(factory.revision);
            let message = decode::parameter(asked.query(), "message")?.unwrap_or_default().into_owned();
            let authorship = deployment::authorship(http, message);
            let command = Command::UnmountFactory { path: path.clone(), revision, authorship };
            deployment::decide(http, &path, revision, None, command).await?;
            until(|| http.operations().services().at(&path).is_none()).await;
            settled(http, &path, StatusCode::OK).await
        }
        _ => asked.other(ALLOWED_ONE),
    }
}

async fn mount(http: &Arc<Http>, request: Request) -> Result<Answer, Error> {
    let digest = wanted_module(&request)?;
    let state = http.parts.control.state();
    let descriptor = descriptor_of(&state, digest)?;
    let path = request.document_self_link.unwrap_or_else(|| descriptor.factory.clone());
    deployment::check(http, &path, &descriptor).await?;
    let revision = request.expected_revision.or(state.factory(&path).map(|factory| factory.revision)).unwrap_or(0);
    let command = deployment::command(http, &path, revision, (digest, &descriptor), request.message, Change::Create);
    let revision = revised(deployment::decide(http, &path, revision, Some(descriptor), command).await?)?;
    activated(http, &path, revision, StatusCode::CREATED).await
}

async fn change(http: &Arc<Http>, state: &ClusterState, factory: &Factory, request: Request) -> Result<Answer, Error> {
    let digest = if request.rollback { earlier_module(factory, request.revision)? } else { wanted_module(&request)? };
    let descriptor = descriptor_of(state, digest)?;
    let path = &factory.path;
    deployment::check(http, path, &descriptor).await?;
    let decided_on = request.expected_revision.unwrap_or(factory.revision);
    let unchanged = factory.mounted.as_ref().is_some_and(|mounted| mounted.module == digest);
    if unchanged && decided_on == factory.revision {
        return Ok(encode::json(StatusCode::OK, &shown(http, state, factory).await?));
    }
    let command = deployment::command(http, path, decided_on, (digest, &descriptor), request.message, Change::Update);
    let revision = revised(deployment::decide(http, path, decided_on, Some(descriptor), command).await?)?;
    activated(http, path, revision, StatusCode::OK).await
}

fn wanted_module(request: &Request) -> Result<Digest, Error> {
    let reason = "is missing: the digest that POST /core/modules answered with".to_owned();
    request.module_digest.ok_or(Error::Field { pointer: "/moduleDigest".to_owned(), reason })
}

/// Returns the module of revision `number`; without a number that of the newest revision with another module than now.
fn earlier_module(factory: &Factory, number: Option<u64>) -> Result<Digest, Error> {
    let now = factory.mounted.as_ref().map(|mounted| mounted.module);
    let missing = |reason: String| Error::NoSuchRevision { path: factory.path.to_string(), reason };
    let found = match number {
        Some(number) => factory.history.iter().find(|revision| revision.number == number),
        None => factory.history.iter().rev().find(|revision| revision.module.is_some() && revision.module != now),
    };
    let module = found.and_then(|revision| revision.module);
    module.ok_or_else(|| match number {
        Some(number) => missing(format!("has no module at revision {number}")),
        None => missing("never had another module".to_owned()),
    })
}

fn descriptor_of(state: &ClusterState, digest: Digest) -> Result<Descriptor, Error> {
    let unknown = || Error::Refused(Refused::UnknownModule { digest });
    let module = state.module(&digest).ok_or_else(unknown)?;
    module.descriptor().map_err(|error| Error::Module(steward_sandbox::PrepareError::Descriptor(error).into()))
}

fn revised(applied: Applied) -> Result<u64, Error> {
    match applied {
        Applied::Revised { revision } => Ok(revision),
        // Only the commands of factories come here, and those make revisions.
        Applied::Done | Applied::Registered { .. } | Applied::Altered(_) => Err(Error::Panicked),
    }
}

/// Answers once the services of this node run the revision; after some time with 202: it is decided, and not served yet.
async fn activated(http: &Arc<Http>, path: &Link, revision: u64, status: StatusCode) -> Result<Answer, Error> {
    let services = http.operations().services();
    let served = until(|| services.at(path).is_some_and(|service| service.revision >= revision)).await;
    settled(http, path, if served { status } else { StatusCode::ACCEPTED }).await
}

async fn until(condition: impl Fn() -> bool) -> bool {
    let wait = async {
        while !condition() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(SERVED_WITHIN, wait).await.is_ok()
}

async fn settled(http: &Arc<Http>, path: &Link, status: StatusCode) -> Result<Answer, Error> {
    let state = http.parts.control.state();
    let factory = state.factory(path).ok_or(Error::Panicked)?;
    let mut answer = encode::json(status, &shown(http, &state, factory).await?);
    if let Ok(location) = HeaderValue::try_from(format!("/core/factories{path}")) {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

async fn shown(http: &Arc<Http>, state: &ClusterState, factory: &Factory) -> Result<Value, Error> {
    let mounted = factory.mounted.as_ref();
    let module = mounted.and_then(|mounted| state.module(&mounted.module));
    let descriptor = module.and_then(|module| module.descriptor().ok());
    let count = deployment::documents(http, &factory.path).await?;
    let revisions: Vec<Value> = factory.history.iter().map(|revision| shown_revision(state, revision)).collect();
    let served = http.operations().services().at(&factory.path);
    let available = served.as_ref().is_some_and(|service| service.revision == factory.revision);
    let problem = served.filter(|_| available).and_then(|service| http.problem_of(&service));
    Ok(json!({
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
    }))
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
    use steward_model::Timestamp;
    use steward_protocol::cluster::registry::{Authorship, Mounted, Overrides, Service};

    fn factory(modules: &[Option<&str>]) -> Factory {
        let digest = |name: &str| Digest::of(name.as_bytes());
        let authorship = || Authorship { by: String::new(), at: Timestamp(1), message: String::new() };
        let revision = |(number, module): (u64, &Option<&str>)| Revision {
            number,
            module: module.map(digest),
            previous: None,
            authorship: authorship(),
        };
        let now = modules.last().copied().flatten().map(digest);
        Factory {
            path: Link::parse("/core/counters").expect("a valid link"),
            revision: modules.len() as u64,
            mounted: now.map(|module| Mounted { module, service: Service::Stateless, overrides: Overrides::default() }),
            history: (1..).zip(modules).map(revision).collect(),
        }
    }

    #[test]
    fn rollback_goes_to_the_newest_other_module() {
        let counters = factory(&[Some("a"), Some("b"), None, Some("c"), Some("c")]);
        assert_eq!(earlier_module(&counters, None).expect("there is one"), Digest::of(b"b"));
        assert_eq!(earlier_module(&counters, Some(1)).expect("there is one"), Digest::of(b"a"));
        for number in [3, 9] {
            assert!(matches!(earlier_module(&counters, Some(number)), Err(Error::NoSuchRevision { .. })), "{number}");
        }
        assert!(earlier_module(&factory(&[Some("a")]), None).is_err());
    }

    #[test]
    fn misspelt_fields_are_refused() {
        assert!(serde_json::from_value::<Request>(json!({"moduleDigst": "00"})).is_err());
        assert!(serde_json::from_value::<Request>(json!({"rollback": true, "revision": 3})).is_ok());
    }
}
