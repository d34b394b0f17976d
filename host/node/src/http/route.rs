//! From a path to the part of the node that answers it.
//!
//! There are three kinds of paths: those of the host itself, a fixed table ([`Infrastructure`]); utility endpoints,
//! which every service has below its own path ([`Utility`]); and all others, which belong to services. Most requests
//! are for documents, so these take the shortest way: two comparisons, then the link is parsed.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use steward_model::Link;
use steward_model::link;

use super::error::Error;
use crate::service::HOST_BELOW_CORE;

/// Who answers at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// The host.
    Infrastructure(Infrastructure<'a>),
    /// The host, about the service, document or factory at the link.
    Utility(Link, Utility),
    /// A service, or nobody.
    Service(Link),
}

/// The paths of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Infrastructure<'a> {
    Root,
    /// All that is below `/core`.
    Core,
    Management,
    Synchronization,
    NodeGroups,
    NodeGroup,
    NodeSelectors,
    NodeSelector,
    Nodes,
    Node(&'a str),
    Partitions,
    Modules,
    /// One module, by its digest.
    Module(&'a str),
    Factories,
    /// One factory, by its path without the first slash.
    Factory(&'a str),
    /// The shapes of one factory's documents, by its path without the first slash.
    Migration(&'a str),
    QueryTasks,
    QueryPage,
    /// Recorded requests run once more.
    Replays,
    Live,
    Ready,
    Startup,
    Metrics,
    /// What can be asked here, as a document of OpenAPI.
    OpenApi,
    /// Reserved for the host, and empty.
    Nothing,
}

/// What every service answers below its own path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Utility {
    Told(Told),
    /// What has still to be sent; it may outlast the service that wanted it.
    Effects,
    /// A suffix that is kept for what is not there yet.
    Later(&'static str),
}

/// What a service, or one of its documents, tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Stats,
    Config,
    Available,
    Template,
    History,
}

/// Returns who answers at `path`, as the request line has it, without the query.
///
/// # Errors
/// [`Error::Path`] if the path cannot be one of a service.
pub(super) fn route(path: &str) -> Result<Target<'_>, Error> {
    let trimmed = path.trim_end_matches('/');
    if let Some(infrastructure) = infrastructure(trimmed) {
        return Ok(Target::Infrastructure(infrastructure));
    }
    let plain = decoded(trimmed)?;
    let link = Link::parse(&plain)?;
    let (above, name) = plain.rsplit_once('/').unwrap_or(("", ""));
    match utility(name) {
        Some(utility) if !above.is_empty() => Ok(Target::Utility(Link::parse(above)?, utility)),
        Some(_) | None => Ok(Target::Service(link)),
    }
}

/// Returns the path with its percent signs decoded, segment by segment: a slash that is written `%2F` divides nothing
/// (RFC 3986, section 2.2), and no segment of a link has one.
fn decoded(path: &str) -> Result<Cow<'_, str>, Error> {
    if !path.contains('%') {
        return Ok(Cow::Borrowed(path));
    }
    let refused = |character| link::Error::Character { link: path.to_owned(), character };
    let mut plain = String::with_capacity(path.len());
    for (number, segment) in path.split('/').enumerate() {
        let segment = percent_decode_str(segment).decode_utf8().map_err(|_| refused('%'))?;
        if segment.contains('/') {
            return Err(refused('/').into());
        }
        if number > 0 {
            plain.push('/');
        }
        plain.push_str(&segment);
    }
    Ok(Cow::Owned(plain))
}

