//! The border between texts and types: what a component exports, in Rust's words.

use crate::effect::Outcome;
use crate::fault::{Fault, Result, refused};
use crate::request::{Answer, Request};

/// A handler that takes the state and the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Handler {
    /// Once, on the request that creates the document; the state is the body.
    Create,
    /// After create, and whenever a node takes ownership.
    Start,
    /// When the document is deleted or expires.
    Stop,
    /// GET.
    Get,
    /// POST to the document.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
    /// At the maintenance interval.
    Maintenance,
}

impl Handler {
    /// Returns the name that descriptors use, `handle-patch`.
    pub fn name(self) -> &'static str {
        match self {
            Handler::Create => "handle-create",
            Handler::Start => "handle-start",
            Handler::Stop => "handle-stop",
            Handler::Get => "handle-get",
            Handler::Post => "handle-post",
            Handler::Put => "handle-put",
            Handler::Patch => "handle-patch",
            Handler::Delete => "handle-delete",
            Handler::Maintenance => "handle-maintenance",
        }
    }
}

/// What a component exports. States, bodies and replies are JSON texts.
///
/// The macro `service` implements it; by hand it is needed only for what types cannot say.
pub trait Guest: 'static {
    /// Returns the descriptor.
    fn describe() -> String;

    /// Runs one handler.
    ///
    /// # Errors
    /// The fault with which the service refuses.
    fn handle(handler: Handler, document: String, request: Request) -> Result<Outcome>;

    /// Takes the answer to an effect.
    ///
    /// # Errors
    /// The fault with which the service refuses; the state stays as it is.
    fn handle_reply(document: String, tag: String, answer: Answer, request: Request) -> Result<Outcome> {
        let _ = (document, answer, request);
        Err(missing("handle-reply", &format!("the tag {tag:?}")))
    }

    /// Returns the state in the shape of this module's own state version.
    ///
    /// # Errors
    /// A fault if the module does not read that version, or the state does not fit it.
    fn migrate(document: String, from_version: u32) -> Result<String> {
        let _ = document;
        Err(missing("migrate", &format!("state version {from_version}")))
    }

    /// Returns one state out of two that were written independently.
    ///
    /// # Errors
    /// A fault if they cannot be joined.
    fn merge(ours: String, theirs: String) -> Result<String> {
        let _ = (ours, theirs);
        Err(missing("merge", "two states"))
    }
}

/// Refuses a call that the descriptor did not invite.
pub(crate) fn missing(handler: &str, subject: &str) -> Fault {
    refused(501, "handler-missing", format!("this service has no {handler} for {subject}"))
}
