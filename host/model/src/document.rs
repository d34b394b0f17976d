//! Documents: the versioned JSON states that steward keeps. Each value here is one version of one document.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::codec::{Format, bytes_run};
use crate::epoch::Epoch;
use crate::link::Link;
use crate::offset::Offset;
use crate::time::Timestamp;

/// Counts the updates of one document; 0 is the state at creation. `documentVersion` in REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Version(pub u64);

impl Version {
    /// Returns the version after this one.
    #[must_use]
    pub fn next(self) -> Version {
        Version(self.0 + 1)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What made a version; `documentUpdateAction` in REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UpdateAction {
    /// The document was created, or its service has a POST handler.
    Post,
    /// A PUT replaced the state.
    Put,
    /// A PATCH changed the state, or the guest changed it by itself (start, maintenance, the answer to an effect).
    Patch,
    /// The document was deleted: this version is a tombstone that keeps the last state.
    Delete,
    /// The document's time had passed: this version is a tombstone without a state, and the versions before are forgotten.
    Expire,
}

impl UpdateAction {
    /// Returns the word that clients see.
    pub fn as_str(self) -> &'static str {
        match self {
            UpdateAction::Post => "POST",
            UpdateAction::Put => "PUT",
            UpdateAction::Patch => "PATCH",
            // Clients know one way to end.
            UpdateAction::Delete | UpdateAction::Expire => "DELETE",
        }
    }
}

/// One version of one document: the guest's state and what the host knows about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Document {
    /// The path of the document; all its versions have the same.
    pub link: Link,
    /// The name of its type; `documentKind`.
    pub kind: String,
    /// Which update of the document this is.
    pub version: Version,
    /// The reign of the primary that ordered this version.
    pub epoch: Epoch,
    /// The place of this version in its partition's log.
    pub offset: Offset,
    /// When it was made. Each version has a later time than the one before, even if the clock of the node was set back.
    pub updated: Timestamp,
    /// What made this version; it also tells a tombstone from a state.
    pub action: UpdateAction,
    /// When the document expires; zero: never.
    pub expires: Timestamp,
    /// Why the service was called that made it.
    pub cause: Cause,
    /// The self-link of the user who made it, or empty. Always empty as long as requests have no users.
    pub principal: String,
    /// Where the state came from, as the client that created the document said it, or empty; `documentSourceLink`.
    pub source: String,
    /// The shape of `body`: the `stateVersion` of the module that wrote it.
    pub state_version: u32,
    /// The state: a JSON object in UTF-8 without built-in `document…` fields.
    #[serde(with = "bytes_run")]
    pub body: Bytes,
    /// What it was made of: an encoded [`Recording`](crate::recording::Recording), or empty if its node does not record. Only who
    /// runs the request again reads it.
    #[serde(with = "bytes_run")]
    pub recording: Bytes,
}

impl Format for Document {
    const NAME: &'static str = "document";
    // The second has the cause, the third the recording.
    const VERSION: u8 = 3;
    const READABLE_FROM: u8 = 3;
}

impl Document {
    /// Returns version 0 of a document of which nothing is known but its link and a time: a PATCH that left an empty state.
    pub fn bare(link: Link, updated: Timestamp) -> Document {
        Document {
            link,
            kind: String::new(),
            version: Version(0),
            epoch: Epoch::ZERO,
            offset: Offset(0),
            updated,
            action: UpdateAction::Patch,
            expires: Timestamp(0),
            cause: Cause::Client,
            principal: String::new(),
            source: String::new(),
            state_version: 0,
            body: Bytes::new(),
            recording: Bytes::new(),
        }
    }

    /// Returns true if the document has been deleted or has expired: only its versions go on.
    pub fn is_tombstone(&self) -> bool {
        matches!(self.action, UpdateAction::Delete | UpdateAction::Expire)
    }

    /// Returns true if the document has expired and this tombstone is what is left of it. Its link is free again. A
    /// document that is created there later goes on counting versions, so that no version is given twice.
    pub fn ended_by_expiry(&self) -> bool {
        self.action == UpdateAction::Expire
    }

    /// Returns true if the document has an expiry that is not after `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.has_expired(now)
    }

    /// Returns true if the document was ended by its expiry, or will be: its tombstone says so, or it is time to write one.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        if self.is_tombstone() { self.ended_by_expiry() } else { self.is_expired(now) }
    }

    /// Returns true if clients find the document at `now`: it is no tombstone, and it has no expiry or one after `now`.
    /// An expired document is not found, even before its tombstone is written.
    pub fn is_there(&self, now: Timestamp) -> bool {
        !self.is_tombstone() && !self.is_expired(now)
    }
}
