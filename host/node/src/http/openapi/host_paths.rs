//! The host's own paths. What stands here is held against the host by `tests/rest/openapi.rs`: the methods against `Allow`, and
//! the query parameters are those that the host reads.

use http::Method;
use serde_json::{Map, Value, json};
use steward_model::problem::Kind;
use steward_query::page;

use super::operation::Operation;
use super::references::to_schema;
use super::version::Version;
use crate::http::infrastructure::parameters_of;
use crate::http::route::Infrastructure;

/// What one path of the host is for, by tags of the document.
#[derive(Clone, Copy)]
struct Told {
    method: &'static str,
    /// First word of the name of the operation.
    verb: &'static str,
    summary: &'static str,
    /// Schema of the body.
    body: Option<&'static str>,
    /// Status and schema of the answer.
    status: &'static str,
    answer: Option<&'static str>,
    /// What it may meet besides what every request may.
    refusals: &'static [Kind],
}

const fn get(summary: &'static str, answer: &'static str) -> Told {
    Told { method: "get", verb: "get", summary, body: None, status: "200", answer: Some(answer), refusals: &[] }
}

fn remove(summary: &'static str, answer: &'static str, refusals: &'static [Kind]) -> Told {
    Told { method: "delete", verb: "remove", refusals, ..get(summary, answer) }
}

fn post(
    verb: &'static str,
    summary: &'static str,
    body: &'static str,
    (status, answer): (&'static str, &'static str),
    refusals: &'static [Kind],
) -> Told {
    Told { method: "post", verb, body: Some(body), status, refusals, ..get(summary, answer) }
}

/// What the system group decides on.
const DECIDED: &[Kind] = &[Kind::NotFound, Kind::Conflict, Kind::TooLarge, Kind::Unprocessable, Kind::Deadline];

/// Tags, and what they stand for.
pub(super) const TAGS: [(&str, &str); 4] = [
    ("node", "This node and how it is"),
    ("group", "The nodes and what lies with each"),
    ("services", "Guest modules and where they answer"),
    ("queries", "Questions over the documents of all factories"),
];

