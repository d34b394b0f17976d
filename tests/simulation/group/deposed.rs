//! Reads at an owner that was replaced and has not heard of it, and reads of copies by somebody who has seen there what never was
//! committed: what draws by chance would show too rarely.
//!
//! ```text
//!  old owner   ─ asks, appends ┤ stopped ├─ goes on, reads ──► its question, and late answers to the one before, arrive
//!  next owner                    named, and commits an update
//!  copies                        are read by who has seen the end of the old owner's log
//! ```

use std::rc::Rc;

use anyhow::Result;
use steward_model::{Lane, Link, PartitionId, Position};
use steward_protocol::replica::{Message, RoleName};

use crate::group::Group;
use crate::group::network::Flight;
use crate::group::steps::READERS;
use crate::requests::{Request, Wish, operate};
use crate::tasks::{Owner, place};

/// Rounds in which the next owner reigns and has committed something.
const ROUNDS: usize = 60;

/// Rounds in which an owner that was replaced hears of it, and cuts its log.
const ROUNDS_OF_CUT: usize = 8;

/// So often an operation is polled until its update is appended.
const POLLS: usize = 6;

impl Group {
    /// Has an owner read that was replaced while its process was stopped. What it answers is judged as every read is (I10).
    ///
    /// # Errors
    /// The statement that does not hold.
    pub(crate) fn read_when_deposed(&mut self) -> Result<()> {
        // What is in one memory alone has no other owner: the persisted lane comes first.
        let persisted = self.partitions.iter().filter(|partition| partition.lane == Lane::Persisted).count();
        let partition = self.partitions[self.random.below(persisted)];
        let Some(old) = self.primary(partition) else { return Ok(()) };
        let Some(next) = self.member_after(partition, old).filter(|_| !self.needs_everybody(partition)) else {
            return Ok(());
        };
        let Some(link) = self.clients.links().iter().find(|link| place(link) == partition).cloned() else {
            return Ok(());
        };
        // Asked while it reigned, answered when it does no more.
        self.read_at(old, link.clone());
        self.work(old);
        self.exchange(old, false);
        let answers = self.take_confirmations(old);
        let seen = self.append_in_vain(old, partition, &link);
        self.sites[old].is_paused = true;
        // Removed it does not hear of the next reign from the system group, and what it says counts no more.
        if self.random.below(3) == 0 {
            self.remove(old);
        }
        self.update_elsewhere(partition, next, &link)?;
        (0..self.sites.len()).for_each(|at| self.read_copy_at(at, link.clone(), seen));
        (0..self.sites.len()).for_each(|at| self.network.lose((at, old)));
        self.sites[old].is_paused = false;
        // It believes to reign, and everything that it reads was overtaken.
        if self.system.removed.contains(&old) {
            self.ask_in_vain(old, partition, &link);
        }
        self.read_at(old, link.clone());
        self.work(old);
        for (from, flight) in answers {
            self.network.send((from, old), flight);
        }
        self.exchange(old, true);
        self.poll_all(old);
        self.exchange(old, false);
        self.exchange(old, true);
        self.poll_all(old);
        self.settle()?;
        // Its own copy learns in time that what it had appended was never committed, unless nobody tells it any more.
        self.read_copy_at(old, link, seen);
        for _ in 0..ROUNDS_OF_CUT {
            self.flow()?;
        }
        Ok(())
    }

    /// Has an owner append an update that nobody else hears of, and returns where.
    fn append_in_vain(&mut self, at: usize, partition: PartitionId, link: &Link) -> Option<Position> {
        self.propose_at(at, link);
        for _ in 0..POLLS {
            self.poll_all(at);
        }
        (0..self.sites.len()).for_each(|to| self.network.lose((at, to)));
        self.sites[at].life.as_ref().and_then(|life| life.status(partition).end)
    }

    /// Has a node carry out an update of its own.
    fn propose_at(&mut self, at: usize, link: &Link) {
        let name = format!("at {} after {}", at + 1, self.readers);
        let request = Request { name, is_keyed: false, link: link.clone(), wish: Wish::Put(1) };
        let Some(life) = self.sites[at].awake() else { return };
        life.tasks.spawn(Owner::Host, operate(Rc::clone(&life.around), request));
    }

    /// Names another owner and has it commit an update; whoever is stopped hears of nothing.
    fn update_elsewhere(&mut self, partition: PartitionId, next: usize, link: &Link) -> Result<()> {
        self.name(partition, next);
        let mut is_sent = false;
        for _ in 0..ROUNDS {
            self.flow()?;
            let Some(life) = self.sites[next].awake() else { continue };
            if !is_sent && life.status(partition).role == RoleName::Primary {
                is_sent = true;
                self.propose_at(next, link);
            }
        }
        Ok(())
    }

    /// Delivers what a node has sent to others, or what others have sent to it.
    fn exchange(&mut self, at: usize, is_to_it: bool) {
        for other in (0..self.sites.len()).filter(|other| *other != at) {
            let link = if is_to_it { (other, at) } else { (at, other) };
            for _ in 0..self.network.len(link) {
                self.deliver(link, 0, false);
            }
            self.work(link.1);
        }
    }

    /// Takes the answers to questions of a node off the links to it; what else is on them is lost.
    fn take_confirmations(&mut self, to: usize) -> Vec<(usize, Flight)> {
        let mut taken = Vec::new();
        for from in 0..self.sites.len() {
            for _ in 0..self.network.len((from, to)) {
                let Some(flight) = self.network.take((from, to), 0, false) else { continue };
                if matches!(flight.letter.message, Message::Confirmed { .. }) {
                    taken.push((from, flight));
                }
            }
        }
        taken
    }

    /// Has a node read a document, whether it owns it or not, and looks at what it says at once.
    pub(crate) fn read_at(&mut self, at: usize, link: Link) {
        let begins = self.oracle.begins_to_read(&link, self.epoch_at(at, place(&link)));
        let number = self.readers;
        self.readers += 1;
        self.reading.insert(number, begins);
        self.begins(READERS + number, place(&link), at);
        let now = self.sites[at].now.get();
        let Some(life) = self.sites[at].awake() else { return };
        life.tasks.spawn(Owner::Client(READERS + number), super::reads::confirmed(Rc::clone(&life.around), link, now));
        let last = life.tasks.len() - 1;
        self.poll_one(at, last);
    }
}
