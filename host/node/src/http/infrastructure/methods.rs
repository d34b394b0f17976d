//! Which methods there are at the host's own paths: what `Allow` lists, and what the refusal of another one says.

use super::{factories, management, migrations, modules, node_group, node_selector, nodes, query_tasks, replays};
use crate::http::Http;
use crate::http::route::Infrastructure;

/// Methods of places that only tell.
const READ_ONLY: &str = "GET, HEAD, OPTIONS";

/// Returns the methods that a place has, as `Allow` lists them; none if nothing is there.
pub(super) fn methods_of(http: &Http, place: Infrastructure<'_>) -> Option<&'static str> {
    Some(match place {
        Infrastructure::Management => management::allowed(http),
        Infrastructure::NodeGroup => node_group::ALLOWED,
        Infrastructure::NodeSelector => node_selector::ALLOWED,
        Infrastructure::Node(_) => nodes::ALLOWED,
        Infrastructure::Modules => modules::ALLOWED,
        Infrastructure::Module(_) => modules::ALLOWED_ONE,
        Infrastructure::Factories => factories::ALLOWED,
        Infrastructure::Factory(_) => factories::ALLOWED_ONE,
        Infrastructure::Migration(_) => migrations::ALLOWED,
        Infrastructure::QueryTasks => query_tasks::ALLOWED,
        Infrastructure::Replays => replays::ALLOWED,
        Infrastructure::Root
        | Infrastructure::Core
        | Infrastructure::Synchronization
        | Infrastructure::NodeGroups
        | Infrastructure::NodeSelectors
        | Infrastructure::Nodes
        | Infrastructure::Partitions
        | Infrastructure::QueryPage
        | Infrastructure::Live
        | Infrastructure::Ready
        | Infrastructure::Startup
        | Infrastructure::Metrics
        | Infrastructure::OpenApi => READ_ONLY,
        Infrastructure::Nothing => return None,
    })
}
