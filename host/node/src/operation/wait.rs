//! What an operation waits for on its way, never longer than its deadline.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::poll;
use steward_model::problem::Happened;
use steward_model::{Epoch, Member, Position};
use steward_protocol::replica::NotAdmitted;

use super::error::Copies;
use super::{Error, Operation, Operations};
use crate::partition::{Confirmation, NotConfirmed, Partition, Turn, Wanted};
use crate::telemetry::group::{self as telemetry, Confirmed};
use crate::telemetry::queues::Queue;

/// Who serves a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// This node.
    Ours,
    /// Another one.
    Of(Member),
}

/// An operation that waits for something of a partition.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    pub operations: &'a Operations,
    pub operation: &'a Operation,
    pub partition: &'a Arc<Partition>,
}

impl Waiting<'_> {
    /// Returns how much time the operation has left.
    pub(super) fn left(self) -> Duration {
        self.operation.deadline.since(self.operations.clock.now())
    }

    /// Returns true once the operation's deadline has passed.
    pub(super) fn is_over(self) -> bool {
        self.left().is_zero()
    }

    /// Returns what `waited` for, or none at the operation's deadline.
    pub(super) async fn in_time<T>(self, waited: impl Future<Output = T>) -> Option<T> {
        self.in_time_or_within(Duration::ZERO, waited).await
    }

    /// Returns what `waited` for, or none at the operation's deadline, which is not earlier than in `least` from now.
    pub(super) async fn in_time_or_within<T>(self, least: Duration, waited: impl Future<Output = T>) -> Option<T> {
        let mut waited = pin!(waited);
        // Most of it is there already, and a timer costs more than a look.
        if let Poll::Ready(there) = poll!(waited.as_mut()) {
            return Some(there);
        }
        tokio::time::timeout(self.left().max(least), waited).await.ok()
    }

    /// Returns who serves the partition; while this node is on its way to serve it, once it does.
    ///
    /// # Errors
    /// [`Error::Unavailable`] at the operation's deadline.
    pub(super) async fn whose(self) -> Result<Whose, Error> {
        let partition = self.partition;
        if partition.admits().is_ok() {
            return Ok(Whose::Ours);
        }
        let settled = async {
            loop {
                // Registered before the look: a change between the two must not be missed.
                let changed = partition.serving().changed();
                match partition.admits() {
                    Ok(_) => return Whose::Ours,
                    Err(NotAdmitted::NotPrimary { primary }) => return Whose::Of(primary),
                    Err(NotAdmitted::Recovering | NotAdmitted::TooFewInSync { .. }) => changed.await,
                }
            }
        };
        // The watch lives as long as the partition, so waiting ends with a change or at the deadline.
        match self.in_time(settled).await {
            Some(whose) => Ok(whose),
            None => match partition.admits() {
                Ok(_) => Ok(Whose::Ours),
                Err(reason) => Err(self.unavailable(reason.to_string(), Happened::No)),
            },
        }
    }

    /// Returns if what failed may be asked of the next owner: the reign of this node ended before it could answer.
    ///
    /// # Errors
    /// The failure, if it is another one or the operation's deadline has passed.
    pub(super) async fn next_owner(self, failure: Error) -> Result<(), Error> {
        match failure {
            Error::NotConfirmed(_) if !self.is_over() => {
                // This copy knows by now that another one was named, or is about to serve again: both end with an answer.
                tokio::task::yield_now().await;
                Ok(())
            }
            failure => Err(failure),
        }
    }

    /// Returns the error of an operation on a document of another node.
    pub(super) fn elsewhere(self, primary: Member) -> Error {
        let cluster = self.operations.gate.state();
        let owner = cluster.node(primary.node);
        let name = owner.map_or_else(|| primary.node.to_string(), |node| node.host.to_string());
        Error::Elsewhere {
            link: self.operation.link.clone(),
            partition: self.partition.id(),
            owner: name,
            address: owner.map(|node| node.address.clone()).unwrap_or_default(),
            epoch: cluster.row(self.partition.id()).map(|row| row.epoch).unwrap_or_default(),
        }
    }

    /// Asks whether this node is still the one that orders updates of the partition. What is read here may be shown once that is
    /// confirmed, whether it was read before or after the question.
    pub(super) fn ask(self) -> Confirmation {
        self.partition.ask(|| self.operations.clock.now())
    }

    /// Returns once it is confirmed that what was read was the newest state of all.
    ///
    /// # Errors
    /// [`Error::NotConfirmed`] if another node may be the owner by now, [`Error::Unavailable`] at the operation's deadline.
    pub(super) async fn confirmed(self, mut asked: Confirmation) -> Result<(), Error> {
        let how = |known: &Result<(), NotConfirmed>| if known.is_ok() { Confirmed::Yes } else { Confirmed::Refused };
        if let Some(known) = asked.try_confirmed() {
            telemetry::confirmed(how(&known), None);
            return Ok(known?);
        }
        let began = self.operations.clock.now();
        let known = self.in_time(asked.confirmed()).await;
        let waited = self.operations.clock.now().since(began);
        telemetry::confirmed(known.as_ref().map_or(Confirmed::Late, how), Some(waited));
        match known {
            Some(known) => Ok(known?),
            None => {
                let reason = "no other member says whether this node still is the owner".to_owned();
                Err(self.unavailable(reason, Happened::No))
            }
        }
    }

    /// Returns the turn on the operation's document.
    ///
    /// # Errors
    /// [`Error::QueueFull`], or [`Error::Unavailable`] at the operation's deadline.
    pub(super) async fn turn(self) -> Result<Turn, Error> {
        let mut turn = pin!(self.partition.turn(&self.operation.link));
        let granted = match poll!(turn.as_mut()) {
            Poll::Ready(granted) => Some(granted),
            Poll::Pending => {
                let _queued = Queue::Document.enter();
                self.in_time(turn).await
            }
        };
        match granted {
            Some(turn) => turn.map_err(|error| Error::turn(&self.operation.link, error)),
            None => {
                let reason = "operations before this one on the same document are not done".to_owned();
                Err(self.unavailable(reason, Happened::No))
            }
        }
    }

    /// Returns once what an answer was drawn from is committed: a crash must not take back what a client has seen.
    ///
    /// # Errors
    /// [`Error::Lost`], or [`Error::Unavailable`] at the operation's deadline, which then says that the operation has `happened`.
    pub(super) async fn committed(self, appended: Option<Position>, happened: Happened) -> Result<(), Error> {
        let Some(position) = appended else { return Ok(()) };
        match self.in_time(self.partition.committed(position)).await {
            Some(committed) => Ok(committed?),
            None => {
                let reason = "an update before this request is not committed yet".to_owned();
                Err(self.unavailable(reason, happened))
            }
        }
    }

    /// Returns once as many members as the operation's client wants hold the update that the answer shows, if it wants more than
    /// a commit needs.
    ///
    /// # Errors
    /// [`Error::TooFewCopies`] at the operation's deadline, or if nobody here hears any more who holds it.
    pub(super) async fn held(self, position: Option<Position>) -> Result<(), Error> {
        let (Some(wanted), Some(position)) = (self.operation.wanted, position) else { return Ok(()) };
        let began = self.operations.clock.now();
        if let Some(Ok(())) = self.in_time(self.partition.held(position, wanted)).await {
            return Ok(());
        }
        let by = self.partition.holders(position);
        let wanted = match wanted {
            Wanted::Members(count) => count.get() as usize,
            Wanted::All => by.map_or(0, |by| by.members),
        };
        let seconds = self.operations.clock.now().since(began).as_secs();
        let held = by.map_or(0, |by| by.holders);
        Err(Error::TooFewCopies { link: self.operation.link.clone(), held, wanted, seconds })
    }

    /// Returns the reign that this node serves.
    ///
    /// # Errors
    /// [`Error::NotConfirmed`] if it serves none: the reign that the operation was let into has ended while it waited for its turn. It
    /// begins anew, and waits for the next one or goes where that is.
    pub(super) fn reign(self) -> Result<Epoch, Error> {
        self.partition.admits().map_err(|_| Error::NotConfirmed(NotConfirmed(self.partition.id())))
    }

    /// Returns the error of an operation that waited in vain.
    pub(super) fn unavailable(self, reason: String, happened: Happened) -> Error {
        let waited = self.operation.wait.span.saturating_sub(self.left());
        // Of what another node gave, a part of a second went by on the way.
        let (partition, seconds) = (self.partition.id(), (waited + Duration::from_millis(500)).as_secs());
        Error::Unavailable { partition, reason, seconds, happened, copies: Copies::of(self.partition) }
    }
}
