//! What can happen next in a group.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use steward_model::{Lane, PartitionId};
use steward_protocol::replica::{Event, RoleName};
use steward_replication::Message;
use steward_replication::mail::Request;
use steward_storage::index::EveryScalar;

use crate::group::network::Flight;
use crate::group::oracle::Through;
use crate::group::system::site;
use crate::group::{Group, held};
use crate::requests::{self, operate};
use crate::tasks::{Done, Owner, place};

/// Numbers of readers begin here; below are clients.
pub(crate) const READERS: usize = 1 << 20;

/// After so long every tombstone may be forgotten, and no answer.
const TOMBSTONES_KEPT: Duration = Duration::from_secs(12 * 3_600);

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Everything that goes by itself goes on for a while.
    Flow,
    /// A client sends something, and often several.
    Send,
    /// Tasks of a node go on.
    Poll,
    /// A document is read by whoever believes to own it.
    Read,
    /// A document is read of any node's copy.
    ReadCopy,
    /// A node's log writes one group.
    Write,
    /// A node's copies take what is there.
    Work,
    /// A message arrives, perhaps not the oldest.
    Deliver,
    /// A message arrives and may arrive again.
    Repeat,
    /// What is on a link is lost.
    Lose,
    /// Nothing comes through in one direction any more.
    Cut,
    /// All links work again.
    Heal,
    /// A process is stopped.
    Pause,
    /// It goes on.
    Resume,
    /// The power of a node fails.
    Crash,
    /// It fails while the log is being written.
    CrashDuringSync,
    /// A node starts again.
    Start,
    /// The system group names somebody.
    Name,
    /// A node hears of all rows.
    Tell,
    /// The system group decides what waits.
    Decide,
    /// What was asked of the system group is lost.
    Forget,
    /// The system group is away, or back.
    Away,
    /// The quorum changes.
    Quorum,
    /// An owner is to hand a partition on.
    HandOff,
    /// Seconds pass.
    Leap,
    /// A node applies what is committed.
    Apply,
    /// It makes the store durable and trims its log.
    Checkpoint,
    /// A store fails for a while.
    Fault,
    /// A copy that is made anew goes on, or one begins.
    Rebuild,
    /// A node is removed for good.
    Remove,
    /// Tombstones are forgotten, as if they were old enough.
    Purge,
}

/// How often each step is taken.
pub(crate) const STEPS: [(usize, Step); 31] = [
    (30, Step::Flow),
    (30, Step::Send),
    (30, Step::Poll),
    (12, Step::Read),
    (12, Step::ReadCopy),
    (20, Step::Write),
    (20, Step::Work),
    (40, Step::Deliver),
    (6, Step::Repeat),
    (3, Step::Lose),
    (2, Step::Cut),
    (4, Step::Heal),
    (1, Step::Pause),
    (3, Step::Resume),
    (1, Step::Crash),
    (1, Step::CrashDuringSync),
    (3, Step::Start),
    (4, Step::Name),
    (12, Step::Tell),
    (10, Step::Decide),
    (2, Step::Forget),
    (1, Step::Away),
    (1, Step::Quorum),
    (1, Step::HandOff),
    (5, Step::Leap),
    (12, Step::Apply),
    (20, Step::Checkpoint),
    (1, Step::Fault),
    (20, Step::Rebuild),
    (4, Step::Purge),
    (1, Step::Remove),
];

