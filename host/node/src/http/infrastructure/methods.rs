//! Which methods there are at the host's own paths: what `Allow` lists, and what the refusal of another one says.

use http::Method;

use super::{factories, management, migrations, modules, node_group, node_selector, nodes, query_tasks, replays};
use crate::http::Http;
use crate::http::methods::READ_ONLY;
use crate::http::route::Infrastructure;

/// Returns the methods that a place has, as `Allow` lists them; none if nothing is there.
pub(in crate::http) fn methods_of(http: &Http, place: Infrastructure<'_>) -> Option<String> {
    Some(match place {
        Infrastructure::Management => management::methods(http).allowed(),
        Infrastructure::NodeGroup => node_group::METHODS.allowed(),
        Infrastructure::NodeSelector => node_selector::METHODS.allowed(),
        Infrastructure::Node(_) => nodes::METHODS.allowed(),
        Infrastructure::Modules => modules::METHODS.allowed(),
        Infrastructure::Module(_) => modules::METHODS_OF_ONE.allowed(),
        Infrastructure::Factories => factories::METHODS.allowed(),
        Infrastructure::Factory(_) => factories::METHODS_OF_ONE.allowed(),
        Infrastructure::Migration(_) => migrations::METHODS.allowed(),
        Infrastructure::QueryTasks => query_tasks::METHODS.allowed(),
        Infrastructure::Replays => replays::METHODS.allowed(),
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
        | Infrastructure::OpenApi => READ_ONLY.allowed(),
        Infrastructure::Nothing => return None,
    })
}

/// Returns what to say to somebody whose method is not at a place, if there is more to say than the methods that are.
pub(in crate::http) fn hint_at(place: Infrastructure<'_>, method: &Method) -> Option<String> {
    if place == Infrastructure::Management { management::hint(method) } else { None }
}
