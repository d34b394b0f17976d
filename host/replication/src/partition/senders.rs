//! Whose effects are meant.

use serde::{Deserialize, Serialize};
use steward_model::Link;

/// Who has something to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Senders {
    /// One document.
    Document(Link),
    /// All documents of a factory.
    Factory(Link),
}

impl Senders {
    /// Returns the link of the document or the factory.
    pub fn link(&self) -> &Link {
        match self {
            Senders::Document(link) | Senders::Factory(link) => link,
        }
    }

    /// Returns true if the document is one of them.
    pub fn include(&self, document: &Link) -> bool {
        match self {
            Senders::Document(link) => document == link,
            Senders::Factory(factory) => document.parent().as_ref() == Some(factory),
        }
    }
}