impl Group {
    pub(crate) fn take(&mut self, step: Step) -> Result<()> {
        let micros = 1 + self.random.below(3_000) as u64;
        self.pass(Duration::from_micros(micros));
        let at = self.random.below(self.sites.len());
        let partition = self.partitions[self.random.below(self.partitions.len())];
        self.say(|| format!("{step:?} node {} ({partition})", at + 1));
        match step {
            Step::Flow => {
                for _ in 0..1 + self.random.below(6) {
                    self.flow()?;
                }
            }
            Step::Send => self.send(false),
            Step::Poll => self.poll(at),
            Step::Read => self.read(),
            Step::ReadCopy => self.read_copy(),
            Step::Write => {
                if let Some(life) = self.sites[at].awake() {
                    life.node.write();
                }
            }
            Step::Work => self.work(at),
            Step::Deliver => self.deliver_some(false),
            Step::Repeat => self.deliver_some(true),
            Step::Lose => self.on_some_link(|group, link| group.network.lose(link)),
            Step::Cut => {
                let to = self.random.below(self.sites.len());
                self.network.cut((at, to));
            }
            Step::Heal => self.network.heal(),
            Step::Pause => self.sites[at].is_paused = self.sites[at].life.is_some(),
            Step::Resume => self.sites.iter_mut().for_each(|site| site.is_paused = false),
            Step::Crash => self.crash(at, false)?,
            Step::CrashDuringSync => self.crash(at, true)?,
            Step::Start => self.start(at)?,
            Step::Name => self.name(partition, at),
            Step::Tell => self.tell_rows(at),
            Step::Decide => self.decide(),
            Step::Forget => self.system.asked.clear(),
            Step::Away => self.system.is_away = !self.system.is_away,
            Step::Quorum => self.change_quorum(),
            Step::HandOff => self.hand_off(partition, at),
            Step::Leap => {
                let millis = 100 + self.random.below(2_500) as u64;
                self.pass(Duration::from_millis(millis));
            }
            Step::Apply => self.apply(at),
            Step::Checkpoint => self.checkpoint(at),
            Step::Fault => {
                let times = 1 + self.random.below(3) as u32;
                self.sites[at].machine.store.refuse(times);
            }
            Step::Rebuild => self.rebuild_some()?,
            Step::Purge => self.purge(at),
            Step::Remove => self.remove_now_and_then(at),
        }
        Ok(())
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        self.sites.iter().for_each(|site| site.pass(span));
        self.passed += span;
    }

    /// Lets everything go on once: processes work, messages arrive, rows are told, the system group decides.
    pub(crate) fn flow(&mut self) -> Result<()> {
        for at in 0..self.sites.len() {
            self.tell_rows(at);
            self.work(at);
            self.poll_all(at);
            self.work(at);
        }
        for link in self.network.busy() {
            for _ in 0..self.network.len(link) {
                self.deliver(link, 0, false);
            }
        }
        self.decide();
        self.rebuild_all();
        self.pass(Duration::from_millis(1));
        self.settle()
    }

    /// Has a node do what goes by itself, and takes what it wants of others.
    pub(crate) fn work(&mut self, at: usize) {
        let now = self.sites[at].now.get();
        let Some(life) = self.sites[at].awake() else { return };
        life.work(now);
        self.collect(at);
    }

    /// Takes what a node has left for others.
    fn collect(&mut self, at: usize) {
        let Some(life) = self.sites[at].awake() else { return };
        let (from, mail) = (life.own, &life.node.partitions.shared().mail);
        let (letters, requests) = (mail.take_letters(), mail.take_requests());
        for letter in letters {
            self.sent(at, &letter);
            let to = site(letter.to.node);
            self.network.send((at, to), Flight { from, letter });
        }
        for request in requests {
            match request {
                Request::Rebuild { partition, member } => self.lost.push((at, partition, member)),
                Request::Alter(_) | Request::MovePrimary { .. } | Request::ConfirmRow { .. } => {
                    self.system.asked.push((at, request));
                }
            }
        }
    }

    fn deliver_some(&mut self, is_copy: bool) {
        for _ in 0..1 + self.random.below(4) {
            self.on_some_link(|group, link| {
                let index = group.random.below(group.network.len(link));
                group.deliver(link, index, is_copy);
            });
        }
    }

    fn on_some_link(&mut self, work: impl Fn(&mut Group, (usize, usize))) {
        let links = self.network.busy();
        if !links.is_empty() {
            let link = links[self.random.below(links.len())];
            work(self, link);
        }
    }

    pub(crate) fn deliver(&mut self, link: (usize, usize), index: usize, is_copy: bool) {
        let now = self.sites[link.1].now.get();
        // What is sent to a process that is stopped waits.
        if self.sites[link.1].awake().is_none() {
            return;
        }
        let Some(Flight { from, letter }) = self.network.take(link, index, is_copy) else { return };
        let Some(life) = self.sites[link.1].awake() else { return };
        if letter.to == life.own {
            life.node.partitions.receive(now, letter.partition, from, letter.message);
        }
        self.collect(link.1);
    }

    /// Has clients send what they want next: to whoever believes to own the document, right or wrong.
    pub(crate) fn send(&mut self, is_last: bool) {
        for _ in 0..1 + self.random.below(3) {
            let Some((client, request)) = self.clients.next(&mut self.random, is_last) else { continue };
            self.spawn(client, request);
        }
    }

    pub(crate) fn spawn(&mut self, client: usize, request: requests::Request) {
        let Some(at) = self.owner(place(&request.link)) else {
            self.clients.unanswered(client, false);
            return;
        };
        self.spawn_at(at, client, request);
    }

