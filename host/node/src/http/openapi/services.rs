//! What can be asked of the services: of a factory, of its documents, of a service without documents, and below each of them.

use serde_json::{Map, Value, json};
use steward_model::Action;
use steward_model::problem::Kind;
use steward_model::service::{Handler, ServiceOption};

use super::bodies::Described;
use super::components::Components;
use super::host_paths;
use super::operation::Operation;
use super::references::to_schema;
use super::version::Version;
use crate::http::route::Infrastructure;

/// Parameters of a listing.
const OF_LISTINGS: [&str; 8] = ["expand", "filter", "orderby", "limit-rows", "top", "skip", "count", "select"];

/// Parameters of a read of a document.
const OF_READS: [&str; 7] =
    ["documentVersion", "consistency", "atLeast", "If-None-Match", "Prefer", "x-steward-at-least", "x-request-id"];

/// Parameters of an update of a document.
const OF_UPDATES: [&str; 5] = ["If-Match", "Idempotency-Key", "Prefer", "x-xenon-rpl-quorum", "x-request-id"];

/// What an update may meet.
const UPDATES_MEET: [Kind; 7] = [
    Kind::Conflict,
    Kind::PreconditionFailed,
    Kind::Unprocessable,
    Kind::TooMany,
    Kind::Deadline,
    Kind::NoSpace,
    Kind::NotFound,
];

/// Headers of a read that any copy may have answered.
const OF_COPIES: [&str; 6] =
    ["ETag", "x-steward-owner", "x-steward-epoch", "x-steward-position", "x-steward-copy", "x-request-id"];

/// What can be seen below each document.
const BELOW_DOCUMENTS: [&str; 6] = ["stats", "config", "available", "template", "history", "effects"];

/// The name of a child that was created, as a link says it: what follows the last slash of its path. OpenAPI has no word for a part of a
/// text; the one that schemathesis has for it is understood by nobody else, and does no harm there.
const NAME_OF_CREATED: &str = "$response.header.Location#regex:([^/]+)$";

/// Headers of an answer to an update.
const OF_ANSWERS: [&str; 6] =
    ["ETag", "Location", "Idempotency-Replayed", "x-steward-owner", "x-steward-epoch", "x-request-id"];

/// Adds the paths of a service.
pub(super) fn describe(
    described: &Described<'_>,
    version: Version,
    components: &mut Components,
    paths: &mut Map<String, Value>,
) {
    let path = described.service.path.as_str();
    if described.service.is_stateless() {
        stateless(described, components, paths);
    } else {
        let factory = json!({ "get": list(described), "post": create(described, components) });
        paths.insert(path.to_owned(), factory);
        utilities(described, "Factory", path, &["stats", "config", "available", "template", "effects"], paths);
        let documents = format!("{path}/{{id}}");
        paths.insert(documents.clone(), document(described, components));
        utilities(described, "Document", &documents, &BELOW_DOCUMENTS, paths);
        host_paths::describe_one(
            version,
            &format!("/core/migrations{path}"),
            (path, &format!("Migration.{}", described.name)),
            Infrastructure::Migration(&path[1..]),
            paths,
        );
    }
    host_paths::describe_one(
        version,
        &format!("/core/factories{path}"),
        (path, &format!("Factory.{}", described.name)),
        Infrastructure::Factory(&path[1..]),
        paths,
    );
}

/// Returns the name of an operation.
fn id(described: &Described<'_>, verb: &str) -> String {
    format!("{verb}.{}", described.name)
}

fn list(described: &Described<'_>) -> Value {
    let path = described.service.path.as_str();
    let met = [Kind::NotAcceptable, Kind::NotFound, Kind::Gone, Kind::Unprocessable, Kind::Deadline];
    Operation::reading(id(described, "list"), path, "Lists the documents")
        .told("A thousand on a page, unless $limit says otherwise; nextPageLink leads to the next one.")
        .takes(&OF_LISTINGS)
        .takes(&["skiptoken"])
        .answers("200", "Links, and what was asked for besides", Some(described.listing()))
        .refused(&met)
        .refused_by_service()
        .written()
}

fn create(described: &Described<'_>, components: &mut Components) -> Value {
    let service = described.service;
    let (handler, path) = (Handler::HandleCreate, service.path.as_str());
    let answer = json!({ "application/json": { "schema": described.answered(handler) } });
    let is_task = service.descriptor().task;
    let (status, words) =
        if is_task { ("202", "The task, which is under way") } else { ("201", "The document at version 0") };
    let mut operation = Operation::changing(id(described, "create"), path, "Creates a document")
        .takes(&["If-None-Match", "Pragma"])
        .takes(&OF_UPDATES)
        .body(!service.handles(handler), &described.taken(handler, components))
        .answers_with(status, words, Some(answer.clone()), &OF_ANSWERS)
        .leads(status, to_created(described))
        .refused(&UPDATES_MEET);
    if service.has(ServiceOption::IdempotentPost) {
        operation = operation
            .told("A document of this name is replaced, as by PUT.")
            .answers_with("200", "The document was there and is replaced", Some(answer), &OF_ANSWERS)
            .answers_with("204", "The same, without the state", None, &OF_ANSWERS);
    }
    by_service(described, operation, &[handler, Handler::HandleStart]).written()
}

