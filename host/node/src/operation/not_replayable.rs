//! Why the request that made a version cannot run once more.

use steward_model::module::Digest;
use steward_model::problem::{Kind, Problem};
use steward_model::recording::REQUEST_BYTES_MAX;
use steward_model::{Link, Version};

use crate::service::ModulesError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReplayable {
    /// The version does not carry the request that made it.
    #[error("version {version} of {link} was made while its node did not record requests")]
    NotRecorded { link: Link, version: Version },
    /// The request that made the version was too large to be kept with it.
    #[error(
        "the request that made version {version} of {link} has {bytes} bytes, requests are recorded up to {REQUEST_BYTES_MAX}"
    )]
    TooLarge {
        link: Link,
        version: Version,
        /// How large it was.
        bytes: u64,
    },
    /// The state is not kept that the version was made of.
    #[error("version {version} of {link} was made of the one before, which is not kept any more")]
    BeforeNotKept { link: Link, version: Version },
    /// No module of this name is installed.
    #[error("module {} is not installed", digest.short())]
    UnknownModule { digest: Digest },
    /// The module is not for documents like this one.
    #[error("module {} cannot run for {link}: {reason}", module.short())]
    OtherKind { link: Link, module: Digest, reason: String },
    /// The module is installed and not to be had.
    #[error("{0}")]
    Module(#[from] ModulesError),
}

impl NotReplayable {
    /// Returns the failure as everybody speaks of it.
    pub(super) fn problem(&self) -> Problem {
        let never = |kind, code| Problem::never(kind, code, self);
        match self {
            NotReplayable::NotRecorded { .. } => never(Kind::NotFound, "request-not-recorded").hint(
                "start the nodes with --record-requests (steward dev does): versions that are made from then on can be replayed",
            ),
            NotReplayable::TooLarge { bytes, .. } => {
                never(Kind::NotFound, "recording-too-large").with("bytes", *bytes).with("max", REQUEST_BYTES_MAX)
            }
            NotReplayable::BeforeNotKept { .. } => never(Kind::NotFound, "before-not-kept").hint(
                "replay a newer version, or keep more: versionRetention in the descriptor; an expired document forgets them all",
            ),
            NotReplayable::UnknownModule { .. } => never(Kind::NotFound, "module-unknown").hint(
                "steward modules lists what is installed; steward replay … --module FILE installs one without mounting it",
            ),
            NotReplayable::OtherKind { .. } => never(Kind::Conflict, "module-of-other-kind"),
            NotReplayable::Module(error) => error.problem(),
        }
    }
}
