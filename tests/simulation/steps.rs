//! The steps of a world: what can happen next, and how likely it is.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use steward_model::PartitionId;

use crate::facts::Fact;
use crate::random::Random;
use crate::requests::{Answer, Request, Wish, operate, read, wait};
use crate::tasks::{Done, Owner, place};
use crate::world::{Plan, World};

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A client sends what it wants next, or again.
    Send,
    /// A task goes on.
    Poll,
    /// A client gives up waiting.
    GiveUp,
    /// Somebody reads a document.
    Read,
    /// Somebody waits for the commit of what was proposed once.
    Wait,
    /// The log's writer writes a group.
    Write,
    /// The driver takes a group that is on the disk.
    TakeGroup,
    /// A partition takes one message.
    TakeMessage,
    /// The driver hands the log again what it had no room for.
    Retry,
    /// The applier applies everything.
    Apply,
    /// The applier applies what one partition has.
    ApplyOne,
    /// The driver makes the stores durable and says so in the log.
    Checkpoint,
    /// The driver lets go of the log below a durable checkpoint.
    Trim,
    /// Somebody asks which effects a new reign has pending, and waits for the store.
    AskForOutbox,
    /// Those whose store has caught up are told.
    LoadOutbox,
    /// The courier claims documents with effects.
    Claim,
    /// Expired documents are removed.
    Sweep,
    /// What is old is forgotten.
    Forget,
    /// The table names this node for a new reign.
    Name,
    /// The table names the peer.
    NamePeer,
    /// The row changes without a new reign.
    Touch,
    /// The in-sync set becomes too small, or whole again.
    Shrink,
    /// The node hears of the newest row.
    Tell,
    /// The peer promises.
    Promise,
    /// The peer copies, and says so.
    Copy,
    /// Something that the peer said arrives.
    Deliver,
    /// The peer begins its reign, or orders something in it.
    Order,
    /// The peer commits what it has ordered.
    Decree,
    /// The peer sends what it has, and this node's log is cut where that goes on otherwise.
    Cut,
    /// Another module is deployed, or the one before: other fields are indexed.
    Deploy,
    /// Hours pass, or the time of day is set forward by so many, or back.
    SetClock,
    /// All that goes by itself goes on for a while, undisturbed.
    Flow,
    /// Something happens to the disk or the store.
    Fault,
    /// The faults that last are over.
    Heal,
    /// The power fails.
    Crash,
    /// The power fails between a write and its sync.
    CrashDuringSync,
    /// The node is stopped in order.
    Stop,
}

/// How often each step is taken while there are faults, before a world makes its own choice.
pub(crate) const STEPS: [(usize, Step); 37] = [
    (30, Step::Send),
    (60, Step::Poll),
    (2, Step::GiveUp),
    (10, Step::Read),
    (4, Step::Wait),
    (25, Step::Write),
    (25, Step::TakeGroup),
    (15, Step::TakeMessage),
    (4, Step::Retry),
    (8, Step::Apply),
    (8, Step::ApplyOne),
    (5, Step::Checkpoint),
    (8, Step::Trim),
    (8, Step::AskForOutbox),
    (12, Step::LoadOutbox),
    (15, Step::Claim),
    (5, Step::Sweep),
    (3, Step::Forget),
    (3, Step::Name),
    (2, Step::NamePeer),
    (1, Step::Touch),
    (1, Step::Shrink),
    (10, Step::Tell),
    (10, Step::Promise),
    (25, Step::Copy),
    (25, Step::Deliver),
    (6, Step::Order),
    (3, Step::Decree),
    (8, Step::Cut),
    (1, Step::Deploy),
    (1, Step::SetClock),
    (10, Step::Flow),
    (5, Step::Fault),
    (8, Step::Heal),
    (1, Step::Crash),
    (1, Step::CrashDuringSync),
    (1, Step::Stop),
];

impl Step {
    /// Returns by how much a world takes the step more often than others: no two worlds are alike, and what is rare in one is
    /// frequent in another, or does not happen at all.
    pub(crate) fn scale(self, random: &mut Random) -> usize {
        let is_frequent = matches!(self, Step::Send | Step::Poll | Step::Write | Step::TakeGroup | Step::TakeMessage)
            || matches!(self, Step::Tell | Step::Deliver | Step::Copy | Step::Promise);
        let is_end = matches!(self, Step::Crash | Step::CrashDuringSync | Step::Stop);
        match (is_frequent, is_end) {
            (true, _) => 1 + random.below(3),
            (false, true) => random.below(2),
            (false, false) => random.below(3),
        }
    }
}

