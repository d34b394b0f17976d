//! What must be true of a group after each step, beyond what the ledger judges. Numbers are those of the design.

use steward_model::update::{Entry, Record};
use steward_model::{Epoch, Lane, PartitionId, Position};
use steward_protocol::replica::{Member, Message, RoleName};
use steward_replication::mail::Letter;

use crate::group::Group;
use crate::group::site::Life;
use crate::group::system::site;
use crate::node::promised_on;
use crate::witness::Note;

impl Group {
    /// Takes what the processes have noted since the last time, and judges it.
    ///
    /// # Errors
    /// The statement that does not hold.
    pub(crate) fn judge_notes(&mut self) -> Result<(), String> {
        for at in 0..self.sites.len() {
            let Some(life) = &self.sites[at].life else { continue };
            let (notes, lines) = life.node.witness.take();
            if let Some(trace) = &mut self.trace {
                trace.extend(lines.into_iter().map(|line| format!("  node {}{line}", at + 1)));
            }
            for (partition, note) in notes {
                if self.partitions.contains(&partition) {
                    self.judge(at, partition, note)?;
                }
            }
        }
        match self.broken.take() {
            Some(broken) => Err(broken),
            None => self.judge_rows().and_then(|()| self.judge_memory()).and_then(|()| self.judge_copies()),
        }
    }

    fn judge(&mut self, at: usize, partition: PartitionId, note: Note) -> Result<(), String> {
        let Some(life) = &self.sites[at].life else { return Ok(()) };
        match note {
            Note::Committed { records, reign, .. } => {
                self.seen.commits += records.len();
                let forgets = |record: &&Record| matches!(record.entry, Entry::Forget { .. });
                self.seen.forgotten += records.iter().filter(forgets).count();
                let Some(last) = records.last() else { return Ok(()) };
                self.oracle.of(partition, last.position.epoch).commit(&records, reign)?;
                self.holders_are_met(partition)
            }
            Note::Activated(epoch) => {
                self.seen.reigns += 1;
                let committed = life.node.partitions.get(partition).committed_end();
                self.oracle.of(partition, epoch).activate(epoch, committed)
            }
            Note::MarkerAppended { position, promised_on_disk } if promised_on_disk < position.epoch => {
                Err(format!("i07_ node {} begins with {position}, its disk promises {promised_on_disk}", at + 1))
            }
            Note::Persisted { end, is_synced: false } => {
                Err(format!("i07_ node {} is told that {end} is on the disk, a power cut could take it back", at + 1))
            }
            Note::Copied(_) => {
                self.seen.copied += 1;
                Ok(())
            }
            Note::Truncated { after, records } => {
                self.seen.cuts += usize::from(records > 0);
                match after.map(|after| after.offset) < life.node.partitions.get(partition).applied() {
                    true => Err(format!("i09_ node {} is cut after {after:?}, below what is applied", at + 1)),
                    false => Ok(()),
                }
            }
            Note::MadeAnew { at: end } => {
                self.seen.made_anew += 1;
                self.judge_store(at, partition)?;
                let known = &self.oracle.of(partition, end.map_or(Epoch::ZERO, |end| end.epoch)).known;
                let is_committed =
                    end.is_some_and(|end| known.committed_at(end.offset).is_some_and(|record| record.position == end));
                match is_committed {
                    true => self.holders_are_met(partition),
                    false => Err(format!("i02_ node {} is made anew through {end:?}, which is not committed", at + 1)),
                }
            }
            Note::Applied { .. } => self.judge_store(at, partition),
            Note::Proposed(_)
            | Note::MarkerAppended { .. }
            | Note::Persisted { .. }
            | Note::SteppedDown { .. }
            | Note::Refused => Ok(()),
        }
    }

    fn judge_copies(&mut self) -> Result<(), String> {
        for at in 0..self.sites.len() {
            let Some(life) = &self.sites[at].life else { continue };
            for partition in &self.partitions {
                let status = life.node.partitions.get(*partition).status();
                let (committed, end) = (status.replica.committed, status.replica.end.map(|end| end.offset));
                if status.applied > status.replica.durable || status.applied > committed || committed > end {
                    return Err(format!("i09_ node {}: {}, applied {:?}", at + 1, status.replica, status.applied));
                }
                let epoch = status.replica.row.map_or(Epoch::ZERO, |row| row.epoch);
                let given = self.oracle.of(*partition, epoch).promised.entry(at).or_default();
                if status.replica.promised < *given {
                    return Err(format!("i03_ node {} promises {} after {given}", at + 1, status.replica.promised));
                }
                *given = status.replica.promised;
            }
        }
        Ok(())
    }

    /// I4 and I22: any `r` members include a holder of everything committed, and each can feed every other one.
    fn holders_are_met(&self, partition: PartitionId) -> Result<(), String> {
        let row = self.system.row(partition);
        let Some(ledger) = self.oracle.about(partition, row.epoch) else { return Ok(()) };
        let Some(last) = ledger.known.committed_end() else { return Ok(()) };
        // What a disk holds that is down is known when it starts again; until then it is not counted as lacking.
        let of_row = |member: &Member| {
            let life = self.sites[site(member.node)].life.as_ref();
            life.filter(|life| partition.lane == Lane::Persisted || life.own == *member)
        };
        let members = row.in_sync.iter().filter_map(of_row);
        let lacking = members.clone().filter(|life| !holds(life, partition, last)).count();
        if lacking >= row.recovery_quorum as usize {
            return Err(format!("i04_ {lacking} members of {row} lack {last}"));
        }
        for member in members.clone() {
            let start = member.node.partitions.get(partition).log_start();
            let lacks = members.clone().map(|other| other.status(partition).durable.map_or(0, |offset| offset.0 + 1));
            let committed = ledger.known.committed.len() as u64;
            if let Some(lacks) = lacks.map(|lacks| lacks.min(committed)).find(|lacks| start.0 > *lacks) {
                return Err(format!("i22_ the log of {} begins at {start}, a member ends before {lacks}", member.own));
            }
        }
        Ok(())
    }

    /// I7: what a member says of its disk is true of its disk. Looked at now and then, for it takes long.
    pub(crate) fn sent(&mut self, at: usize, letter: &Letter) {
        if letter.partition.lane == Lane::Volatile || self.random.below(64) > 0 {
            return;
        }
        let disk = self.sites[at].machine.disk.lasting();
        let base = self.sites[at].machine.base(letter.partition);
        let promised = promised_on(&disk, letter.partition).max(base);
        let needed = match &letter.message {
            Message::Promise { epoch, .. } | Message::Acknowledgement { epoch, .. } => *epoch,
            _ => return,
        };
        if promised < needed {
            self.broken.get_or_insert(format!(
                "i07_ node {} says {}, its disk promises {promised}",
                at + 1,
                letter.message
            ));
        }
    }

    /// Returns the node that serves a partition in the newest reign.
    pub(crate) fn primary(&self, partition: PartitionId) -> Option<usize> {
        let epoch = self.system.row(partition).epoch;
        (0..self.sites.len()).find(|at| {
            let status = self.sites[*at].life.as_ref().map(|life| life.status(partition));
            status.is_some_and(|status| {
                status.role == RoleName::Primary && status.row.is_some_and(|row| row.epoch == epoch)
            })
        })
    }
}

fn holds(life: &Life, partition: PartitionId, position: Position) -> bool {
    life.node.partitions.get(partition).holds_durably(position)
}
