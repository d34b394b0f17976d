//! Paths that belong to the host: no service can be mounted there.

use steward_model::Link;
use steward_model::link::UTILITY_SUFFIXES;

/// First segments below `/core` that belong to the host.
pub(crate) const HOST_BELOW_CORE: [&str; 10] = [
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
];

/// First segments of paths that belong to the host.
const HOST_TOP: [&str; 7] = ["health", "healthz", "livez", "readyz", "metrics", "ui", "openapi.json"];

/// Returns why no service can be mounted at `path`, if none can.
pub(crate) fn reserved(path: &Link) -> Option<&'static str> {
    let segments: Vec<&str> = path.as_str()[1..].split('/').collect();
    let (first, second) = (segments[0], segments.get(1).copied());
    if path.is_root() || HOST_TOP.contains(&first) {
        return Some("the path belongs to the host");
    }
    if first == "core" {
        match second {
            None => return Some("it is the folder of the host's own services: choose a path below it"),
            Some(second) if HOST_BELOW_CORE.contains(&second) => return Some("the path belongs to the host"),
            Some(_) => {}
        }
    }
    if segments.iter().any(|segment| UTILITY_SUFFIXES.contains(segment)) {
        return Some("a segment is the name of a utility endpoint, which every service keeps for itself");
    }
    None
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
}
