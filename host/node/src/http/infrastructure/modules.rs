//! `/core/modules`: the guest modules that the cluster keeps, by digest.

use std::sync::Arc;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use steward_model::Link;
use steward_model::module::Digest;
use steward_protocol::cluster::command::Refused;
use steward_protocol::cluster::registry::GuestModule;
use steward_protocol::cluster::{ClusterState, Command};
use steward_sandbox::Module;

use super::shapes::{expands, list, message};
use crate::deployment;
use crate::failure;
use crate::http::decode::{self, Media};
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::http::methods::Methods;
use crate::http::{Http, body};
use crate::service::{Modules, ModulesError};

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    List,
    Install,
}

pub(super) const METHODS: Methods<Act> = Methods(&[("GET", Act::List), ("HEAD", Act::List), ("POST", Act::Install)]);

#[derive(Debug, Clone, Copy)]
pub(super) enum OnOne {
    Show,
    Remove,
}

pub(super) const METHODS_OF_ONE: Methods<OnOne> =
    Methods(&[("GET", OnOne::Show), ("HEAD", OnOne::Show), ("DELETE", OnOne::Remove)]);

const KIND: &str = "steward:GuestModule";

/// Lists the modules, or takes one in.
///
/// # Errors
/// [`Error::Deployment`] says why a module is refused.
pub(super) async fn answer(http: &Arc<Http>, asked: HostRequest) -> Result<Answer, Error> {
    match asked.act(&METHODS)? {
        Act::List => {
            let state = http.parts.control.state();
            let shown: Map<String, Value> =
                state.registry().modules().map(|module| (link(module.digest), shown(http, &state, module))).collect();
            let links = shown.keys().cloned().collect();
            Ok(encode::json(StatusCode::OK, &list(http, links, expands(&asked)?.then_some(shown))))
        }
        Act::Install => install(http, asked).await,
    }
}

/// Shows one module, or removes it; where there is none, nothing has to be removed.
///
/// # Errors
/// [`Error::Deployment`] if there is no module to show, a factory runs the one to remove, or the system group does not decide.
pub(super) async fn one(http: &Arc<Http>, asked: HostRequest, digest: &str) -> Result<Answer, Error> {
    let missing =
        |_| Error::NoSuchPath { path: format!("/core/modules/{digest}"), nearest: Some("/core/modules".to_owned()) };
    let digest = Digest::parse(digest).map_err(missing)?;
    match asked.act(&METHODS_OF_ONE)? {
        OnOne::Show => {
            let state = http.parts.control.state();
            let unknown = || Error::from(Refused::UnknownModule { digest });
            let module = state.module(&digest).ok_or_else(unknown)?;
            Ok(encode::json(StatusCode::OK, &shown(http, &state, module)))
        }
        OnOne::Remove => remove(http, digest).await,
    }
}

/// Removes a module. Whoever has not heard what came of it asks again, so one that is gone is as good as removed.
async fn remove(http: &Http, digest: Digest) -> Result<Answer, Error> {
    let state = http.parts.deployments.newest().await?;
    let Some(module) = state.module(&digest) else { return Ok(encode::json(StatusCode::OK, &json!({}))) };
    http.parts.control.propose(Command::RemoveModule { digest }).await?;
    Ok(encode::json(StatusCode::OK, &shown(http, &state, module)))
}

fn link(digest: Digest) -> String {
    format!("/core/modules/{digest}")
}

fn shown(http: &Http, state: &ClusterState, module: &GuestModule) -> Value {
    let runs = |digest| move |mounted: &steward_protocol::cluster::registry::Mounted| mounted.module == digest;
    let factories = state.registry().factories().filter(|f| f.mounted.as_ref().is_some_and(runs(module.digest)));
    let descriptor: Value = serde_json::from_str(&module.descriptor).unwrap_or_default();
    json!({
        "digest": module.digest,
        "name": module.name,
        "version": module.version,
        "sizeBytes": module.size_bytes,
        "installedTimeMicros": module.installed.at.0,
        "installedBy": module.installed.by,
        "message": module.installed.message,
        "factories": factories.map(|factory| factory.path.as_str()).collect::<Vec<_>>(),
        "descriptor": descriptor,
        "stored": http.parts.modules.keeps(module.digest),
        "documentKind": KIND,
        "documentSelfLink": link(module.digest),
        "documentVersion": 0,
        "documentUpdateTimeMicros": module.installed.at.0,
        "documentExpirationTimeMicros": 0,
        "documentOwner": http.owner_name(),
    })
}

/// `?factory=<path>` plans for another path than the module's own, `?dryRun` changes nothing, `?message=` is kept.
async fn install(http: &Arc<Http>, asked: HostRequest) -> Result<Answer, Error> {
    let HostRequest { parts, head, body } = asked;
    if head.media != Media::Wasm {
        return Err(body::unexpected(&parts.headers, "application/wasm"));
    }
    let query = parts.uri.query().unwrap_or_default();
    let dry = decode::is_set(query, "dryRun")?;
    let message = message(query)?;
    let factory = decode::parameter(query, "factory")?.map(|path| Link::parse(&path)).transpose()?;
    let mut held = http.bodies.nothing();
    let bytes = body::received(&head, &parts, body, http.parts.bounds.module_bytes_max, &mut held).await?;
    let (whole, path) = (bytes.clone(), factory.clone());
    let module = match dry {
        true => compiled(http, move |modules| modules.examine(&whole, path.as_ref())).await?,
        false => compiled(http, move |modules| modules.install(&whole, path.as_ref())).await?,
    };
    let descriptor = module.descriptor();
    let registered = GuestModule {
        digest: module.digest(),
        name: descriptor.name.clone(),
        version: descriptor.version.clone(),
        descriptor: serde_json::to_string(descriptor).expect("a descriptor is plain JSON"),
        size_bytes: module.component_bytes().map_or(bytes.len(), Bytes::len) as u64,
        installed: http.parts.deployments.authorship(message),
    };
    let path = factory.unwrap_or_else(|| descriptor.factory.clone());
    let plan = http.parts.deployments.plan(&path, &registered, &module).await?;
    if !dry {
        let component = module.component_bytes().map_or(&bytes, |component| component);
        http.parts.deployments.keep_elsewhere(component).await?;
        http.parts.control.propose(Command::RegisterModule(registered.clone())).await?;
    }
    let mut told = shown(http, &http.parts.control.state(), &registered);
    told["size"] = told["sizeBytes"].clone();
    told["world"] = module.world().into();
    told["imports"] = module.imports().into();
    told["capabilities"] = json!(descriptor.capabilities);
    told["plan"] = plan;
    let mut answer = encode::json(if dry { StatusCode::OK } else { StatusCode::CREATED }, &told);
    if let Ok(location) = HeaderValue::try_from(link(registered.digest)) {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

/// Returns a module that `work` compiles. Takes as long as that does, so it runs on a thread of its own.
async fn compiled<F>(http: &Http, work: F) -> Result<Arc<Module>, Error>
where
    F: FnOnce(&Modules) -> Result<Arc<Module>, ModulesError> + Send + 'static,
{
    let modules = Arc::clone(&http.parts.modules);
    let work = || failure::contain(move || work(&modules));
    let compiled = tokio::task::spawn_blocking(work).await.map_err(|_| Error::Panicked)?;
    Ok(compiled.map_err(deployment::Error::from)?)
}