/// Returns the links from a creation to what can be asked of the document.
fn to_created(described: &Described<'_>) -> Value {
    let verbs = described.service.actions().into_iter().map(|action| verb_of(action).to_owned());
    let below = BELOW_DOCUMENTS.into_iter().map(|name| format!("{name}OfDocument"));
    let link = |verb: String| {
        let leads = json!({ "operationId": id(described, &verb), "parameters": { "id": NAME_OF_CREATED } });
        (verb, leads)
    };
    Value::Object(verbs.chain(below).map(link).collect())
}

/// Returns the first word of the name of what can be asked of a document.
fn verb_of(action: Action) -> &'static str {
    match action {
        Action::Get => "read",
        Action::Post => "post",
        Action::Put => "replace",
        Action::Patch => "patch",
        Action::Delete => "delete",
    }
}

/// Says that the service answers as it likes, if it has one of the handlers.
fn by_service(described: &Described<'_>, operation: Operation, handlers: &[Handler]) -> Operation {
    if !handlers.iter().any(|handler| described.service.handles(*handler)) {
        return operation;
    }
    operation.answers("2XX", "Another answer of the service", Some(to_schema("Reply"))).refused_by_service()
}

fn document(described: &Described<'_>, components: &mut Components) -> Value {
    let mut item = Map::new();
    for action in described.service.actions() {
        let (method, operation) = match action {
            Action::Get => ("get", read(described)),
            Action::Post => ("post", update(described, components, action, "Asks the document")),
            Action::Put => ("put", update(described, components, action, "Replaces the state")),
            Action::Patch => ("patch", update(described, components, action, "Changes the state")),
            Action::Delete => ("delete", delete(described)),
        };
        item.insert(method.to_owned(), with_id(operation));
    }
    item.into()
}

fn with_id(operation: Operation) -> Value {
    operation.takes(&["id"]).written()
}

fn read(described: &Described<'_>) -> Operation {
    let answer = json!({ "application/json": { "schema": described.answered(Handler::HandleGet) } });
    let met = [
        Kind::NotFound,
        Kind::NotAcceptable,
        Kind::PreconditionFailed,
        Kind::Unprocessable,
        Kind::TooMany,
        Kind::Deadline,
    ];
    let operation = Operation::reading(id(described, "read"), described.service.path.as_str(), "Shows the document")
        .takes(&OF_READS)
        .answers_with("200", "The state", Some(answer), &OF_COPIES)
        .answers_with("304", "It is the one that If-None-Match names", None, &OF_COPIES)
        .refused(&met)
        .refused_by_service();
    by_service(described, operation, &[Handler::HandleGet])
}

fn update(described: &Described<'_>, components: &mut Components, action: Action, summary: &str) -> Operation {
    let (service, handler) = (described.service, Handler::of(action));
    let deciding = service.descriptor().decides(action).unwrap_or(handler);
    let answer = json!({ "application/json": { "schema": described.answered(deciding) } });
    // A PUT on which creation decides takes what creation takes.
    let taken = match (action, deciding) {
        (Action::Put, Handler::HandleCreate) => described.taken_as_creation(components),
        _ => described.taken(handler, components),
    };
    let mut operation = Operation::changing(id(described, verb_of(action)), service.path.as_str(), summary)
        .takes(&["If-None-Match"])
        .takes(&OF_UPDATES)
        .body(!service.handles(handler), &taken)
        .answers_with("200", "The new state, or what the service answers", Some(answer), &OF_ANSWERS)
        .answers_with("204", "Done, without the state", None, &OF_ANSWERS)
        .refused(&UPDATES_MEET);
    if service.has(ServiceOption::StrictUpdateChecking) {
        operation = operation
            .told("Names the documentVersion on which it is based, or has If-Match.")
            .refused(&[Kind::PreconditionRequired]);
    }
    by_service(described, operation, &[deciding]).refused_by_service()
}

