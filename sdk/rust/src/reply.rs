//! The answer that a handler gives to its request.

use serde::Serialize;

use crate::fault::{Result, refused};
use crate::request::Header;

/// The answer of a handler. The state needs no mention: the host commits it and answers with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Option<String>,
    pub(crate) unchanged: bool,
}

impl Reply {
    /// Answers with the state after this request. `Ok(())` says the same.
    pub fn state() -> Reply {
        Reply::default()
    }

    /// Answers with the state as it was before, and makes no new version.
    pub fn unchanged() -> Reply {
        Reply { unchanged: true, ..Reply::default() }
    }

    /// Answers with a body of its own. The state is committed all the same.
    ///
    /// # Errors
    /// A fault with status 500 if the value has no JSON form, such as a map with keys that are no strings.
    pub fn json(body: &impl Serialize) -> Result<Reply> {
        Ok(Reply { body: Some(text_of(body)?), ..Reply::default() })
    }

    /// Answers with this status instead of the host's choice.
    pub fn with_status(mut self, status: u16) -> Reply {
        self.status = status;
        self
    }

    /// Adds a header to the answer.
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push(Header { name: name.to_ascii_lowercase(), value: value.into() });
        self
    }

    /// Makes no new version, whatever the handler did. The macro says it for handlers that take `&self`.
    #[doc(hidden)]
    pub fn keeping_state(mut self) -> Reply {
        self.unchanged = true;
        self
    }
}

/// Whatever a handler may return.
pub trait IntoReply {
    /// Returns it as an answer.
    ///
    /// # Errors
    /// The fault with which the handler refused.
    fn into_reply(self) -> Result<Reply>;
}

impl IntoReply for () {
    fn into_reply(self) -> Result<Reply> {
        Ok(Reply::state())
    }
}

impl IntoReply for Reply {
    fn into_reply(self) -> Result<Reply> {
        Ok(self)
    }
}

impl<T: IntoReply> IntoReply for Result<T> {
    fn into_reply(self) -> Result<Reply> {
        self.and_then(IntoReply::into_reply)
    }
}

/// Returns the JSON text of a value that the service made.
pub(crate) fn text_of(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| refused(500, "no-json", format!("cannot write a value as JSON: {error}")))
}