impl World {
    /// Returns a partition with which the step is more likely to do something.
    fn better(&mut self, step: Step, partition: PartitionId) -> PartitionId {
        if step == Step::Name {
            let elsewhere = self.partitions.iter().find(|id| !self.table.names_this_node(**id));
            return elsewhere.copied().filter(|_| self.random.below(4) > 0).unwrap_or(partition);
        }
        let is_of_peer = matches!(step, Step::Promise | Step::Copy | Step::Deliver | Step::Order | Step::Decree)
            || matches!(step, Step::Cut | Step::NamePeer);
        if !is_of_peer || self.peers.is_empty() {
            return partition;
        }
        let index = self.random.below(self.peers.len());
        self.peers.keys().nth(index).copied().unwrap_or(partition)
    }

    /// Takes a step.
    ///
    /// # Errors
    /// If the node does not start again.
    pub(crate) fn take(&mut self, step: Step) -> Result<()> {
        self.now.set(self.now.get().plus(Duration::from_micros(1 + self.random.below(10_000) as u64)));
        self.wall.set(self.wall.get().plus(Duration::from_micros(1 + self.random.below(10_000) as u64)));
        self.latest = self.latest.max(self.wall.get());
        let partition = self.partitions[self.random.below(self.partitions.len())];
        let partition = self.better(step, partition);
        self.say(|| format!("{step} ({partition})"));
        match step {
            Step::Crash => return self.crash(false),
            Step::CrashDuringSync => {
                // Something must be on its way to the disk.
                for _ in 0..3 {
                    self.send(false);
                    self.poll();
                    self.poll();
                }
                return self.crash(true);
            }
            Step::Stop => return self.stop(),
            Step::Send => self.send(false),
            Step::Poll => self.poll(),
            Step::GiveUp => self.give_up(),
            Step::Read => self.read(),
            Step::Wait => self.wait(),
            Step::Sweep => self.sweep(partition),
            Step::Forget => self.forget(),
            Step::Deploy => self.index = Plan { kind_only: !self.index.kind_only, has_changed: true },
            Step::SetClock => self.set_clock(),
            Step::Fault => self.fault(),
            Step::Heal => self.heal(),
            Step::Flow => self.flow(),
            Step::Write => drop(self.node.write()),
            Step::TakeGroup => drop(self.node.partitions.step_group(self.now.get())),
            Step::TakeMessage => self.take_message(),
            Step::Retry => self.node.partitions.retry_outgoing(self.now.get()),
            Step::Apply => {
                self.node.partitions.apply(&self.index, || ());
                self.look_at_times(partition);
            }
            Step::ApplyOne => {
                self.node.partitions.apply_one(partition, &self.index);
                self.look_at_times(partition);
            }
            Step::Checkpoint => self.checkpoint(),
            Step::Trim => self.trim(),
            Step::AskForOutbox => self.ask_for_outbox(partition),
            Step::LoadOutbox => self.load_outboxes(),
            Step::Claim => self.claim(partition),
            Step::Name => self.name(partition),
            Step::NamePeer => self.reign_elsewhere(partition),
            Step::Touch => self.table.touch(partition),
            Step::Shrink => self.shrink(partition),
            Step::Tell => self.tell(partition),
            Step::Promise => self.promise(partition),
            Step::Copy => self.copy(partition),
            Step::Deliver => self.deliver(partition),
            Step::Order => self.order(partition),
            Step::Decree => self.decree(partition),
            Step::Cut => self.cut(partition),
        }
        Ok(())
    }

    /// Has a client send something.
    pub(crate) fn send(&mut self, is_last: bool) {
        if let Some((client, request)) = self.clients.next(&mut self.random, is_last) {
            self.spawn(client, request);
        }
    }

    pub(crate) fn spawn(&mut self, client: usize, request: Request) {
        self.say(|| format!("  client {client} sends {request}"));
        self.tasks.spawn(Owner::Client(client), operate(Rc::clone(&self.around), request));
    }

