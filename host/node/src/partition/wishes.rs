//! What copies want of the system group: a change of their rows, another primary, or the word that a reign goes on.
//!
//! Whatever is not decided a copy wants again, so nothing here is tried twice. One change is under way at a time, and what is
//! wanted meanwhile goes into the next: a node that joins changes hundreds of rows, and they make a few entries of the system log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_model::{Epoch, Moment, PartitionId};
use steward_protocol::cluster::command::{Alteration, Move};
use steward_protocol::cluster::{Applied, Command};
use steward_protocol::replica::Event;
use steward_replication::Partitions;
use steward_replication::mail::Request;
use tokio::sync::Notify;

use super::hands::Hands;
use super::rebuilds::Rebuilds;
use crate::clock::Clock;
use crate::cluster::ControlLog;
use crate::shutdown::Shutdown;

/// Rows that one command changes, at most: an entry of the system log must not grow without bound.
const ROWS_MAX: usize = 512;

/// How long changes of in-sync sets are gathered: a node that joins changes all of them within moments, and each command costs every
/// node a look at the whole table.
const GATHER: Duration = Duration::from_millis(25);

/// Carries the wishes of copies to the system group, until the host stops.
pub(crate) fn carry_wishes(
    partitions: &Arc<Partitions>,
    hands: &Arc<Hands>,
    control: &Arc<dyn ControlLog>,
    clock: &Arc<Clock>,
    rebuilds: Option<Arc<Rebuilds>>,
    shutdown: &Shutdown,
) {
    let asking = Arc::new(Asking {
        partitions: Arc::clone(partitions),
        control: Arc::clone(control),
        clock: Arc::clone(clock),
        rebuilds,
        changes: Mutex::default(),
        changes_left: Notify::new(),
    });
    let (hands, stop, sorter) = (Arc::clone(hands), shutdown.clone(), Arc::clone(&asking));
    shutdown.spawn("wishes", async move {
        loop {
            tokio::select! {
                () = stop.stopping() => return,
                () = hands.wishes_left() => {}
            }
            sorter.sort(sorter.partitions.shared().mail.take_requests(), &stop);
        }
    });
    let stop = shutdown.clone();
    shutdown.spawn("changes of rows", async move {
        tokio::select! {
            () = stop.stopping() => {}
            () = asking.change_rows() => {}
        }
    });
}

/// What rows are to become; of several wishes of one partition the last.
#[derive(Default)]
struct Changes {
    alterations: BTreeMap<PartitionId, Alteration>,
    moves: BTreeMap<PartitionId, Move>,
}

struct Asking {
    partitions: Arc<Partitions>,
    control: Arc<dyn ControlLog>,
    clock: Arc<Clock>,
    /// None on a node without others.
    rebuilds: Option<Arc<Rebuilds>>,
    changes: Mutex<Changes>,
    changes_left: Notify,
}

impl Asking {
    fn changes(&self) -> MutexGuard<'_, Changes> {
        // Each change is one call of a map, which leaves it whole.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves changes for the one who proposes them, and begins to ask for everything else: a question whether a reign goes on must
    /// not wait for a change.
    fn sort(self: &Arc<Self>, requests: Vec<Request>, shutdown: &Shutdown) {
        let mut rows = Vec::new();
        for request in requests {
            match request {
                Request::Alter(alteration) => {
                    self.changes().alterations.insert(alteration.partition, alteration);
                }
                Request::MovePrimary { partition, epoch, to } => {
                    self.changes().moves.insert(partition, Move { partition, epoch, to: to.node });
                }
                Request::ConfirmRow { partition, epoch, through } => rows.push((partition, epoch, through)),
                Request::Rebuild { partition, member } => {
                    tracing::debug!(%partition, %member, "a copy lacks more than the log has");
                    if let Some(rebuilds) = &self.rebuilds {
                        rebuilds.offer(partition, member);
                    }
                }
            }
        }
        self.changes_left.notify_one();
        if !rows.is_empty() {
            let asking = Arc::clone(self);
            shutdown.run(async move { asking.confirm_rows(&rows).await });
        }
    }

    /// Proposes changes, one command at a time: what is wanted while one is decided goes into the next.
    async fn change_rows(&self) {
        loop {
            self.changes_left.notified().await;
            // A partition that is handed over admits nothing meanwhile; a set can wait for others that change with it.
            if self.changes().moves.is_empty() {
                tokio::time::sleep(GATHER).await;
            }
            let Changes { alterations, moves } = std::mem::take(&mut *self.changes());
            let alterations: Vec<Alteration> = alterations.into_values().collect();
            for some in alterations.chunks(ROWS_MAX) {
                self.alter(some).await;
            }
            let moves: Vec<Move> = moves.into_values().collect();
            for some in moves.chunks(ROWS_MAX) {
                self.hand_over(some).await;
            }
        }
    }

    async fn alter(&self, alterations: &[Alteration]) {
        let began = self.clock.now();
        match self.control.propose(Command::AlterInSync(alterations.to_vec())).await {
            Ok(Applied::Altered(outcomes)) => {
                tracing::debug!(rows = outcomes.len(), micros = self.micros_since(began), "in-sync sets changed");
                for (Alteration { partition, version, .. }, outcome) in alterations.iter().zip(outcomes) {
                    if let Err(refused) = outcome {
                        tracing::debug!(%partition, %refused, "change of the in-sync set refused");
                        let event = Event::AlterationRefused { version: *version };
                        self.partitions.tell(self.clock.now(), *partition, event);
                    }
                }
            }
            Ok(other) => {
                tracing::error!(%other, "the system group answers a change of in-sync sets with something else")
            }
            Err(error) => tracing::debug!(%error, rows = alterations.len(), "in-sync sets not changed yet"),
        }
    }

    fn micros_since(&self, began: Moment) -> u64 {
        u64::try_from(self.clock.now().since(began).as_micros()).unwrap_or(u64::MAX)
    }

    async fn hand_over(&self, moves: &[Move]) {
        let began = self.clock.now();
        match self.control.propose(Command::MovePrimaries(moves.to_vec())).await {
            Ok(Applied::Altered(outcomes)) => {
                tracing::debug!(
                    partitions = outcomes.len(),
                    micros = self.micros_since(began),
                    "partitions handed over"
                );
                for (wanted, outcome) in moves.iter().zip(outcomes) {
                    if let Err(refused) = outcome {
                        tracing::debug!(%wanted, %refused, "partition not handed over");
                    }
                }
            }
            Ok(other) => tracing::error!(%other, "the system group answers a hand-over with something else"),
            Err(error) => tracing::debug!(%error, partitions = moves.len(), "partitions not handed over"),
        }
    }

    /// Asks by one linearizable read whether these reigns go on.
    async fn confirm_rows(&self, rows: &[(PartitionId, Epoch, u64)]) {
        let Ok(state) = self.control.newest().await else { return };
        for (partition, epoch, through) in rows {
            if state.row(*partition).is_some_and(|row| row.epoch == *epoch) {
                let event = Event::RowConfirmed { epoch: *epoch, through: *through };
                self.partitions.tell(self.clock.now(), *partition, event);
            }
        }
    }
}