fn infrastructure(path: &str) -> Option<Infrastructure<'_>> {
    let Some(below) = path.strip_prefix("/core/") else { return top(path) };
    let (first, rest) = below.split_once('/').unwrap_or((below, ""));
    if !HOST_BELOW_CORE.contains(&first) {
        return None;
    }
    Some(match (first, rest) {
        ("management", "") => Infrastructure::Management,
        ("management", "synch") => Infrastructure::Synchronization,
        ("node-groups", "") => Infrastructure::NodeGroups,
        ("node-groups", "default") => Infrastructure::NodeGroup,
        ("node-selectors", "") => Infrastructure::NodeSelectors,
        ("node-selectors", "default") => Infrastructure::NodeSelector,
        ("nodes", "") => Infrastructure::Nodes,
        ("nodes", node) => Infrastructure::Node(node),
        ("partitions", "") => Infrastructure::Partitions,
        ("modules", "") => Infrastructure::Modules,
        ("modules", digest) => Infrastructure::Module(digest),
        ("factories", "") => Infrastructure::Factories,
        ("factories", factory) => Infrastructure::Factory(factory),
        ("migrations", factory) if !factory.is_empty() => Infrastructure::Migration(factory),
        ("query-tasks", "") => Infrastructure::QueryTasks,
        ("query-page", "") => Infrastructure::QueryPage,
        ("replays", "") => Infrastructure::Replays,
        _ => Infrastructure::Nothing,
    })
}

fn top(path: &str) -> Option<Infrastructure<'_>> {
    Some(match path {
        "" => Infrastructure::Root,
        "/core" => Infrastructure::Core,
        "/health/live" | "/livez" | "/healthz" => Infrastructure::Live,
        "/health/ready" | "/readyz" => Infrastructure::Ready,
        "/health/startup" => Infrastructure::Startup,
        "/metrics" => Infrastructure::Metrics,
        "/openapi.json" => Infrastructure::OpenApi,
        "/health" | "/ui" => Infrastructure::Nothing,
        _ => return None,
    })
}

fn utility(name: &str) -> Option<Utility> {
    Some(match name {
        "stats" => Utility::Told(Told::Stats),
        "config" => Utility::Told(Told::Config),
        "available" => Utility::Told(Told::Available),
        "template" => Utility::Told(Told::Template),
        "history" => Utility::Told(Told::History),
        "effects" => Utility::Effects,
        "subscriptions" => Utility::Later("subscriptions"),
        "synchronization" => Utility::Later("synchronization on request"),
        "ui" => Utility::Later("web pages"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> Link {
        Link::parse(text).expect("a valid link")
    }

    fn routed(path: &str) -> Target<'_> {
        route(path).expect("a path")
    }

    #[test]
    fn documents_and_factories_belong_to_services() {
        for path in ["/core/examples", "/core/examples/one", "/a", "/core/managements", "/healthy"] {
            assert_eq!(routed(path), Target::Service(link(path)), "{path}");
        }
        assert_eq!(routed("/core/examples/"), Target::Service(link("/core/examples")));
        assert_eq!(routed("/core/examples/a%40b"), Target::Service(link("/core/examples/a@b")));
    }

    #[test]
    fn the_host_has_its_own_paths() {
        for (path, expected) in [
            ("/", Infrastructure::Root),
            ("/core/", Infrastructure::Core),
            ("/core/management/", Infrastructure::Management),
            ("/core/factories/core/examples", Infrastructure::Factory("core/examples")),
            ("/core/modules/00ff", Infrastructure::Module("00ff")),
            ("/health/ready", Infrastructure::Ready),
            ("/core/node-groups/other", Infrastructure::Nothing),
        ] {
            assert_eq!(routed(path), Target::Infrastructure(expected), "{path}");
        }
    }

    #[test]
    fn utility_suffixes_belong_to_the_path_above_them() {
        let one = link("/core/examples/one");
        assert_eq!(routed("/core/examples/one/stats"), Target::Utility(one.clone(), Utility::Told(Told::Stats)));
        assert_eq!(routed("/core/examples/one/ui"), Target::Utility(one, Utility::Later("web pages")));
        assert_eq!(routed("/stats"), Target::Service(link("/stats")));
    }

    #[test]
    fn paths_that_are_no_links_are_refused() {
        for path in
            ["/a//b", "/a/../b", "/a/%2e%2e/b", "/a/%00", "/a/%ff", "/a b", "/a%2Fb", "/a/b%2fstats", "/core%2Fnodes"]
        {
            assert!(matches!(route(path), Err(Error::Path(_))), "{path}");
        }
    }
}