    /// Sends a request to a node that is awake.
    pub(crate) fn spawn_at(&mut self, at: usize, client: usize, request: requests::Request) {
        self.begins(client, place(&request.link), at);
        let wanted = self.wanted();
        self.say(|| format!("  client {client} sends {request} to node {}", at + 1));
        let Some(life) = self.sites[at].awake() else { return };
        let around = Rc::clone(&life.around);
        match wanted {
            Some(wanted) => life.tasks.spawn(Owner::Client(client), held::operate(around, request, wanted)),
            None => life.tasks.spawn(Owner::Client(client), operate(around, request)),
        }
    }

    /// Returns a node that believes to own a partition, or any that is awake.
    fn owner(&mut self, partition: PartitionId) -> Option<usize> {
        let awake: Vec<usize> = (0..self.sites.len()).filter(|at| self.sites[*at].is_awake()).collect();
        let serves = |at: &&usize| {
            let life = self.sites[**at].life.as_ref();
            life.is_some_and(|life| life.node.partitions.get(partition).admits().is_ok())
        };
        let owners: Vec<usize> = awake.iter().filter(serves).copied().collect();
        let from = if owners.is_empty() { &awake } else { &owners };
        (!from.is_empty()).then(|| from[self.random.below(from.len())])
    }

    fn read(&mut self) {
        let link = self.clients.link(&mut self.random);
        let Some(at) = self.owner(place(&link)) else { return };
        self.read_at(at, link);
    }

    fn poll(&mut self, at: usize) {
        for _ in 0..1 + self.random.below(4) {
            let count = self.sites[at].awake().map_or(0, |life| life.tasks.len());
            if count > 0 {
                let index = self.random.below(count);
                self.poll_one(at, index);
            }
        }
        self.collect(at);
    }

    pub(crate) fn poll_all(&mut self, at: usize) {
        let mut index = 0;
        while index < self.sites[at].awake().map_or(0, |life| life.tasks.len()) {
            index += usize::from(!self.poll_one(at, index));
        }
        self.collect(at);
    }

    pub(crate) fn poll_one(&mut self, at: usize, index: usize) -> bool {
        let Some(life) = self.sites[at].awake() else { return false };
        let Some((owner, done)) = life.tasks.poll(index) else { return false };
        self.say(|| format!("  {owner} at node {}: {done}", at + 1));
        // What the answer rests on was noted before it.
        if let Err(broken) = self.judge_notes() {
            self.broken.get_or_insert(broken);
        }
        match (owner, done) {
            (Owner::Client(client), Done::Operated(request, answer)) => self.operated(at, client, request, answer),
            (Owner::Client(reader), Done::Read { link, document, .. }) => {
                if let Some(begins) = self.reading.remove(&(reader - READERS)) {
                    // One that began before what it was asked for was lost sees what there is now.
                    let epoch = self.epoch_at(at, place(&link));
                    let begins = if begins.epoch.loss == epoch.loss { begins } else { Through { epoch, records: 0 } };
                    let judged = self.oracle.judge_read(&link, document.as_deref(), begins);
                    let judged = judged.and_then(|()| self.judge_answered(reader, "a read", at));
                    self.broken = self.broken.take().or(judged.err());
                    self.seen.reads += 1;
                }
            }
            (Owner::Client(client), Done::Held { request, answer, told }) => {
                self.held((at, client), request, answer, told);
            }
            (_, Done::Shown { link, seen, shown }) => self.copy_shown(at, &link, seen, &shown),
            _ => {}
        }
        true
    }

    /// Takes what became of the request that a client has sent to a node.
    pub(crate) fn operated(&mut self, at: usize, client: usize, request: requests::Request, answer: requests::Answer) {
        use requests::Answer;
        let partition = place(&request.link);
        match answer {
            Answer::Done(position) => {
                let judged = self.oracle.judge_answer(partition, position, &request);
                let judged = judged.and_then(|()| self.judge_answered(client, "an update", at));
                self.broken = self.broken.take().or(judged.err());
                self.seen.acknowledged += 1;
                self.clients.answered(client, Some(position), &mut self.random);
            }
            Answer::Repeated(reply) => {
                let judged = self.oracle.judge_repeat(partition, &request, &reply, self.clients.first_answer(&request));
                self.broken = self.broken.take().or(judged.err());
                self.seen.repeats += 1;
                self.clients.answered(client, Some(reply.at), &mut self.random);
            }
            Answer::Nothing => self.clients.answered(client, None, &mut self.random),
            Answer::NotNow(_) => self.clients.unanswered(client, false),
            Answer::Unknown => {
                self.seen.unknown_outcomes += 1;
                self.clients.unanswered(client, true);
            }
        }
    }

