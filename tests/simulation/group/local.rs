//! Reads that a copy answers by itself, as production does them: how far it has come, and then its state.
//!
//! The statement `copies_`: what is shown is committed, holds everything through the position that the answer names, and the record
//! that the reader has seen is among that; a refusal says what is the case; and whoever waits is told.

use std::fmt::{Display, Formatter};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use steward_model::{Document, Epoch, Link, PartitionId, Position};
use steward_replication::partition::Standing;

use crate::group::Group;
use crate::group::oracle::{Oracle, Through};
use crate::tasks::{Around, Done, Owner, either, in_time, pause, place};

/// How long a reader waits for a copy that is behind.
const PATIENCE: Duration = Duration::from_millis(500);

/// Ends of logs that are remembered: somebody may have seen them, and perhaps they are cut.
const ENDS_MAX: usize = 24;

/// What a reader of a copy is shown, or told instead.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    /// The document, by a copy that shows everything through this position.
    Through(Position, Option<Arc<Document>>),
    /// The copy has committed another record where the reader has seen one.
    Elsewhere,
    /// It did not come as far in time; or it did, and the reader was not told.
    Behind { is_overlooked: bool },
    /// It counts for nothing: another one answers.
    Uncounted,
    /// The store cannot be read.
    Unread,
}

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Shown::Through(position, Some(document)) => {
                write!(f, "version {} of {}@{}", document.version.0, document.epoch, document.offset)?;
                write!(f, ", shown through {position}")
            }
            Shown::Through(position, None) => write!(f, "nothing, shown through {position}"),
            Shown::Elsewhere => f.write_str("another record is committed there"),
            Shown::Behind { is_overlooked } => write!(f, "not so far, overlooked: {is_overlooked}"),
            Shown::Uncounted => f.write_str("this copy does not count"),
            Shown::Unread => f.write_str("the store cannot be read"),
        }
    }
}

/// Reads a document of this node's copy, once that shows what the reader has seen.
pub(crate) async fn read(around: Rc<Around>, link: Link, seen: Option<Position>) -> Done {
    let shown = look(&around, &link, seen).await;
    Done::Shown { link, seen, shown }
}

async fn look(around: &Around, link: &Link, seen: Option<Position>) -> Shown {
    let (partition, until) = (around.of(link), around.now.get().plus(PATIENCE));
    loop {
        let changed = partition.serving().changed();
        let behind = match partition.standing(seen) {
            Standing::Shows(position) => {
                // Anything may come between: the copy is not held while it is read.
                pause().await;
                return partition.read(link).map_or(Shown::Unread, |document| Shown::Through(position, document));
            }
            Standing::Elsewhere => return Shown::Elsewhere,
            Standing::Uncounted => return Shown::Uncounted,
            Standing::Behind(behind) => behind,
        };
        if in_time(around, until, either(behind.passed(), changed)).await.is_none() {
            let is_overlooked = !matches!(partition.standing(seen), Standing::Behind(_));
            return Shown::Behind { is_overlooked };
        }
    }
}

impl Group {
    /// Has any node read a document of its own copy.
    pub(crate) fn read_copy(&mut self) {
        let link = self.clients.link(&mut self.random);
        let at = self.random.below(self.sites.len());
        let seen = self.seen_somewhere(place(&link));
        self.read_copy_at(at, link, seen);
    }

    /// Has a node read a document of its own copy, for a reader who has seen a record of its log, or none.
    pub(crate) fn read_copy_at(&mut self, at: usize, link: Link, seen: Option<Position>) {
        let Some(life) = self.sites[at].awake() else { return };
        life.tasks.spawn(Owner::Reader, read(Rc::clone(&life.around), link, seen));
        let last = life.tasks.len() - 1;
        self.poll_one(at, last);
    }

    /// Returns what a reader may have seen elsewhere: something committed, or the end of a log, committed or not, now or before.
    fn seen_somewhere(&mut self, partition: PartitionId) -> Option<Position> {
        let newest = self.oracle.about(partition, self.system.row(partition).epoch);
        let committed = newest.map_or(&[][..], |ledger| &ledger.known.committed[..]);
        let last = committed.last().map(|record| record.position);
        match self.random.below(6) {
            0 => None,
            1 => last,
            2 => {
                let back = 1 + self.random.below(6);
                committed.get(committed.len().saturating_sub(back)).map(|record| record.position)
            }
            3 | 4 => {
                let at = self.random.below(self.sites.len());
                let end = self.sites[at].life.as_ref().and_then(|life| life.status(partition).end);
                self.ends.extend(end.map(|end| (partition, end)));
                let old = self.ends.len().saturating_sub(ENDS_MAX);
                self.ends.drain(..old);
                end
            }
            _ => {
                let known: Vec<Position> =
                    self.ends.iter().filter(|(of, _)| *of == partition).map(|(_, end)| *end).collect();
                (!known.is_empty()).then(|| known[self.random.below(known.len())])
            }
        }
    }

    /// Judges what a reader of a copy was shown, or told.
    pub(crate) fn copy_shown(&mut self, at: usize, link: &Link, seen: Option<Position>, shown: &Shown) {
        match shown {
            Shown::Through(..) => self.seen.copy_reads += 1,
            Shown::Elsewhere => self.seen.never_committed += 1,
            Shown::Behind { .. } | Shown::Uncounted | Shown::Unread => {}
        }
        let judged = self.oracle.judge_copy(link, self.epoch_at(at, place(link)), seen, shown);
        let judged = judged.map_err(|broken| format!("{broken}, by node {}", at + 1));
        self.broken = self.broken.take().or(judged.err());
    }
}

impl Oracle {
    /// Judges what a copy has shown that knows of `epoch`.
    fn judge_copy(&self, link: &Link, epoch: Epoch, seen: Option<Position>, shown: &Shown) -> Result<(), String> {
        let ledger = self.about(place(link), epoch);
        let at = |offset| ledger.and_then(|ledger| ledger.known.committed_at(offset));
        let is_committed = |position: Position| at(position.offset).is_some_and(|record| record.position == position);
        match shown {
            Shown::Through(through, found) => {
                if !is_committed(*through) {
                    return Err(format!("copies_ {link} is shown through {through}, which is not committed"));
                }
                if seen.is_some_and(|seen| seen.offset > through.offset || !is_committed(seen)) {
                    return Err(format!("copies_ {link} is shown through {through}, {seen:?} was seen before"));
                }
                let through = Through { epoch: through.epoch, records: through.offset.0 as usize + 1 };
                self.judge_state(link, found.as_deref(), through, "copies_")
            }
            Shown::Elsewhere => match seen.filter(|seen| at(seen.offset).is_some() && !is_committed(*seen)) {
                Some(_) => Ok(()),
                None => Err(format!("copies_ {link}: {seen:?} is called never committed")),
            },
            Shown::Behind { is_overlooked: true } => {
                Err(format!("copies_ {link}: who has seen {seen:?} was not told that the copy has come as far"))
            }
            Shown::Behind { is_overlooked: false } | Shown::Uncounted | Shown::Unread => Ok(()),
        }
    }
}
