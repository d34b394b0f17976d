//! The side of the node that lacks: fetching a copy, and putting it in the place of the one that is here.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use steward_model::{NodeId, PartitionId, codec};
use steward_replication::partition::{Rebuild, RebuildError};
use steward_storage::documents::{self, Head, Portion};

use super::desk::Rebuilds;
use super::parts::Tally;
use super::words::{Ask, Piece};
use crate::failure;
use crate::peer::{self, Lane, Topic};

/// How long an answer may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// How soon the state store is asked again what became of a batch.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Why a copy is not made anew this time.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Peer(#[from] peer::Error),
    #[error(transparent)]
    Partition(#[from] RebuildError),
    #[error(transparent)]
    Store(#[from] documents::Error),
    #[error(transparent)]
    Format(#[from] codec::Error),
    #[error("a part of the host that did it panicked")]
    Panicked,
}

impl Rebuilds {
    /// Has the copy of a partition made anew out of the one of another node, unless that is under way.
    pub(super) fn fetch_from(this: &Arc<Rebuilds>, node: NodeId, partition: PartitionId) {
        if !this.fetched().insert(partition) {
            return;
        }
        let (rebuilds, stop) = (Arc::clone(this), this.parts.shutdown.clone());
        this.parts.shutdown.spawn("copy made anew", async move {
            tokio::select! {
                () = stop.stopping() => return,
                () = rebuilds.fetch(node, partition) => {}
            }
            let was_last = {
                let mut fetched = rebuilds.fetched();
                fetched.remove(&partition);
                fetched.is_empty()
            };
            if was_last {
                rebuilds.tell();
                rebuilds.sweep_if_needed();
            }
        });
    }

    async fn fetch(&self, node: NodeId, partition: PartitionId) {
        // The semaphore is never closed.
        let Ok(_place) = self.places.acquire().await else { return };
        let now = self.parts.clock.now();
        self.tally(|tally| tally.began = tally.began.or(Some(now)));
        match Box::pin(self.fetch_now(node, partition)).await {
            Ok(true) => self.tally(|tally| tally.partitions += 1),
            Ok(false) => tracing::debug!(%partition, %node, "copy not made anew: it was fed meanwhile"),
            Err(Error::Partition(RebuildError::Occupied(_))) => self.sweep().await,
            Err(error) => tracing::debug!(%partition, %node, %error, "copy not made anew yet"),
        }
    }

    async fn fetch_now(&self, node: NodeId, partition: PartitionId) -> Result<bool, Error> {
        let copy = Arc::clone(self.parts.partitions.get(partition));
        let mut rebuild = self.blocking(move || copy.begin_rebuild()).await??;
        let head: Head = codec::decode(&self.ask(node, Ask::Begin(partition)).await?)?;
        loop {
            let portion = self.portion(node, partition).await?;
            let (is_last, documents, index) = (portion.is_last, portion.pages.len(), Arc::clone(&self.parts.index));
            let taking = move || (rebuild.take(&portion.pages, &*index), rebuild);
            let taken;
            (taken, rebuild) = self.blocking(taking).await?;
            taken?;
            self.tally(|tally| tally.documents += documents);
            if is_last {
                break;
            }
        }
        self.finish(rebuild, Arc::new(head)).await
    }

    async fn finish(&self, mut rebuild: Rebuild, head: Arc<Head>) -> Result<bool, Error> {
        loop {
            let (of, index, clock) = (Arc::clone(&head), Arc::clone(&self.parts.index), Arc::clone(&self.parts.clock));
            let finishing = move || (rebuild.finish(clock.now(), &of, &*index), rebuild);
            let finished;
            (finished, rebuild) = self.blocking(finishing).await?;
            match finished {
                Ok(is_new) => return Ok(is_new),
                Err(error @ documents::Error::Differs { .. }) => {
                    tracing::error!(partition = %rebuild.partition(), %error, "copy not made anew");
                    return Err(error.into());
                }
                Err(error) => {
                    tracing::warn!(partition = %rebuild.partition(), %error, "state store does not say whether it has the new copy");
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
        }
    }

    async fn portion(&self, node: NodeId, partition: PartitionId) -> Result<Portion, Error> {
        let mut bytes = BytesMut::new();
        loop {
            let piece: Piece = codec::decode(&self.ask(node, Ask::More(partition)).await?)?;
            self.tally(|tally| tally.bytes += piece.bytes.len());
            bytes.extend_from_slice(&piece.bytes);
            if piece.is_end {
                return Ok(codec::decode(&bytes)?);
            }
        }
    }

    async fn ask(&self, node: NodeId, ask: Ask) -> Result<Bytes, peer::Error> {
        self.parts.links.request(node, Lane::Bulk, Topic::Rebuilds, codec::encode(&ask), ANSWERED_WITHIN).await
    }

    /// Does work that reads or writes the disk.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        self.runtime.spawn_blocking(|| failure::contain(work)).await.map_err(|_| Error::Panicked)
    }

    fn tally(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Says what was made anew, once nothing is under way.
    fn tell(&self) {
        let mut made = Tally::default();
        self.tally(|tally| std::mem::swap(tally, &mut made));
        let Tally { began: Some(began), partitions: 1.., documents, bytes } = made else { return };
        let micros = self.parts.clock.now().since(began).as_micros() as u64;
        tracing::info!(
            partitions = made.partitions,
            documents,
            bytes,
            micros,
            "copies made anew out of those of other nodes"
        );
    }
}
