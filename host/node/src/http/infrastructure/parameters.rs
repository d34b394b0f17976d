//! Which query parameters are read at the host's own paths. What is read is what is described, see `crate::http::openapi`.

use http::Method;
use steward_query::page;

use super::partitions;
use crate::http::route::Infrastructure;

/// Returns the query parameters that are read at a place.
pub(in crate::http) fn parameters_of(place: Infrastructure<'_>, method: &Method) -> &'static [&'static str] {
    let expands: &[&str] = &["expand", "$expand"];
    match (place, method) {
        (Infrastructure::Ready | Infrastructure::Startup, _) => &["verbose"],
        (Infrastructure::Modules, &Method::POST) => &["factory", "dryRun", "message"],
        (Infrastructure::Factory(_), &Method::PATCH) => &["dryRun"],
        (Infrastructure::Factory(_), &Method::DELETE) => &["expectedRevision", "message"],
        (Infrastructure::OpenApi, _) => &["v", "factory"],
        (Infrastructure::QueryPage, _) => &[page::PARAMETER],
        (Infrastructure::Partitions, _) => &partitions::PARAMETERS,
        (Infrastructure::Modules | Infrastructure::Factories | Infrastructure::Nodes, _) => expands,
        (
            Infrastructure::Root
            | Infrastructure::Core
            | Infrastructure::Management
            | Infrastructure::Synchronization
            | Infrastructure::NodeGroups
            | Infrastructure::NodeGroup
            | Infrastructure::NodeSelectors
            | Infrastructure::NodeSelector
            | Infrastructure::Node(_)
            | Infrastructure::Module(_)
            | Infrastructure::Factory(_)
            | Infrastructure::Migration(_)
            | Infrastructure::QueryTasks
            | Infrastructure::Replays
            | Infrastructure::Live
            | Infrastructure::Metrics
            | Infrastructure::Nothing,
            _,
        ) => &[],
    }
}
