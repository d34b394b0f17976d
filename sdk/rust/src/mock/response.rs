//! The answer of the mock host to one request.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::request::{Answer, Header};

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers that the service set.
    pub headers: Vec<Header>,
    /// Body; null if there is none.
    pub body: Value,
}

impl Response {
    /// Makes an answer.
    pub fn new(status: u16, body: Value) -> Response {
        Response { status, headers: Vec::new(), body }
    }

    /// Returns true for a status of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the self-link of the document in the body.
    ///
    /// # Panics
    /// If the body is no document: the request failed, and the message says why.
    pub fn link(&self) -> String {
        match self.body["documentSelfLink"].as_str() {
            Some(link) => link.to_owned(),
            None => panic!("there is no document in the answer: {} {}", self.status, self.body),
        }
    }

    /// Returns the version of the document in the body.
    ///
    /// # Panics
    /// If the body is no document.
    pub fn version(&self) -> u64 {
        match self.body["documentVersion"].as_u64() {
            Some(version) => version,
            None => panic!("there is no document in the answer: {} {}", self.status, self.body),
        }
    }

    /// Returns the body as a value of `T`, a state for example.
    ///
    /// # Panics
    /// If the body is no `T`.
    pub fn state<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_value(self.body.clone()) {
            Ok(state) => state,
            Err(error) => panic!("the answer has another shape ({error}): {} {}", self.status, self.body),
        }
    }

    /// Returns the code of a refusal, or an empty text.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Returns the pointer of a refusal, or an empty text.
    pub fn pointer(&self) -> &str {
        self.body["pointer"].as_str().unwrap_or_default()
    }

    /// Returns the message of a refusal, or an empty text.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// Returns the answer as an effect's sender gets it.
    pub(super) fn answer(&self, from: &str) -> Answer {
        let body = if self.body.is_null() { None } else { Some(self.body.to_string()) };
        Answer { status: self.status, headers: self.headers.clone(), body, from: from.to_owned() }
    }
}

impl From<Fault> for Response {
    fn from(fault: Fault) -> Response {
        let body = json!({
            "statusCode": fault.status, "code": fault.code, "message": fault.message, "pointer": fault.pointer,
        });
        Response::new(fault.status, body)
    }
}
