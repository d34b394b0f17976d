//! The handlers that a guest may have, and which of them answers what.

use serde::{Deserialize, Serialize};

use crate::operation::Action;

/// A handler that a guest may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handler {
    /// Decides the first state of a child. `wit/service.wit` says what each handler gets and returns.
    HandleCreate,
    /// Runs at every start of ownership, and when another module takes over.
    HandleStart,
    /// Runs when the document is deleted or expires.
    HandleStop,
    /// Answers a GET in place of the host, which would return the state.
    HandleGet,
    /// Answers a POST to the document; without it the host refuses one.
    HandlePost,
    /// Decides on a PUT in place of the host, which would replace the state.
    HandlePut,
    /// Decides on a PATCH in place of the host, by the descriptor's `patch`.
    HandlePatch,
    /// Decides on a DELETE in place of the host, which would delete the document.
    HandleDelete,
    /// Runs once per maintenance interval for each document.
    HandleMaintenance,
    /// Is told the answers to effects that have a reply tag.
    HandleReply,
    /// Turns a state of an older shape into one of the module's own.
    Migrate,
    /// Joins two states of one document from two clusters. Accepted and never called: nothing joins clusters yet.
    Merge,
}

impl Handler {
    /// Returns the handler that decides on an action at a document, or at a service without documents.
    pub fn of(action: Action) -> Handler {
        match action {
            Action::Get => Handler::HandleGet,
            Action::Post => Handler::HandlePost,
            Action::Put => Handler::HandlePut,
            Action::Patch => Handler::HandlePatch,
            Action::Delete => Handler::HandleDelete,
        }
    }

    /// Returns the word of descriptors, which is the name of the export.
    pub fn as_str(self) -> &'static str {
        match self {
            Handler::HandleCreate => "handle-create",
            Handler::HandleStart => "handle-start",
            Handler::HandleStop => "handle-stop",
            Handler::HandleGet => "handle-get",
            Handler::HandlePost => "handle-post",
            Handler::HandlePut => "handle-put",
            Handler::HandlePatch => "handle-patch",
            Handler::HandleDelete => "handle-delete",
            Handler::HandleMaintenance => "handle-maintenance",
            Handler::HandleReply => "handle-reply",
            Handler::Migrate => "migrate",
            Handler::Merge => "merge",
        }
    }
}

impl std::fmt::Display for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