    /// Names a node, unless it is down: the system group hears that in time.
    pub(crate) fn name(&mut self, partition: PartitionId, at: usize) {
        if !self.system.is_away && self.sites[at].life.is_some() {
            self.system.name(partition, at);
        }
    }

    pub(crate) fn tell_rows(&mut self, at: usize) {
        let now = self.sites[at].now.get();
        let wish = (self.system.members(), self.system.quorum);
        if self.system.is_away || self.system.removed.contains(&at) {
            return;
        }
        let rows: Vec<_> = self.partitions.iter().map(|id| (*id, self.system.row(*id).clone())).collect();
        let Some(life) = self.sites[at].awake() else { return };
        // A node that counts for nothing and starts anew changes no row, but its boot.
        let is_news = life.told.as_ref() != Some(&wish);
        for (partition, row) in rows {
            let copy = life.node.partitions.get(partition);
            // As production does: nobody feeds what is in memory to other nodes.
            if is_news && partition.lane == Lane::Persisted {
                copy.post(Message::Core(Box::new(Event::TargetsChanged(wish.0.clone()))));
                copy.post(Message::Core(Box::new(Event::QuorumChanged(wish.1))));
            }
            let known = copy.status().replica.row.map(|row| (row.epoch, row.version));
            if known < Some((row.epoch, row.version)) {
                copy.post(Message::Row(Box::new(row)));
            }
            copy.step(now);
        }
        life.told = Some(wish);
        self.collect(at);
    }

    fn decide(&mut self) {
        if self.system.is_away {
            return;
        }
        for (at, request) in std::mem::take(&mut self.system.asked) {
            let is_change = matches!(request, Request::Alter(_));
            let told = self.system.decide(request);
            self.seen.alterations += usize::from(is_change && told.is_none());
            let now = self.sites[at].now.get();
            if let (Some((partition, event)), Some(life)) = (told, self.sites[at].awake()) {
                life.node.partitions.tell(now, partition, event);
            }
        }
    }

    fn change_quorum(&mut self) {
        let quorum = 1 + self.random.below(self.system.members().len()) as u32;
        if !self.system.is_away {
            self.system.set_quorum(quorum);
        }
    }

    /// Has whoever orders updates give the partition away to another member. One that would have it given to itself behaves as if it
    /// stopped, whatever it is by then, and the system group names nobody.
    pub(crate) fn hand_off(&mut self, partition: PartitionId, to: usize) {
        let member = self.system.member(to);
        for at in 0..self.sites.len() {
            let now = self.sites[at].now.get();
            let Some(life) = self.sites[at].awake() else { continue };
            let event = match life.status(partition).role {
                _ if at == to => Event::LeaveAsked,
                RoleName::Primary => Event::HandOffAsked { to: member },
                RoleName::Tailing | RoleName::InSync | RoleName::Candidate | RoleName::Activating => continue,
            };
            life.node.partitions.tell(now, partition, event);
        }
    }

    pub(crate) fn apply(&mut self, at: usize) {
        if let Some(life) = self.sites[at].awake() {
            life.node.partitions.apply(&EveryScalar, || ());
        }
    }

    /// Has a node forget the tombstones of what it serves, as if so much time had passed; answers are kept for longer.
    fn purge(&mut self, at: usize) {
        let now = self.sites[at].now.get();
        let Some(life) = self.sites[at].awake() else { return };
        let later = life.around.steady().plus(TOMBSTONES_KEPT);
        // What its store cannot tell now is forgotten another time.
        let _ = life.node.partitions.forget(now, later);
        self.collect(at);
    }

    /// Makes a checkpoint and lets go of the log below.
    pub(crate) fn checkpoint(&mut self, at: usize) {
        let site = &mut self.sites[at];
        let Some(life) = site.life.as_mut().filter(|_| !site.is_paused) else { return };
        let Ok(logged) = life.node.partitions.checkpoint(&site.machine.store) else { return };
        while life.node.write() {}
        if life.node.persisted() >= logged.frame {
            // What is not removed now is removed by the next one.
            let _ = life.node.partitions.trim(logged);
        }
    }
}
