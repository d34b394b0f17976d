//! `/template`, and OPTIONS: an example of a state, and a description of its fields.

use http::StatusCode;
use serde_json::{Map, Value, json};
use steward_model::Action;
use steward_model::service::Handler;

use super::schema;
use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::service::{Found, Service};

/// Shows an example of a child, in a factory's template under a link that no child has.
pub(super) fn answer(http: &Http, found: &Found) -> Answer {
    let (Found::Factory(service) | Found::Child(service) | Found::Stateless(service)) = found;
    let child = Found::Child(std::sync::Arc::clone(service));
    let described = match found {
        Found::Child(_) | Found::Stateless(_) => template(service, found),
        Found::Factory(_) => {
            let link = format!("{}/child-template", service.path);
            json!({
                "documentLinks": [link],
                "documents": {link: template(service, &child)},
                "documentCount": 1,
                "documentVersion": 0,
                "documentUpdateTimeMicros": 0,
                "documentExpirationTimeMicros": 0,
                "documentOwner": http.owner_name(),
            })
        }
    };
    encode::json(StatusCode::OK, &described)
}

fn template(service: &Service, found: &Found) -> Value {
    let descriptor = service.descriptor();
    let mut example = match schema::example(&descriptor.state_schema) {
        Value::Object(example) => example,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    let methods: Vec<&str> = found.actions().iter().map(|action| action.as_str()).collect();
    let description = json!({
        "name": descriptor.name,
        "documentation": descriptor.docs,
        "propertyDescriptions": schema::properties(&descriptor.state_schema),
        "schema": descriptor.state_schema,
        "serviceCapabilities": descriptor.options,
        "serviceRequestRoutes": routes(service, &methods),
        "versionRetentionLimit": descriptor.versions_kept(),
        "versionRetentionFloor": descriptor.versions_kept(),
        "serializedStateSizeLimit": service.module.document_bytes_max(),
        "stateVersion": descriptor.state_version,
    });
    example.insert("documentKind".to_owned(), descriptor.kind().into());
    example.insert("documentDescription".to_owned(), description);
    example.into()
}

/// Returns what each method takes: the schemas of bodies, by the `kind` that tells them apart.
fn routes(service: &Service, methods: &[&str]) -> Value {
    let descriptor = service.descriptor();
    let actions = &descriptor.actions;
    let taken = |method: &str| {
        let handler = match method {
            "POST" => Handler::HandlePost,
            // Where creation decides on it, it takes what creation takes.
            "PUT" => descriptor.decides(Action::Put).unwrap_or(Handler::HandlePut),
            "PATCH" => Handler::HandlePatch,
            "DELETE" => Handler::HandleDelete,
            _ => Handler::HandleGet,
        };
        let name = serde_json::to_value(handler).unwrap_or_default();
        let kinds = name.as_str().and_then(|name| actions.get(name));
        let schemas = kinds.into_iter().flatten().map(|(kind, schema)| json!({"kind": kind, "schema": schema}));
        schemas.collect::<Vec<_>>()
    };
    methods.iter().map(|method| ((*method).to_owned(), taken(method).into())).collect::<Map<String, Value>>().into()
}
