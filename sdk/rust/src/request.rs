//! What the host tells a guest about a request. `wit/types.wit` says what each field means.

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read.
    Get,
    /// Create, or whatever the service makes of it.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Delete.
    Delete,
}

impl Action {
    /// Returns the HTTP method, `PATCH`.
    pub fn method(self) -> &'static str {
        match self {
            Action::Get => "GET",
            Action::Post => "POST",
            Action::Put => "PUT",
            Action::Patch => "PATCH",
            Action::Delete => "DELETE",
        }
    }
}

/// Why a handler is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A client asked.
    Client,
    /// An effect of a document asked, maybe of this one.
    Effect,
    /// A node took ownership of the document.
    Start,
    /// The maintenance interval is over.
    Maintenance,
    /// An effect has been answered.
    Reply,
}

/// A header of a request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// In lower case.
    pub name: String,
    /// As it was sent.
    pub value: String,
}

/// What a handler is told besides the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The document's self-link; for a stateless service the path that was asked for.
    pub link: String,
    /// The query part of the URI without the question mark.
    pub query: String,
    /// Headers of the request.
    pub headers: Vec<Header>,
    /// The body as the client sent it, a JSON text.
    pub body: Option<String>,
    /// Who asks: a self-link of a user, or empty.
    pub principal: String,
    /// Why the handler is called.
    pub cause: Cause,
    /// Now, in microseconds since the Unix epoch; fixed during one call.
    pub now_micros: i64,
    /// Randomness for this call.
    pub seed: u64,
    /// The document's version before this request.
    pub version: u64,
    /// Whether a document exists already: false while it is created: in the create handler and the start handler that follows it.
    pub exists: bool,
    /// When the document expires, in microseconds since the Unix epoch; 0: never.
    pub expires_micros: i64,
}

/// The answer to an effect that had a reply tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status; 0 if nobody answered until the effect was given up.
    pub status: u16,
    /// Headers of the answer.
    pub headers: Vec<Header>,
    /// Its body, a JSON text.
    pub body: Option<String>,
    /// The link or URL that answered.
    pub from: String,
}

impl Answer {
    /// Returns true for a status of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the body as a value of `T`.
    ///
    /// # Errors
    /// A [`Fault`](crate::Fault) with status 502 if there is no body or it is no `T`: the other side broke its promise.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> crate::Result<T> {
        let unreadable = |reason: String| crate::refused(502, "answer-unreadable", format!("{}: {reason}", self.from));
        let body = self.body.as_deref().ok_or_else(|| unreadable("answered without a body".to_owned()))?;
        serde_json::from_str(body).map_err(|error| unreadable(format!("cannot read the answer: {error}")))
    }

    /// Returns what went wrong, in words: the problem's `detail` or `message`, or the status.
    pub fn problem(&self) -> String {
        let body: serde_json::Value =
            self.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        let words = ["detail", "message", "title"].iter().find_map(|field| body[*field].as_str());
        match words {
            Some(words) => format!("{} answered {}: {words}", self.from, self.status),
            None => format!("{} answered {}", self.from, self.status),
        }
    }
}