    /// Lets a few tasks go on.
    pub(crate) fn poll(&mut self) {
        for _ in 0..1 + self.random.below(4) {
            if self.tasks.len() > 0 {
                let index = self.random.below(self.tasks.len());
                self.poll_one(index);
            }
        }
    }

    /// Polls a task; returns true if it has ended.
    pub(crate) fn poll_one(&mut self, index: usize) -> bool {
        let Some((owner, done)) = self.tasks.poll(index) else { return false };
        self.say(|| format!("  {owner}: {done}"));
        match done {
            Done::Operated(request, answer) => self.operated(&owner, request, answer),
            Done::Carried => self.seen.effects_carried += 1,
            Done::Read { link, epoch, document } => {
                let partition = place(&link);
                self.facts.push(Fact::Read { link, partition, epoch, document });
            }
            Done::Awaited { partition, position, is_committed: true } => {
                self.facts.push(Fact::Awaited { partition, position });
            }
            Done::Awaited { .. } | Done::Shown { .. } | Done::Held { .. } | Done::Unread => {}
        }
        true
    }

    fn operated(&mut self, owner: &Owner, request: Request, answer: Answer) {
        let partition = place(&request.link);
        self.seen.expired += usize::from(request.wish == Wish::Expire && matches!(answer, Answer::Done(_)));
        let is_unknown = answer == Answer::Unknown;
        self.seen.unknown_outcomes += usize::from(is_unknown);
        let position = match answer {
            Answer::Done(position) => {
                self.facts.push(Fact::Acknowledged { partition, position, request });
                Some(position)
            }
            Answer::Repeated(reply) => {
                let position = reply.at;
                self.facts.push(Fact::Repeated { partition, request, reply });
                Some(position)
            }
            Answer::Nothing => None,
            Answer::NotNow(_) | Answer::Unknown => {
                if let Owner::Client(client) = owner {
                    self.clients.unanswered(*client, is_unknown);
                }
                return;
            }
        };
        if let Owner::Client(client) = owner {
            self.clients.answered(*client, position, &mut self.random);
        }
    }

    fn give_up(&mut self) {
        if self.tasks.len() > 0 {
            let index = self.random.below(self.tasks.len());
            if let Owner::Client(client) = *self.tasks.owner(index) {
                self.tasks.give_up(index);
                self.clients.unanswered(client, true);
            }
        }
    }

    fn read(&mut self) {
        let link = self.clients.link(&mut self.random);
        self.tasks.spawn(Owner::Reader, read(Rc::clone(&self.around), link));
        // At once: what it must see is what was acknowledged before.
        self.poll_one(self.tasks.len() - 1);
    }

    fn wait(&mut self) {
        if let Some((partition, position)) = self.proposed.get(self.random.below(self.proposed.len().max(1))).copied() {
            self.tasks.spawn(Owner::Reader, wait(Rc::clone(&self.around), partition, position));
        }
    }

    fn sweep(&mut self, partition: PartitionId) {
        let now = self.wall.get();
        let copy = self.node.partitions.get(partition);
        let expired = copy.admits().ok().and_then(|_| copy.store().expired(now, 2).ok());
        for (_, link) in expired.unwrap_or_default() {
            let request = Request { name: String::new(), is_keyed: false, link, wish: Wish::Expire };
            self.tasks.spawn(Owner::Host, operate(Rc::clone(&self.around), request));
        }
    }

    fn forget(&mut self) {
        // A store that cannot be looked at now is looked at again.
        let _ = self.node.partitions.forget(self.now.get(), self.around.steady());
    }

    fn set_clock(&mut self) {
        let forward = self.random.below(3) > 0;
        let hours = 1 + self.random.below(30) as u32;
        let span = Duration::from_secs(3600) * hours;
        // Ages are counted by what has passed, whatever the time of day says.
        if forward && hours.is_multiple_of(3) {
            self.now.set(self.now.get().plus(span));
        }
        let now = self.wall.get();
        let back = steward_model::Timestamp(now.0 - span.as_micros() as i64 / 2);
        self.wall.set(if forward { now.plus(span) } else { back });
    }
}
