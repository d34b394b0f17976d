//! What the handlers of a service take, and an example that a factory accepts.

use serde_json::{Value, json};
use steward_model::service::{Handler, NativePatch};

use super::components::Components;
use super::guest_schemas::adopt;
use super::names;
use super::references::to_schema;
use crate::http::utility;
use crate::service::Service;

/// A service in the document.
pub(super) struct Described<'a> {
    pub service: &'a Service,
    /// What names of its operations and components end with.
    pub name: String,
}

impl<'a> Described<'a> {
    /// Begins the description of a service, with the schema of its state and of what it shows.
    pub(super) fn new(service: &'a Service, components: &mut Components) -> Described<'a> {
        let described = Described { service, name: names::of_path(service.path.as_str()) };
        if !service.is_stateless() {
            let state = adopt(components, "State", &described.name, &service.descriptor().state_schema);
            let fields = json!({ "allOf": [state, to_schema("DocumentFields")] });
            components.schema(format!("Document.{}", described.name), fields);
            components.schema(format!("Listing.{}", described.name), listing(&described.document()));
        }
        described
    }

    /// Returns a reference to the schema of a document as it is shown.
    pub(super) fn document(&self) -> Value {
        to_schema(&format!("Document.{}", self.name))
    }

    /// Returns a reference to the schema of a list of documents.
    pub(super) fn listing(&self) -> Value {
        to_schema(&format!("Listing.{}", self.name))
    }

    /// Returns the schema of an answer which the host gives if the service has not this handler, and else the service.
    pub(super) fn answered(&self, handler: Handler) -> Value {
        match self.service.handles(handler) {
            true => json!({ "anyOf": [self.document(), to_schema("Reply")] }),
            false => self.document(),
        }
    }

    /// Returns the contents of the body that a handler takes, by media type.
    pub(super) fn taken(
        &self,
        handler: Handler,
        components: &mut Components,
    ) -> Vec<(&'static str, Value, Option<Value>)> {
        let written = |schema| vec![("application/json", schema, None)];
        if let Some(taken) = self.of_action(handler, components) {
            let fields = (handler == Handler::HandleCreate).then_some("CreationFields");
            return written(any_of(taken, fields));
        }
        let with = |fields| self.state_with(fields);
        let merges = self.service.descriptor().patch == NativePatch::Merge && !self.service.handles(handler);
        match handler {
            Handler::HandleCreate if !self.service.is_stateless() => {
                vec![("application/json", with("CreationFields"), example(self.service))]
            }
            Handler::HandlePut if !self.service.is_stateless() => written(with("UpdateFields")),
            Handler::HandlePatch if merges => {
                let patch = to_schema("MergePatch");
                vec![("application/merge-patch+json", patch.clone(), None), ("application/json", patch, None)]
            }
            Handler::HandleCreate
            | Handler::HandlePut
            | Handler::HandlePatch
            | Handler::HandlePost
            | Handler::HandleGet
            | Handler::HandleDelete
            | Handler::HandleStart
            | Handler::HandleStop
            | Handler::HandleMaintenance
            | Handler::HandleReply
            | Handler::Migrate
            | Handler::Merge => written(to_schema("Body")),
        }
    }

    /// Returns the contents of the body of a PUT on which `handle-create` decides: what creation takes, but for the fields of the host.
    pub(super) fn taken_as_creation(&self, components: &mut Components) -> Vec<(&'static str, Value, Option<Value>)> {
        let fields = "UpdateFields";
        let schema = match self.of_action(Handler::HandleCreate, components) {
            Some(taken) => any_of(taken, Some(fields)),
            None => self.state_with(fields),
        };
        vec![("application/json", schema, None)]
    }

    /// Returns the schema of a state beside fields of the host.
    fn state_with(&self, fields: &str) -> Value {
        json!({ "allOf": [to_schema(&format!("State.{}", self.name)), to_schema(fields)] })
    }

    /// Returns true if the service says what bodies a handler takes.
    pub(super) fn says(&self, handler: Handler) -> bool {
        self.service.descriptor().actions.get(handler.as_str()).is_some_and(|kinds| !kinds.is_empty())
    }

    /// Returns the schemas of what the service says that a handler takes: one body, or one for each kind.
    fn of_action(&self, handler: Handler, components: &mut Components) -> Option<Vec<Value>> {
        let kinds = self.service.descriptor().actions.get(handler.as_str()).filter(|kinds| !kinds.is_empty())?;
        let word = handler.as_str().trim_start_matches("handle-");
        let taken = kinds
            .iter()
            .map(|(kind, schema)| match kind.as_str() {
                "" => adopt(components, &format!("{word}Body"), &self.name, schema),
                kind => {
                    let tail = format!("{}.{}", self.name, names::clean(kind));
                    let body = adopt(components, &format!("{word}Kind"), &tail, schema);
                    let named =
                        json!({ "type": "object", "properties": { "kind": { "const": kind } }, "required": ["kind"] });
                    json!({ "allOf": [body, named] })
                }
            })
            .collect();
        Some(taken)
    }
}

/// Returns the schema of one of several bodies, each beside fields of the host if there are some.
fn any_of(bodies: Vec<Value>, fields: Option<&str>) -> Value {
    let beside = |body| match fields {
        Some(fields) => json!({ "allOf": [body, to_schema(fields)] }),
        None => body,
    };
    let mut bodies: Vec<Value> = bodies.into_iter().map(beside).collect();
    if bodies.len() == 1 { bodies.remove(0) } else { json!({ "anyOf": bodies }) }
}

fn listing(document: &Value) -> Value {
    let shown = json!({ "anyOf": [document, to_schema("Fields")] });
    json!({
        "allOf": [to_schema("Listing")],
        "type": "object",
        "properties": { "documents": { "type": "object", "additionalProperties": shown } },
    })
}

/// Returns a body that fits what the factory takes; none if none was found.
///
/// The fullest is taken: all fields, else those that must be there, else none.
pub(super) fn example(service: &Service) -> Option<Value> {
    utility::fullest_that_fits(&service.descriptor().state_schema, service.schema.as_ref()).map(Value::Object)
}
