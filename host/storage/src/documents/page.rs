//! Pages: documents that come from another replica instead of from the log.

use serde::{Deserialize, Serialize};
use steward_model::update::{PendingEffect, RememberedReply};
use steward_model::{Document, Link};

use super::{Current, Error, PartitionStore, Progress};
use crate::index::IndexPlan;

/// What a synchronization brings at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// Documents that the source does not have, or whose history here is another: they go first, with all versions.
    pub removed: Vec<Link>,
    /// Newest versions, as the source has them; they replace what is here.
    pub documents: Vec<Current>,
    /// Older versions to keep besides.
    pub versions: Vec<Document>,
    /// Effects that wait to be carried out.
    pub effects: Vec<PendingEffect>,
    /// Remembered answers.
    pub replies: Vec<(Link, RememberedReply)>,
    /// How far the partition has come with this page; none: it goes on.
    pub progress: Option<Progress>,
}

impl PartitionStore {
    /// Takes a page, in one batch. Digests, counts and indexes follow.
    ///
    /// Older versions that are here stay if the document that is here is one of them; a document of the same or a higher
    /// version with another content contradicts the page, and takes them with it.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]: the page was taken as a whole or not at all.
    pub fn adopt(&self, page: &Page, index: &dyn IndexPlan) -> Result<(), Error> {
        self.change(index, |run| {
            page.removed.iter().try_for_each(|link| run.purge(link))?;
            page.documents.iter().try_for_each(|current| run.replace(current))?;
            page.versions.iter().for_each(|document| run.put_version(document));
            page.effects.iter().for_each(|effect| run.issue(effect));
            page.replies.iter().for_each(|(link, reply)| run.remember(link, reply));
            if let Some(progress) = &page.progress {
                run.set_progress(progress.clone());
            }
            Ok(())
        })
    }

    /// Removes everything of this copy of the partition. The caller has made another one visible, or wants none.
    ///
    /// # Errors
    /// [`Error::State`]; what is left goes at the next call.
    pub fn drop_generation(&self) -> Result<u64, Error> {
        let mut summary = self.summary();
        *summary = None;
        Ok(self.store.drop_prefix(&self.space.prefix())?)
    }
}
