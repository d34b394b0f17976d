//! Whether a module can read what is stored, tried on some documents before it answers.
//!
//! Numbers of state versions are a promise of the author. A migration that fails on every document, or a state whose shape changed
//! under the same number, is seen only when a document is read, and then it is too late: the module answers already.
//!
//! Promise: no module answers that cannot read one of the documents tried. Those of another state version are brought through
//! `migrate`, those of the same one are held against the new schema.
//!
//! Left out: documents beyond the first [`TRIED_MAX`], and those of a start that takes longer than [`TRIED_WITHIN`] together.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use steward_model::service::Descriptor;
use steward_model::{Document, Link, json};
use steward_protocol::cluster::registry::Service;
use steward_sandbox::Module;

use super::deployments::Deployments;
use super::error::{Error, Unfit};
use crate::failure;
use crate::partition::{Partitions, flushed_lane};
use crate::service::{Reader, Schema, migrated, stripped, violations};

/// Most documents that are tried.
pub(super) const TRIED_MAX: usize = 200;

/// How long trying may take; what was not tried by then is not.
const TRIED_WITHIN: Duration = Duration::from_secs(5);

impl Deployments {
    /// Tries a module on some documents of the factory at `path`. Returns how many were tried.
    ///
    /// # Errors
    /// [`Error::Unfit`] names the first document that it cannot read; or those of the state store.
    pub(super) async fn tried(&self, path: &Link, module: &Module, descriptor: &Descriptor) -> Result<usize, Error> {
        let schema = Schema::compile(&descriptor.state_schema)?;
        let reader = Reader { path, module, descriptor, schema: schema.as_ref() };
        let documents = self.some_documents(path).await?;
        let mut tried = 0;
        let trying = async {
            for document in &documents {
                fits(reader, document).await?;
                tried += 1;
            }
            Ok(())
        };
        // What takes too long is no reason to refuse.
        let outcome: Result<(), Error> = tokio::time::timeout(TRIED_WITHIN, trying).await.unwrap_or(Ok(()));
        outcome.map(|()| tried)
    }

    async fn some_documents(&self, path: &Link) -> Result<Vec<Arc<Document>>, Error> {
        let state = self.control.state();
        let mounted = state.factory(path).and_then(|factory| factory.mounted.as_ref());
        let Some(Service::Stateful { lane }) = mounted.map(|mounted| mounted.service) else { return Ok(Vec::new()) };
        let partitions = Arc::clone(self.operations.partitions());
        flushed_lane(&partitions, lane).await.map_err(crate::operation::Error::from)?;
        let path = path.clone();
        let read = move || {
            failure::contain(|| {
                let mut found = Vec::new();
                for partition in partitions.lane(lane) {
                    read_some(&partitions, partition.id(), &path, &mut found)?;
                    if found.len() >= TRIED_MAX {
                        break;
                    }
                }
                Ok(found)
            })
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| Error::Broken)?
    }
}

fn read_some(
    partitions: &Partitions,
    id: steward_model::PartitionId,
    path: &Link,
    found: &mut Vec<Arc<Document>>,
) -> Result<(), Error> {
    let partition = partitions.get(id);
    let view = partition.store().view()?;
    for document in partition.store().documents(&*view, path, None) {
        let document = document?;
        if !document.is_tombstone() && document.link.parent().as_ref() == Some(path) {
            found.push(Arc::new(document));
        }
        if found.len() >= TRIED_MAX {
            break;
        }
    }
    Ok(())
}

async fn fits(reader: Reader<'_>, document: &Arc<Document>) -> Result<(), Error> {
    let refused = |reason: String| {
        let (link, stored) = (document.link.clone(), document.state_version);
        Error::Unfit(Box::new(Unfit { link, stored, own: reader.descriptor.state_version, reason }))
    };
    if document.state_version != reader.descriptor.state_version {
        return migrated(reader, document).await.map(|_| ()).map_err(|unreadable| refused(unreadable.to_string()));
    }
    let Ok(Value::Object(state)) = json::plain(&document.body) else { return Ok(()) };
    let violations = violations(reader.schema, &Value::Object(stripped(state)), document.body.len());
    match violations.first() {
        Some(first) => Err(refused(format!("{} {}", first.pointer, first.detail))),
        None => Ok(()),
    }
}
