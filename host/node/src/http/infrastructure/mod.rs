//! The host's own services, one file each: the services that Xenon has at these paths, and those that steward adds.

mod differences;
mod factories;
mod health;
mod management;
mod methods;
mod metrics;
mod migrations;
mod modules;
mod node_group;
mod node_selector;
mod nodes;
mod parameters;
mod partitions;
mod query_tasks;
mod replays;
mod root;
mod shapes;
mod shares;

use std::sync::Arc;

use http::StatusCode;

use super::Http;
use super::encode::{self, Answer};
use super::error::Error;
use super::host_request::HostRequest;
use super::openapi;
use super::parameters::only;
use super::route::Infrastructure;
pub(super) use methods::{hint_at, methods_of};
pub(super) use parameters::parameters_of;
use shapes::list;

/// Answers a request for one of the host's own services.
///
/// # Errors
/// [`Error`] says why the request is not answered as asked.
pub(super) async fn answer(
    http: &Arc<Http>,
    place: Infrastructure<'_>,
    mut asked: HostRequest,
) -> Result<Answer, Error> {
    if let Some(allowed) = methods_of(http, place) {
        if !asked.is_one_of(&allowed) {
            return asked.other(allowed);
        }
        let parameters = parameters_of(place, &asked.parts.method);
        only(asked.query(), parameters)?;
        asked.unconditional()?;
        asked = asked.saying_nothing(http, parameters).await?;
    }
    match place {
        Infrastructure::Root => Ok(root::answer(http, &asked, "/")),
        Infrastructure::Core => Ok(root::answer(http, &asked, "/core/")),
        Infrastructure::Management => management::answer(http, asked).await,
        Infrastructure::Synchronization => Ok(management::synchronization(http)),
        Infrastructure::NodeGroups => Ok(folder(http, &["/core/node-groups/default"])),
        Infrastructure::NodeGroup => node_group::answer(http, asked).await,
        Infrastructure::NodeSelectors => Ok(folder(http, &["/core/node-selectors/default"])),
        Infrastructure::NodeSelector => node_selector::answer(http, asked).await,
        Infrastructure::Nodes => Ok(nodes::all(http)),
        Infrastructure::Node(id) => nodes::one(http, asked, id).await,
        Infrastructure::Partitions => partitions::answer(http, &asked).await,
        Infrastructure::Modules => modules::answer(http, asked).await,
        Infrastructure::Module(digest) => modules::one(http, asked, digest).await,
        Infrastructure::Factories => factories::answer(http, asked).await,
        Infrastructure::Factory(path) => factories::one(http, asked, path).await,
        Infrastructure::Migration(path) => migrations::answer(http, asked, path).await,
        Infrastructure::QueryTasks => query_tasks::answer(http, asked).await,
        Infrastructure::QueryPage => query_tasks::page(http, &asked).await,
        Infrastructure::Replays => replays::answer(http, asked).await,
        Infrastructure::Live => Ok(health::live()),
        Infrastructure::Ready => health::ready(http, &asked),
        Infrastructure::Startup => health::startup(http, &asked),
        Infrastructure::Metrics => Ok(metrics::answer(http).await),
        Infrastructure::OpenApi => openapi::answer(http, &asked).await,
        Infrastructure::Nothing => {
            let path = asked.path().to_owned();
            Err(Error::NoSuchPath { nearest: folder_of(&path), path })
        }
    }
}

fn folder_of(path: &str) -> Option<String> {
    let second = path.match_indices('/').nth(2).map_or(path.len(), |(at, _)| at);
    path.starts_with("/core/").then(|| path[..second].to_owned())
}

fn folder(http: &Http, links: &[&str]) -> Answer {
    let links = links.iter().map(|link| (*link).to_owned()).collect();
    encode::json(StatusCode::OK, &list(http, links, None))
}