fn delete(described: &Described<'_>) -> Operation {
    let last = described.answered(Handler::HandleDelete);
    let answer = json!({ "application/json": { "schema": { "anyOf": [last, to_schema("NoDocument")] } } });
    let mut operation =
        Operation::changing(id(described, "delete"), described.service.path.as_str(), "Deletes the document")
            .takes(&["If-None-Match"])
            .takes(&OF_UPDATES)
            .answers_with("200", "The last state; an empty object if there was none", Some(answer), &OF_ANSWERS)
            .answers_with("204", "Done, without the state", None, &OF_ANSWERS)
            .refused(&UPDATES_MEET);
    if described.service.has(ServiceOption::StrictUpdateChecking) {
        operation = operation.refused(&[Kind::PreconditionRequired]);
    }
    by_service(described, operation, &[Handler::HandleDelete, Handler::HandleStop]).refused_by_service()
}

fn stateless(described: &Described<'_>, components: &mut Components, paths: &mut Map<String, Value>) {
    let path = described.service.path.as_str();
    for (place, verb_end, parameters) in
        [(path.to_owned(), "", &[][..]), (format!("{path}/{{below}}"), "Below", &["below"][..])]
    {
        let mut item = Map::new();
        for action in described.service.actions() {
            let handler = Handler::of(action);
            let method = action.as_str().to_ascii_lowercase();
            let name = id(described, &format!("{method}{verb_end}"));
            let reads = action == Action::Get;
            if described.service.module.is_http() {
                item.insert(method, exchange(name, path, parameters, reads));
                continue;
            }
            let begin = if reads { Operation::reading } else { Operation::changing };
            let met = [Kind::NotFound, Kind::NotAcceptable, Kind::PreconditionFailed, Kind::TooMany, Kind::Deadline];
            let mut operation = begin(name, path, "Asks the service")
                .takes(parameters)
                .takes(&["Prefer", "x-request-id"])
                .answers("2XX", "What the service answers", Some(to_schema("Reply")))
                .refused(&met)
                .refused_by_service();
            if !reads && (action != Action::Delete || described.says(handler)) {
                operation = operation.body(false, &described.taken(handler, components));
            }
            item.insert(method, operation.written());
        }
        paths.insert(place, item.into());
    }
    utilities(described, "Service", path, &["stats", "config", "available", "template"], paths);
}

/// Describes a request that an HTTP component answers: what it takes and gives, only it knows.
fn exchange(name: String, path: &str, parameters: &[&str], reads: bool) -> Value {
    let anything = || json!({});
    let begin = if reads { Operation::reading } else { Operation::changing };
    let content = json!({ "*/*": { "schema": anything() } });
    let mut operation = begin(name, path, "Asks the HTTP component")
        .takes(parameters)
        .takes(&["x-request-id"])
        .answers_with("default", "What the HTTP component answers", Some(content), &[])
        .refused(&[Kind::Deadline]);
    if !reads {
        operation = operation.body(false, &[("*/*", anything(), None)]);
    }
    operation.written()
}

/// Adds what the host answers below a service, factory or document, which is the `whose`.
fn utilities(
    described: &Described<'_>,
    whose: &str,
    above: &str,
    names: &[&'static str],
    paths: &mut Map<String, Value>,
) {
    let tag = described.service.path.as_str();
    let parameters: &[&str] = if whose == "Document" { &["id"] } else { &[] };
    for name in names {
        let (summary, schema, takes): (&str, Option<&str>, &[&str]) = match *name {
            "stats" => ("Shows what it has been doing", Some("Statistics"), &[]),
            "config" => ("Shows how it is set up", Some("Configuration"), &[]),
            "available" => ("Tells whether it accepts requests", None, &[]),
            "template" if whose == "Factory" => ("Shows an example and the schema", Some("FactoryTemplate"), &[]),
            "template" => ("Shows an example and the schema", Some("Template"), &[]),
            "history" => ("Shows the kept versions, newest first", Some("History"), &["from", "to", "limit"]),
            _ => ("Shows what still has to be sent", Some("Effects"), &["limit"]),
        };
        let operation = Operation::reading(id(described, &format!("{name}Of{whose}")), tag, summary)
            .takes(parameters)
            .takes(takes)
            .answers("200", summary, schema.map(to_schema))
            .refused(&[Kind::NotFound]);
        let mut item = json!({ "get": operation.written() });
        if *name == "effects" {
            item["delete"] = give_up(described, whose, parameters);
        }
        paths.insert(format!("{above}/{name}"), item);
    }
}

fn give_up(described: &Described<'_>, whose: &str, parameters: &[&str]) -> Value {
    let name = id(described, &format!("giveUpEffectsOf{whose}"));
    Operation::changing(name, described.service.path.as_str(), "Gives up what still has to be sent")
        .takes(parameters)
        .takes(&["tag"])
        .answers("200", "How much was given up", Some(to_schema("GivenUp")))
        .refused(&[Kind::NotFound, Kind::Conflict])
        .written()
}
