//! Paths that belong to the host: no service can be mounted there, and no effect goes there but a query.

use steward_model::Link;
use steward_model::link::UTILITY_SUFFIXES;

/// First segments below `/core` that belong to the host.
pub const HOST_BELOW_CORE: [&str; 11] = [
    "management",
    "node-groups",
    "node-selectors",
    "nodes",
    "partitions",
    "modules",
    "factories",
    "migrations",
    "query-tasks",
    "query-page",
    "replays",
];

/// First segments of paths that belong to the host.
const HOST_TOP: [&str; 7] = ["health", "healthz", "livez", "readyz", "metrics", "ui", "openapi.json"];

/// Path of the one service of the host that guests may send to: it runs queries.
pub(crate) const QUERY_TASKS: &str = "/core/query-tasks";

/// Returns why no service can be mounted at `path`, if none can.
pub(crate) fn reserved(path: &Link) -> Option<&'static str> {
    if path.as_str() == "/core" {
        return Some("it is the folder of the host's own services: choose a path below it");
    }
    if is_own(path) {
        return Some("the path belongs to the host");
    }
    if segments(path).any(|segment| UTILITY_SUFFIXES.contains(&segment)) {
        return Some("a segment is the name of a utility endpoint, which every service keeps for itself");
    }
    None
}

/// Returns true if the host itself answers at `path`, whatever is mounted: for itself, or about the service above it.
pub fn answers_itself(path: &Link) -> bool {
    is_own(path) || (segments(path).nth(1).is_some() && UTILITY_SUFFIXES.contains(&path.name()))
}

fn is_own(path: &Link) -> bool {
    let mut segments = segments(path);
    match (segments.next().unwrap_or_default(), segments.next()) {
        ("core", below) => below.is_none_or(|below| HOST_BELOW_CORE.contains(&below)),
        (first, _) => path.is_root() || HOST_TOP.contains(&first),
    }
}

fn segments(path: &Link) -> impl Iterator<Item = &str> {
    path.as_str()[1..].split('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> Link {
        Link::parse(text).expect("a valid link")
    }

    #[test]
    fn services_stay_off_the_paths_of_the_host() {
        for path in ["/", "/core", "/core/management", "/core/modules/x", "/health/x", "/a/stats", "/a/stats/b"] {
            assert!(reserved(&link(path)).is_some(), "{path}");
        }
        for path in ["/core/examples", "/a", "/core/examples/below", "/management"] {
            assert_eq!(reserved(&link(path)), None, "{path}");
        }
    }

    #[test]
    fn the_host_answers_for_itself_and_about_services() {
        for path in ["/", "/core", "/core/factories", "/core/modules/x", "/openapi.json", "/core/examples/a/stats"] {
            assert!(answers_itself(&link(path)), "{path}");
        }
        for path in ["/core/examples", "/core/examples/a", "/stats", "/greeting/stats/a", "/factories"] {
            assert!(!answers_itself(&link(path)), "{path}");
        }
    }
}
