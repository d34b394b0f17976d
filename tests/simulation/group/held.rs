//! Answers that wait until more members hold what they show than a commit needs, as production holds them back.
//!
//! The statement `held_`: when such an answer is given, as many members as were wanted hold the record where a power cut leaves it;
//! and none is given up that the primary could have given.

use std::fmt::{Display, Formatter};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use steward_model::{Lane, PartitionId, Position};
use steward_protocol::replica::Holders;
use steward_replication::partition::Wanted;

use crate::group::Group;
use crate::group::system::site;
use crate::requests::{self, Answer, Request};
use crate::tasks::{Around, Done, in_time, place};

/// How long an answer is held back.
const PATIENCE: Duration = Duration::from_millis(500);

/// How an answer that was held back came to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// What the answer shows.
    pub(crate) position: Position,
    pub(crate) wanted: Wanted,
    /// The version of the row that the primary knew when it began to wait.
    pub(crate) since: u64,
    pub(crate) outcome: Outcome,
}

/// What became of an answer that was held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was given.
    Given,
    /// Too few are known to hold it.
    TooFew,
    /// Enough are known to hold it, and nobody told.
    Overlooked,
}

impl Display for Told {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Told { position, wanted, outcome, .. } = self;
        write!(f, "{wanted:?} to hold {position}: {outcome:?}")
    }
}

/// Carries out a request, and holds its answer back.
pub(crate) async fn operate(around: Rc<Around>, request: Request, wanted: Wanted) -> Done {
    let answer = match requests::answer(&around, &request).await {
        Ok(answer) | Err(answer) => answer,
    };
    let position = match &answer {
        Answer::Done(position) => *position,
        // Who asks again may want more members to hold it than before.
        Answer::Repeated(reply) => reply.at,
        Answer::Nothing | Answer::NotNow(_) | Answer::Unknown => return Done::Operated(request, answer),
    };
    let (partition, until) = (around.of(&request.link), around.now.get().plus(PATIENCE));
    let since = partition.status().replica.row.map_or(0, |row| row.version);
    let outcome = match in_time(&around, until, partition.held(position, wanted)).await {
        Some(Ok(())) => Outcome::Given,
        Some(Err(_)) => Outcome::TooFew,
        None if partition.holders(position).is_some_and(|by| is_met(wanted, by)) => Outcome::Overlooked,
        None => Outcome::TooFew,
    };
    Done::Held { request, answer, told: Told { position, wanted, since, outcome } }
}

fn is_met(wanted: Wanted, by: Holders) -> bool {
    by.holders >= count(wanted, by.members)
}

/// Returns how many are wanted of so many.
fn count(wanted: Wanted, members: usize) -> usize {
    match wanted {
        Wanted::Members(count) => count.get() as usize,
        Wanted::All => members,
    }
}

impl Group {
    /// Returns how many members a client wants to hold its update, if it wants more than a commit needs.
    pub(crate) fn wanted(&mut self) -> Option<Wanted> {
        match self.random.below(12) {
            0 => Some(Wanted::All),
            1 | 2 => NonZeroU32::new(1 + self.random.below(self.sites.len()) as u32).map(Wanted::Members),
            _ => None,
        }
    }

    /// Takes an answer that was held back.
    pub(crate) fn held(&mut self, (at, client): (usize, usize), request: Request, answer: Answer, told: Told) {
        match told.outcome {
            Outcome::Given => {
                self.seen.held += 1;
                let judged = self.judge_held(place(&request.link), told);
                self.broken = self.broken.take().or(judged.err());
                self.operated(at, client, request, answer);
            }
            Outcome::TooFew => self.clients.unanswered(client, true),
            Outcome::Overlooked => {
                self.broken.get_or_insert(format!("held_ {request:?}: {told}"));
            }
        }
    }

    fn judge_held(&mut self, partition: PartitionId, told: Told) -> Result<(), String> {
        // Disks are looked at now and then, for it takes long, and where nobody can be asked.
        let looks = self.random.below(8) == 0;
        let is_on_disks = partition.lane == Lane::Persisted;
        let holds = |at: &usize| match &self.sites[*at].life {
            Some(life) if !looks || !is_on_disks => life.node.partitions.get(partition).holds_durably(told.position),
            Some(_) | None => is_on_disks && self.sites[*at].machine.holds(partition, told.position),
        };
        let holding: Vec<usize> = (0..self.sites.len()).filter(holds).collect();
        // Which row the primary knew at that moment is not known; one between that and now it was.
        let is_met = self.system.in_sync_since(partition, told.since).any(|members| {
            let holders = members.iter().filter(|member| holding.contains(&site(member.node))).count();
            is_met(told.wanted, Holders { holders, members: members.len() })
        });
        let holding: Vec<usize> = holding.iter().map(|at| at + 1).collect();
        match is_met {
            true => Ok(()),
            false => Err(format!("held_ {told}, nodes {holding:?} hold it: {}", self.system.row(partition))),
        }
    }
}
