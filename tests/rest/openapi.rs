//! What the host says of itself as OpenAPI is what it does: references lead somewhere, methods are those of `Allow`, examples are
//! accepted, and the statuses of real answers are described.
//!
//! Judged by hand besides: `st run URL/openapi.json?v=3.2 --phases coverage,stateful` of schemathesis, which follows the links. It holds against the host, and
//! the host means it so:
//!
//! - Bodies that fit a schema are refused, and others taken: a schema of a descriptor says less than its handlers check, unknown fields are passed over.
//! - A method that is not there is answered 400 or 412 where a header or a precondition is wrong as well; TRACE reaches HTTP components.
//! - The guest `relay` answers 500 (`guest-outcome`) to an address that cannot be: it sends what its clients name, and the descriptor lists no host.
//! - Modules, and what ends or takes away the host's own, are left out: `installCoreModules`, `stopCoreManagement`, `changeCoreNodeGroupsDefault`, `removeFactory.*`.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::{Answer, Client};
use steward_tests::host::Host;

use crate::{PATIENT, component, host_with, host_with_flags, misbehave_with};

/// Methods of HTTP that a path of the document may have.
const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "query"];

async fn described(client: &Client, query: &str) -> Value {
    client.get(&format!("/openapi.json{query}")).await.expect(200).json()
}

/// Calls `look` with every operation of a document, its path and its method.
fn each_operation(document: &Value, mut look: impl FnMut(&str, &str, &Value)) {
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            assert!(METHODS.contains(&method.as_str()), "{path}: {method}");
            look(path, method, operation);
        }
    }
}

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Returns what a value is that may be a reference.
fn followed<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => value,
    }
}