/// Every path of the host that is not that of one factory, and its tag.
const PATHS: [(&str, &str, Infrastructure<'static>); 21] = [
    ("/", "services", Infrastructure::Root),
    ("/core", "services", Infrastructure::Core),
    ("/openapi.json", "services", Infrastructure::OpenApi),
    ("/core/factories", "services", Infrastructure::Factories),
    ("/core/modules", "services", Infrastructure::Modules),
    ("/core/modules/{digest}", "services", Infrastructure::Module("{digest}")),
    ("/core/query-tasks", "queries", Infrastructure::QueryTasks),
    ("/core/query-page", "queries", Infrastructure::QueryPage),
    ("/core/replays", "services", Infrastructure::Replays),
    ("/core/node-groups", "group", Infrastructure::NodeGroups),
    ("/core/node-groups/default", "group", Infrastructure::NodeGroup),
    ("/core/node-selectors", "group", Infrastructure::NodeSelectors),
    ("/core/node-selectors/default", "group", Infrastructure::NodeSelector),
    ("/core/nodes", "group", Infrastructure::Nodes),
    ("/core/nodes/{node}", "group", Infrastructure::Node("{node}")),
    ("/core/partitions", "group", Infrastructure::Partitions),
    ("/core/management", "node", Infrastructure::Management),
    ("/core/management/synch", "node", Infrastructure::Synchronization),
    ("/health/live", "node", Infrastructure::Live),
    ("/health/ready", "node", Infrastructure::Ready),
    ("/health/startup", "node", Infrastructure::Startup),
];

/// Returns what can be asked at a place of the host; of management without PATCH, which only hosts offer on which
/// somebody tries a service out.
fn told(place: Infrastructure<'_>) -> Vec<Told> {
    match place {
        Infrastructure::Root | Infrastructure::Core => vec![get("Lists the services", "Root")],
        Infrastructure::OpenApi => vec![get("Describes what can be asked here", "Description")],
        Infrastructure::Management => vec![
            get("Shows the state of the host", "Management"),
            Told { status: "202", answer: None, verb: "stop", ..remove("Stops the host", "", &[]) },
        ],
        Infrastructure::Synchronization => vec![get("Shows which factories are served here", "Synchronization")],
        Infrastructure::NodeGroups | Infrastructure::NodeSelectors => vec![get("Lists what is here", "Listing")],
        Infrastructure::NodeGroup => vec![
            get("Shows the nodes and the quorum", "NodeGroup"),
            Told {
                method: "patch",
                ..post("change", "Changes the quorum", "QuorumRequest", ("200", "Quorum"), DECIDED)
            },
        ],
        Infrastructure::NodeSelector => vec![
            get("Shows whether enough nodes are there", "NodeSelector"),
            post("ask", "Tells which node owns a document", "OwnerRequest", ("200", "Owner"), &[]),
        ],
        Infrastructure::Nodes => vec![get("Lists the nodes by number", "Listing")],
        Infrastructure::Node(_) => vec![
            Told { refusals: &[Kind::NotFound], ..get("Shows a node", "Node") },
            remove("Removes a node for good", "RemovedNode", DECIDED),
        ],
        Infrastructure::Partitions => vec![get("Shows the copies of partitions on this node", "Partitions")],
        Infrastructure::Modules => vec![
            get("Lists the guest modules", "Listing"),
            post("install", "Takes a guest module in", "", ("201", "Module"), DECIDED),
        ],
        Infrastructure::Module(_) => vec![
            Told { refusals: &[Kind::NotFound], ..get("Shows a guest module", "Module") },
            remove("Removes a guest module that no factory runs", "RemovedModule", DECIDED),
        ],
        Infrastructure::Factories => vec![
            get("Lists what is mounted", "Listing"),
            post("mount", "Mounts a guest module", "FactoryMount", ("201", "Factory"), DECIDED),
        ],
        Infrastructure::Factory(_) => of_factory(),
        Infrastructure::Migration(_) => of_migration(),
        Infrastructure::QueryTasks => vec![
            get("Lists the tasks that are kept: none", "Listing"),
            post("query", "Runs a query", "QueryTaskRequest", ("200", "QueryTask"), ASKED),
            Told { method: "query", ..post("ask", "Runs a query", "QueryTaskRequest", ("200", "QueryTask"), ASKED) },
        ],
        Infrastructure::QueryPage => {
            vec![Told { refusals: ASKED, ..get("Shows a page of a result", "QueryTask") }]
        }
        Infrastructure::Replays => {
            vec![post(
                "run",
                "Runs the request once more that made a version",
                "ReplayRequest",
                ("200", "Replay"),
                DECIDED,
            )]
        }
        Infrastructure::Live => vec![get("Tells that the process answers", "Health")],
        Infrastructure::Ready => vec![get("Tells whether requests may be sent here", "Health")],
        Infrastructure::Startup => vec![get("Tells whether the node has recovered since its start", "Health")],
        // Metrics are no JSON, see `metrics`.
        Infrastructure::Metrics | Infrastructure::Nothing => Vec::new(),
    }
}

fn of_factory() -> Vec<Told> {
    vec![
        Told { refusals: &[Kind::NotFound], ..get("Shows the factory with its revisions", "Factory") },
        Told {
            method: "patch",
            ..post("change", "Moves or rolls back the factory", "FactoryChange", ("200", "Factory"), DECIDED)
        },
        remove("Unmounts the factory", "Factory", DECIDED),
    ]
}

fn of_migration() -> Vec<Told> {
    vec![
        Told { refusals: &[Kind::NotFound], ..get("Counts the documents by the version of their state", "Migration") },
        post(
            "migrate",
            "Migrates a portion of the documents",
            "MigrationRequest",
            ("200", "MigrationPortion"),
            DECIDED,
        ),
    ]
}

/// What a query may meet.
const ASKED: &[Kind] = &[Kind::Gone, Kind::Unprocessable, Kind::Deadline];

/// Adds the host's own paths, those of single factories excepted.
pub(super) fn describe(version: Version, paths: &mut Map<String, Value>) {
    for (path, tag, place) in PATHS {
        describe_one(version, path, (tag, &name_of(path)), place, paths);
    }
    paths.insert("/metrics".to_owned(), json!({ "get": metrics() }));
}

/// Adds what can be asked at one path, under a tag and with names of operations that end in `tail`.
pub(super) fn describe_one(
    version: Version,
    path: &str,
    (tag, tail): (&str, &str),
    place: Infrastructure<'_>,
    paths: &mut Map<String, Value>,
) {
    let mut item = Map::new();
    for told in told(place).into_iter().filter(|told| told.method != "query" || version == Version::Second) {
        item.insert(told.method.to_owned(), operation(path, (tag, tail), place, told));
    }
    paths.insert(path.to_owned(), item.into());
}

fn operation(path: &str, (tag, tail): (&str, &str), place: Infrastructure<'_>, told: Told) -> Value {
    let id = format!("{}{tail}", told.verb);
    let began = match told.method {
        "get" => Operation::reading(id, tag, told.summary),
        _ => Operation::changing(id, tag, told.summary),
    };
    let method = told.method.to_ascii_uppercase().parse().unwrap_or(Method::GET);
    let mut operation = began.takes(&path_parameters(path)).takes(&query_parameters(place, &method));
    operation = match told.body {
        None => operation,
        Some("") => operation.body(true, &[("application/wasm", json!({}), None)]),
        Some(schema) => operation.body(true, &[("application/json", to_schema(schema), None)]),
    };
    operation = operation.answers(told.status, told.summary, told.answer.map(to_schema)).refused(told.refusals);
    if let Some(links) = leads(place, told.method) {
        operation = operation.leads(told.status, links);
    }
    // What was decided may not show on this node yet.
    if told.answer == Some("Factory") && told.method != "get" {
        operation =
            operation.answers("202", "Decided, and not to be seen on this node yet", told.answer.map(to_schema));
    }
    if told.body == Some("") {
        operation = operation.answers("200", "With dryRun: what would be", told.answer.map(to_schema));
    }
    operation.written()
}

/// Returns the links from an answer to what it names.
fn leads(place: Infrastructure<'_>, method: &str) -> Option<Value> {
    let link = |name: &str, parameter: &str, value: &str| {
        Some(json!({ name: { "operationId": name, "parameters": { parameter: value } } }))
    };
    match (place, method) {
        (Infrastructure::QueryTasks, "post" | "query") => {
            link("getCoreQueryPage", page::PARAMETER, "$response.body#/results/nextPageLink#regex:skiptoken=(.+)$")
        }
        (Infrastructure::Modules, "post") => link("getCoreModulesDigest", "digest", "$response.body#/digest"),
        _ => None,
    }
}

/// Returns the path as the rest of a name: `/core/nodes/{node}` is `CoreNodesNode`.
fn name_of(path: &str) -> String {
    let mut name = String::new();
    let mut begins = true;
    for character in path.chars() {
        match character {
            letter if letter.is_ascii_alphanumeric() && begins => name.push(letter.to_ascii_uppercase()),
            letter if letter.is_ascii_alphanumeric() => name.push(letter),
            _ => {}
        }
        begins = !character.is_ascii_alphanumeric();
    }
    if name.is_empty() { "Root".to_owned() } else { name }
}

fn path_parameters(path: &str) -> Vec<&str> {
    path.split(['{', '}']).skip(1).step_by(2).collect()
}

/// Returns the names of the components of what is read in the query at a place.
fn query_parameters(place: Infrastructure<'_>, method: &Method) -> Vec<&'static str> {
    let component = |name: &&'static str| match *name {
        "$expand" => "expand-dollar",
        page::PARAMETER => "skiptoken",
        name => name,
    };
    parameters_of(place, method).iter().map(component).collect()
}

fn metrics() -> Value {
    let summary = "Prints the metrics of the process";
    let text = json!({ "text/plain": { "schema": { "type": "string" } } });
    Operation::reading("getMetrics".to_owned(), "node", summary)
        .answers_with("200", "In the text format of Prometheus", Some(text), &[])
        .written()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::route::{Target, route};

    #[test]
    fn every_path_leads_to_the_place_that_is_described() {
        for (path, _, place) in PATHS {
            assert_eq!(route(path).expect("a path"), Target::Infrastructure(place), "{path}");
        }
    }

    #[test]
    fn operations_are_named_after_their_paths() {
        assert_eq!(name_of("/core/nodes/{node}"), "CoreNodesNode");
        assert_eq!(name_of("/"), "Root");
        assert_eq!(path_parameters("/core/nodes/{node}"), ["node"]);
    }
}
