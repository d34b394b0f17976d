//! One operation of the document: what may be sent and what is answered.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use steward_model::problem::Kind;

use super::components::name_of;
use super::references::to;

/// What every request may meet, whatever it asks for.
const OF_ALL: [Kind; 6] =
    [Kind::Invalid, Kind::Expectation, Kind::Misdirected, Kind::Internal, Kind::NotImplemented, Kind::Unavailable];

/// What requests with a body, or that change something, may meet besides.
const OF_CHANGES: [Kind; 4] = [Kind::Forbidden, Kind::Late, Kind::TooLarge, Kind::MediaType];

/// An operation in the making.
pub(super) struct Operation {
    fields: Map<String, Value>,
    parameters: Vec<Value>,
    answers: BTreeMap<String, Value>,
}

impl Operation {
    /// Begins an operation that reads.
    pub(super) fn reading(id: String, tag: &str, summary: &str) -> Operation {
        let mut fields = Map::new();
        fields.insert("operationId".to_owned(), id.into());
        fields.insert("tags".to_owned(), json!([tag]));
        fields.insert("summary".to_owned(), summary.into());
        Operation { fields, parameters: Vec::new(), answers: BTreeMap::new() }.refused(&OF_ALL)
    }

    /// Begins an operation that changes something, or sends a body.
    pub(super) fn changing(id: String, tag: &str, summary: &str) -> Operation {
        Operation::reading(id, tag, summary).refused(&OF_CHANGES)
    }

    /// Says more about it, for people.
    pub(super) fn told(mut self, description: &str) -> Operation {
        self.fields.insert("description".to_owned(), description.into());
        self
    }

    /// Adds parameters by the names of their components.
    pub(super) fn takes(mut self, parameters: &[&str]) -> Operation {
        self.parameters.extend(parameters.iter().map(|name| to("parameters", name)));
        self
    }

    /// Sets the body, one schema and perhaps an example for each media type.
    pub(super) fn body(mut self, required: bool, content: &[(&str, Value, Option<Value>)]) -> Operation {
        let mut written = Map::new();
        for (media, schema, example) in content {
            let mut one = json!({ "schema": schema });
            if let Some(example) = example {
                one["example"] = example.clone();
            }
            written.insert((*media).to_owned(), one);
        }
        self.fields.insert("requestBody".to_owned(), json!({ "required": required, "content": written }));
        self
    }

    /// Adds an answer, `200` or `2XX`, with the schema of its body if it has one.
    pub(super) fn answers(self, status: &str, description: &str, schema: Option<Value>) -> Operation {
        let content = schema.map(|schema| json!({ "application/json": { "schema": schema } }));
        self.answers_with(status, description, content, &[])
    }

    /// Adds an answer with whatever content, and with headers by the names of their components.
    pub(super) fn answers_with(
        mut self,
        status: &str,
        description: &str,
        content: Option<Value>,
        headers: &[&str],
    ) -> Operation {
        let mut answer = json!({ "description": description });
        if !headers.is_empty() {
            let headers = headers.iter().map(|name| ((*name).to_owned(), to("headers", name)));
            answer["headers"] = headers.collect::<Map<String, Value>>().into();
        }
        if let Some(content) = content {
            answer["content"] = content;
        }
        self.answers.insert(status.to_owned(), answer);
        self
    }

    /// Says of an answer that was added where what it tells leads: by the name of the link, an operation and its parameters.
    pub(super) fn leads(mut self, status: &str, links: Value) -> Operation {
        if let Some(answer) = self.answers.get_mut(status) {
            answer["links"] = links;
        }
        self
    }

    /// Adds refusals.
    pub(super) fn refused(mut self, kinds: &[Kind]) -> Operation {
        for kind in kinds {
            self.answers.insert(kind.status().to_string(), to("responses", &name_of(*kind)));
        }
        self
    }

    /// Says that the service may refuse with a status of its own.
    pub(super) fn refused_by_service(mut self) -> Operation {
        self.answers.insert("default".to_owned(), to("responses", "Refused"));
        self
    }

    /// Returns the operation as it is written.
    pub(super) fn written(mut self) -> Value {
        if !self.parameters.is_empty() {
            self.fields.insert("parameters".to_owned(), self.parameters.into());
        }
        // The body stands between the parameters and the answers, where people look for it.
        if let Some(body) = self.fields.shift_remove("requestBody") {
            self.fields.insert("requestBody".to_owned(), body);
        }
        self.fields.insert("responses".to_owned(), self.answers.into_iter().collect::<Map<String, Value>>().into());
        self.fields.into()
    }
}