/// Checks what any document of OpenAPI has to be like.
fn assert_sound(document: &Value) {
    let mut found = Vec::new();
    references(document, &mut found);
    for reference in found {
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        assert!(target.is_some(), "{reference} leads nowhere");
    }
    let tags: BTreeSet<&str> =
        document["tags"].as_array().expect("tags").iter().filter_map(|tag| tag["name"].as_str()).collect();
    let mut names = BTreeSet::new();
    each_operation(document, |path, method, operation| {
        let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
        assert!(names.insert(name.to_owned()), "{name} is the name of two operations");
        assert!(
            operation["tags"]
                .as_array()
                .is_some_and(|own| own.iter().all(|tag| tags.contains(tag.as_str().unwrap_or_default())))
        );
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let of = |place: &str| {
            let all = parameters.iter().map(|parameter| followed(document, parameter));
            let names =
                all.filter(|parameter| parameter["in"] == place).filter_map(|parameter| parameter["name"].as_str());
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        let in_path: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(of("path"), in_path, "{method} {path}");
        for place in ["query", "header"] {
            let (all, once) = (of(place), of(place).into_iter().collect::<BTreeSet<_>>());
            assert_eq!(all.len(), once.len(), "{method} {path} has a parameter twice: {all:?}");
        }
        let answers = operation["responses"].as_object().expect("answers");
        assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {path} never succeeds");
        assert!(
            answers.values().all(|answer| followed(document, answer)["description"].is_string()),
            "{method} {path}"
        );
    });
}

/// Checks that links lead to operations, and name parameters that these take; returns how many there are.
fn assert_links(document: &Value) -> usize {
    let (mut taken, mut links) = (BTreeMap::new(), Vec::new());
    each_operation(document, |_, _, operation| {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let names = parameters.iter().map(|parameter| followed(document, parameter)["name"].clone());
        taken.insert(operation["operationId"].to_string(), names.collect::<Vec<_>>());
        let answers = operation["responses"].as_object().expect("answers").values();
        links
            .extend(answers.filter_map(|answer| answer["links"].as_object()).flat_map(|links| links.values().cloned()));
    });
    for link in &links {
        let target = taken.get(&link["operationId"].to_string());
        let target = target.unwrap_or_else(|| panic!("{link} leads nowhere"));
        let mut named = link["parameters"].as_object().expect("parameters").keys();
        assert!(named.all(|name| target.contains(&json!(name))), "{link} names what is not taken: {target:?}");
    }
    links.len()
}

/// Returns the methods that a path has by the document, as `Allow` would list them.
fn methods(document: &Value, path: &str) -> BTreeSet<String> {
    let item = document["paths"][path].as_object().unwrap_or_else(|| panic!("{path} is not described"));
    let mut methods: BTreeSet<String> = item.keys().map(|method| method.to_ascii_uppercase()).collect();
    if methods.contains("GET") {
        methods.insert("HEAD".to_owned());
    }
    methods.insert("OPTIONS".to_owned());
    methods
}

async fn allowed(client: &Client, path: &str) -> BTreeSet<String> {
    let answer = client.send(Method::OPTIONS, path, &[], "").await.expect("an answer");
    assert!(answer.status.is_success(), "OPTIONS {path}: {}", answer.status);
    answer.header("allow").split(", ").map(str::to_owned).collect()
}

/// Checks that the document describes an answer, its status and its type.
fn assert_described(document: &Value, path: &str, method: &str, answer: &Answer) {
    let answers = &document["paths"][path][method]["responses"];
    let status = answer.status.as_u16().to_string();
    let found = answers.get(&status).unwrap_or_else(|| panic!("{method} {path}: {status} is not described: {answers}"));
    let content = followed(document, found).get("content").and_then(Value::as_object);
    let media = answer.header("content-type").split(';').next().unwrap_or_default();
    let is_described = content.is_some_and(|content| content.contains_key(media));
    let is_empty = answer.body.is_empty() && content.is_none();
    assert!(is_described || is_empty, "{method} {path}: {status} {media} is not described: {found}");
}

/// Returns the body of the example that a factory gives for its POST.
fn example(document: &Value, factory: &str) -> Value {
    let content = &document["paths"][factory]["post"]["requestBody"]["content"]["application/json"];
    content.get("example").unwrap_or_else(|| panic!("{factory} has no example: {content}")).clone()
}

async fn host_of_all_kinds() -> Host {
    host_with(&["counter", "examples", "presence", "greeting"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_sound_and_the_same_each_time() {
    let host = host_of_all_kinds().await;
    let client = host.client();
    for (query, number) in [("", "3.1.1"), ("?v=3.1", "3.1.1"), ("?v=3.2", "3.2.0")] {
        let answer = client.get(&format!("/openapi.json{query}")).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.json()["openapi"], number);
        assert_sound(&answer.json());
        let documents =
            answer.json()["paths"].as_object().expect("paths").keys().filter(|path| path.ends_with("/{id}")).count();
        assert!(assert_links(&answer.json()) > documents, "what is created can be found");
        let again = client.get(&format!("/openapi.json{query}")).await.expect(200);
        assert_eq!(answer.body, again.body, "the same services, another document");
    }
    assert_eq!(described(client, "").await["paths"]["/core/query-tasks"].get("query"), None);
    assert!(described(client, "?v=3.2").await["paths"]["/core/query-tasks"]["query"].is_object());
    let root = client.get("/").await.expect(200).json();
    assert_eq!(root["links"]["openapi"], "/openapi.json");
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_are_those_that_the_host_allows() {
    let host = host_of_all_kinds().await;
    let client = host.client();
    let document = described(client, "?v=3.2").await;
    let module =
        client.get("/core/modules").await.expect(200).json()["documentLinks"][0].as_str().expect("a module").to_owned();
    let mut real = BTreeMap::from([
        ("/core/modules/{digest}".to_owned(), module),
        ("/core/nodes/{node}".to_owned(), "/core/nodes/1".to_owned()),
    ]);
    for factory in ["/core/counters", "/core/examples", "/presences"] {
        client.post(factory, &json!({ "documentSelfLink": "one", "name": "one" })).await.expect(201);
        for below in ["", "/stats", "/config", "/available", "/template", "/history", "/effects"] {
            real.insert(format!("{factory}/{{id}}{below}"), format!("{factory}/one{below}"));
        }
    }
    real.insert("/greeting/{below}".to_owned(), "/greeting/one".to_owned());
    for path in document["paths"].as_object().expect("paths").keys() {
        let allowed = allowed(client, real.get(path).unwrap_or(path)).await;
        assert_eq!(methods(&document, path), allowed, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_are_accepted_and_real_answers_are_described() {
    let host = host_of_all_kinds().await;
    let client = host.client();
    let document = described(client, "").await;
    for factory in ["/core/counters", "/core/examples", "/presences"] {
        let created = client.post(factory, &example(&document, factory)).await.expect(201);
        assert_described(&document, factory, "post", &created);
        let link = created.header("location").to_owned();
        let child = format!("{factory}/{{id}}");
        let tag = created.header("etag").to_owned();
        let ask = async |method: Method, path: &str, headers: &[(&str, &str)], body: &str| {
            client.send(method, path, headers, body.to_owned()).await.expect("an answer")
        };
        let json = ("content-type", "application/json");
        let expected = [
            (ask(Method::GET, &link, &[], "").await.expect(200), &child, "get"),
            (ask(Method::GET, &link, &[("if-none-match", &tag)], "").await.expect(304), &child, "get"),
            (ask(Method::GET, &format!("{factory}/none"), &[], "").await.expect(404), &child, "get"),
            (ask(Method::PATCH, &link, &[json, ("if-match", "\"9-9\"")], "{}").await.expect(412), &child, "patch"),
            (ask(Method::PATCH, &link, &[json], "{").await.expect(400), &child, "patch"),
            (ask(Method::PATCH, &link, &[("content-type", "text/plain")], "x").await.expect(415), &child, "patch"),
            (ask(Method::DELETE, &link, &[("if-match", &tag)], "").await.expect(200), &child, "delete"),
            (ask(Method::DELETE, &format!("{factory}/none"), &[], "").await.expect(200), &child, "delete"),
            (ask(Method::GET, &format!("{factory}?$limit=0"), &[], "").await.expect(400), &factory.to_owned(), "get"),
            (ask(Method::GET, &format!("{factory}?expand"), &[], "").await.expect(200), &factory.to_owned(), "get"),
        ];
        for (answer, path, method) in &expected {
            assert_described(&document, path, method, answer);
        }
    }
    // Strict checking is described where it is demanded.
    client.post("/presences", &json!({ "documentSelfLink": "p", "name": "p" })).await.expect(201);
    let unsure = client.patch("/presences/p", &json!({ "name": "q" })).await.expect(428);
    assert_described(&document, "/presences/{id}", "patch", &unsure);
    assert_eq!(document["paths"]["/core/counters/{id}"]["patch"]["responses"].get("428"), None);
    assert!(
        document["paths"]["/presences/{id}"]["patch"]["requestBody"]["content"]["application/merge-patch+json"]
            .is_object()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_one_factory_has_nothing_of_others() {
    let host = host_of_all_kinds().await;
    let client = host.client();
    let document = described(client, "?factory=/core/counters").await;
    assert_sound(&document);
    assert_eq!(
        (&document["info"]["title"], &document["tags"][0]["name"]),
        (&json!("counter"), &json!("/core/counters"))
    );
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.keys().all(|path| path.contains("/core/counters")), "{:?}", paths.keys());
    assert_eq!(document["components"]["schemas"].get("State.core.examples"), None);
    let state = &document["components"]["schemas"]["State.core.counters"];
    assert_eq!(state["properties"]["step"]["minimum"], 1, "{state}");
    let stateless = described(client, "?factory=/greeting").await;
    assert_sound(&stateless);
    assert!(stateless["paths"]["/greeting"]["post"]["requestBody"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_refused_with_what_was_meant() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    for (query, told) in [
        ("?factory=/core/countres", "did you mean /core/counters?"),
        ("?v=3.0", "did you mean 3.1?"),
        ("?version=3.1", "there is no query parameter version"),
    ] {
        let problem = client.get(&format!("/openapi.json{query}")).await.expect(400).json();
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{problem}");
    }
    client.post("/openapi.json", &json!({})).await.expect(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_with_definitions_and_of_former_drafts_are_taken_over() {
    let host = host_with_flags(&[], &PATIENT).await;
    let client = host.client();
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": "#/definitions/s",
        "definitions": { "s": { "properties": { "n": { "$ref": "#/definitions/s" } } } },
    });
    let module = misbehave_with(&json!({ "stateSchema": schema, "docs": null })).await;
    client.deploy(&module, None).await;
    let document = described(client, "").await;
    assert_sound(&document);
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["State.core.misbehave"],
        json!({ "$ref": "#/components/schemas/StatePart.core.misbehave.s-old" })
    );
    client.post("/core/misbehave", &example(&document, "/core/misbehave")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_on_which_creation_decides_takes_what_creation_takes() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let taken = json!({ "": { "properties": { "seed": { "type": "integer" } } } });
    let module = json!({ "docs": null, "handlers": ["handle-create"], "actions": { "handle-create": taken } });
    client.deploy(&misbehave_with(&module).await, None).await;
    let document = described(client, "").await;
    assert_sound(&document);
    let body = |path: &str, method: &str| {
        document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"].clone()
    };
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let beside = |body: &str, fields: &str| json!({ "allOf": [reference(body), reference(fields)] });
    assert_eq!(body("/core/misbehave", "post"), beside("createBody.core.misbehave", "CreationFields"));
    assert_eq!(body("/core/misbehave/{id}", "put"), beside("createBody.core.misbehave", "UpdateFields"));
    assert_eq!(document["paths"]["/core/misbehave/{id}"]["put"]["requestBody"]["required"], true);
    assert_eq!(body("/core/counters/{id}", "put"), beside("State.core.counters", "UpdateFields"));
    client.post("/core/misbehave", &json!({})).await.expect(501);
    let routes = client.get("/core/misbehave/template").await.expect(200).json();
    let template = &routes["documents"]["/core/misbehave/child-template"]["documentDescription"];
    assert_eq!(template["serviceRequestRoutes"]["PUT"][0]["schema"], taken[""], "{template}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_schema_that_look_like_references_are_values() {
    let host = host_with_flags(&[], &PATIENT).await;
    let client = host.client();
    let value = json!({ "$ref": "#/not/a/reference" });
    let schema =
        json!({ "type": "object", "properties": { "n": { "default": value }, "default": { "const": value } } });
    let module = misbehave_with(&json!({ "stateSchema": schema, "docs": null })).await;
    client.deploy(&module, None).await;
    let document = described(client, "").await;
    assert_eq!(document["components"]["schemas"]["State.core.misbehave"]["properties"]["n"]["default"], value);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_modules_at_paths_of_their_own_have_names_of_their_own() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.deploy(&component("counter").await, Some("/core/more")).await;
    client.deploy(&component("counter").await, Some("/core.counters")).await;
    assert_sound(&described(client, "").await);
}
