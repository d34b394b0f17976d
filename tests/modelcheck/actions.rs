//! What can happen next, and what it does.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use steward_model::mutation::{self, Mutation};
use steward_model::update::{Entry, Record};
use steward_model::{Boot, Epoch, Lane, Offset};
use steward_protocol::replica::{Alteration, Effect, Event, LogOutline, LogRead, Member, RoleName};

use crate::scope::Scope;
use crate::world::{Envelope, Node, Read, World, Write};

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A message arrives, which may arrive again.
    Deliver(usize),
    /// The system group names a node for the next epoch.
    Name(usize),
    /// A node hears of the newest row.
    Tell(usize),
    /// A client writes.
    Write(usize),
    /// The power of a node fails, and it starts anew.
    Crash(usize),
    /// The system group decides a proposal.
    Decide(usize),
    /// It lowers the quorum.
    Lower,
    /// The group wants another quorum, and a node hears of it.
    Want(usize),
    /// Two seconds pass for a node.
    Tick(usize),
    /// A client reads.
    Read(usize),
    /// The system group confirms the row to a node with reads.
    Confirm(usize),
    /// A disk writes.
    Sync(usize),
    /// A log loses what it may lose.
    Trim(usize),
    /// A copy is made anew out of the one of the primary: documents and log.
    Rebuild(usize),
    /// A copy is made anew out of the documents of the primary: its log begins where they end.
    RebuildBare(usize),
}

impl World {
    /// Returns what can happen next.
    pub(crate) fn actions(&self, scope: &Scope, actions: &mut Vec<Action>) {
        let spent = self.spent;
        if self.broken.is_some() {
            return;
        }
        actions.extend((0..self.sent.len()).filter(|at| self.arrives(*at)).map(Action::Deliver));
        actions.extend((0..self.proposed.len()).map(Action::Decide));
        if scope.quorum.is_some_and(|quorum| quorum < self.row.write_quorum) && spent.quorums == 0 {
            actions.push(Action::Lower);
        }
        for (at, node) in self.nodes.iter().enumerate() {
            self.actions_of(scope, at, node, actions);
        }
    }

    fn actions_of(&self, scope: &Scope, at: usize, node: &Node, actions: &mut Vec<Action>) {
        let spent = self.spent;
        let status = node.replica.status();
        let known = status.row.as_ref().map(|row| (row.epoch, row.version));
        let is_primary = status.role == RoleName::Primary;
        let is_listed = self.row.in_sync.contains(&node.own);
        let mut add = |is_possible: bool, action| actions.extend(is_possible.then_some(action));
        add(known < Some((self.row.epoch, self.row.version)) && self.row.epoch > Epoch::ZERO, Action::Tell(at));
        add(
            spent.epochs < scope.epochs && is_listed && self.row.primary != node.own || self.is_first(scope, at),
            Action::Name(at),
        );
        // With the last member's memory everything is gone, and the row begins anew with a loss: what copies that do not count
        // still hold then has to be salvaged, which is another protocol.
        let others = self.row.in_sync.iter().any(|member| member.node != node.own.node);
        add(spent.crashes < scope.crashes && (scope.lane == Lane::Persisted || others), Action::Crash(at));
        add(spent.writes < scope.writes && node.replica.admits().is_ok(), Action::Write(at));
        add(spent.ticks < scope.ticks && node.replica.deadline().is_some(), Action::Tick(at));
        add(spent.reads < scope.reads && is_primary, Action::Read(at));
        add(self.reads.iter().any(|read| read.node == at), Action::Confirm(at));
        add(scope.wants > self.row.write_quorum && is_primary, Action::Want(at));
        add(!node.unwritten.is_empty(), Action::Sync(at));
        let may_trim = node.replica.keeps_from() > node.start;
        add(spent.trims < scope.trims && may_trim, Action::Trim(at));
        let is_joiner = !is_listed && status.role == RoleName::Tailing && at != self.row.primary.node.0 as usize;
        let may_rebuild = spent.rebuilds < scope.rebuilds && is_joiner;
        add(may_rebuild, Action::Rebuild(at));
        // One that could be fed keeps its log: the primary may have proposed to count it, because of where that log begins.
        let next = node.replica.end().map_or(Offset(0), |end| end.offset.next());
        let is_lost = next < self.nodes[self.row.primary.node.0 as usize].start;
        add(may_rebuild && is_lost, Action::RebuildBare(at));
    }

    /// Returns true if a node may be named that was named before: nobody else would be, at first.
    fn is_first(&self, scope: &Scope, at: usize) -> bool {
        self.spent.epochs < scope.epochs && self.row.epoch == Epoch::ZERO && at == 0
    }

    fn arrives(&self, at: usize) -> bool {
        let to = self.sent[at].to;
        self.nodes[to.node.0 as usize].own == to
    }

    /// Returns the world after `action`; nothing if it changes nothing.
    pub(crate) fn after(&self, scope: &Scope, action: Action) -> Option<World> {
        mutation::set(scope.mutation);
        let mut world = self.clone();
        let done = catch_unwind(AssertUnwindSafe(|| world.act(scope, action)));
        if let Err(panic) = done {
            let text = panic.downcast_ref::<String>().map_or("without words", String::as_str);
            let broken = Some(format!("panic: {text}"));
            return Some(World { broken, ..self.clone() });
        }
        (world != *self).then_some(world)
    }

    fn act(&mut self, scope: &Scope, action: Action) {
        match action {
            Action::Deliver(at) => {
                let Envelope { from, to, message, .. } = Envelope::clone(&self.sent[at]);
                self.tell(scope, to.node.0 as usize, Event::Received { from, message });
            }
            Action::Name(at) => {
                self.spent.epochs += 1;
                let named = self.nodes[at].own;
                self.row.name(named);
                self.proposed.clear();
                self.tell(scope, at, Event::TableChanged(self.row.clone()));
            }
            Action::Tell(at) => self.tell(scope, at, Event::TableChanged(self.row.clone())),
            Action::Write(at) => {
                self.spent.writes += 1;
                let number = Offset(self.spent.writes as u64);
                let entry = Entry::Forget { tombstones_below: number, answers_below: Offset(0) };
                self.tell(scope, at, Event::Proposed(entry));
            }
            Action::Crash(at) => self.crash(scope, at),
            Action::Decide(at) => self.decide(at),
            Action::Lower => {
                self.spent.quorums += 1;
                self.row.lower_write_quorum(scope.quorum.unwrap_or(1));
                self.proposed.clear();
            }
            Action::Want(at) => self.tell(scope, at, Event::QuorumChanged(scope.wants)),
            Action::Tick(at) => {
                self.spent.ticks += 1;
                self.nodes[at].now = self.nodes[at].now.plus(Duration::from_millis(2100));
                self.tell(scope, at, Event::Tick);
            }
            Action::Read(at) => self.read(scope, at),
            Action::Confirm(at) => {
                let through =
                    self.reads.iter().filter(|read| read.node == at).map(|read| read.number).max().unwrap_or(0);
                self.tell(scope, at, Event::RowConfirmed { epoch: self.row.epoch, through });
            }
            Action::Sync(at) => self.sync(scope, at),
            Action::Trim(at) => {
                self.spent.trims += 1;
                let start = self.nodes[at].replica.keeps_from();
                self.nodes[at].start = start;
                self.tell(scope, at, Event::Trimmed { start });
            }
            Action::Rebuild(at) => self.rebuild(scope, at, false),
            Action::RebuildBare(at) => self.rebuild(scope, at, true),
        }
    }

    fn read(&mut self, scope: &Scope, at: usize) {
        self.spent.reads += 1;
        let number = self.spent.reads as u64;
        let known = self.nodes[at].replica.committed().map_or(0, |offset| offset.0 as usize + 1);
        self.reads.push(Read { node: at, number, is_old: known < self.committed.len() });
        self.tell(scope, at, Event::ReadsAsked { through: number });
    }

    /// Tells a core of an event and carries out what it wants.
    fn tell(&mut self, scope: &Scope, at: usize, event: Event) {
        let node = &mut self.nodes[at];
        let mut effects = Vec::new();
        node.replica.handle(node.now, event, &mut effects);
        for effect in effects {
            self.carry_out(scope, at, effect);
        }
        if !scope.has_slow_disks || scope.lane == Lane::Volatile {
            self.sync(scope, at);
        }
    }

    fn carry_out(&mut self, scope: &Scope, at: usize, effect: Effect) {
        match effect {
            Effect::PersistPromise(epoch) => self.nodes[at].unwritten.push(Write::Promise(epoch)),
            Effect::Persist(record) => self.nodes[at].unwritten.push(Write::Record(record)),
            // What is not written yet need not be; what is stays until something is written in its place.
            Effect::Truncate { after } => self.nodes[at].unwritten.retain(|write| match write {
                Write::Promise(_) => true,
                Write::Record(record) => Some(record.position.offset) <= after.map(|after| after.offset),
            }),
            Effect::Commit { through } => self.commit(at, through),
            Effect::Serve(epoch) => self.serve(at, epoch),
            Effect::Send { to, message } => {
                let envelope = Envelope::new(self.nodes[at].own, to, message);
                if !self.sent.iter().any(|sent| **sent == envelope) {
                    self.sent.push(Arc::new(envelope));
                }
            }
            Effect::ReadLog(read) => self.read_log(scope, at, read),
            Effect::Alter(alteration) => {
                let is_current = (alteration.epoch, alteration.version) == (self.row.epoch, self.row.version);
                if is_current && !self.proposed.contains(&alteration) {
                    // What the group is told at all is counted here, so that a world ends.
                    if self.spent.alterations < scope.alterations {
                        self.spent.alterations += 1;
                        self.proposed.push(alteration);
                    }
                }
            }
            Effect::ReadsConfirmed { through } => self.confirm(at, through),
            Effect::ReadsRefused { through } => self.reads.retain(|read| read.node != at || read.number > through),
            Effect::StopServing { .. }
            | Effect::AdmissionChanged
            | Effect::MovePrimary { .. }
            | Effect::ConfirmRow { .. }
            | Effect::Rebuild { .. } => {}
        }
    }

    fn read_log(&mut self, scope: &Scope, at: usize, read: LogRead) {
        let node = &self.nodes[at];
        let from = read.after.map_or(Offset(0), |after| after.offset.next());
        let pending = node.unwritten.iter().filter_map(|write| match write {
            Write::Promise(_) => None,
            Write::Record(record) => Some(record),
        });
        let mut log: Vec<Arc<Record>> = node.log.clone();
        for record in pending {
            log.truncate(record.position.offset.0 as usize);
            log.push(Arc::clone(record));
        }
        let records = if from < node.start {
            vec![]
        } else {
            log.into_iter().skip(from.0 as usize).take(read.records_max).collect()
        };
        self.tell(scope, at, Event::LogRead { read, records });
    }

    /// Has a disk write everything.
    fn sync(&mut self, scope: &Scope, at: usize) {
        while !self.nodes[at].unwritten.is_empty() {
            let node = &mut self.nodes[at];
            match node.unwritten.remove(0) {
                Write::Promise(epoch) => {
                    node.promised = node.promised.max(epoch);
                    self.tell(scope, at, Event::PromisePersisted(epoch));
                }
                Write::Record(record) => {
                    let position = record.position;
                    node.promised = node.promised.max(position.epoch);
                    node.log.truncate(position.offset.0 as usize);
                    node.log.push(record);
                    self.tell(scope, at, Event::Persisted(position));
                }
            }
        }
    }

    fn crash(&mut self, scope: &Scope, at: usize) {
        self.spent.crashes += 1;
        let node = &self.nodes[at];
        let own = Member { boot: Boot(node.own.boot.0 + 1), ..node.own };
        let (mut promised, mut log, mut start) = (node.promised, node.log.clone(), node.start);
        if scope.lane == Lane::Volatile {
            (promised, log, start) = (Epoch::ZERO, Vec::new(), Offset(0));
        } else if mutation::is(Mutation::RecordsForgotten) {
            (log, start) = (Vec::new(), Offset(0));
        }
        self.nodes[at] = Node::open(scope, own, promised, log, start);
        self.reads.retain(|read| read.node != at);
        let version = self.row.version;
        self.row.restart_member(scope.lane, own, &[]);
        if self.row.version != version {
            self.proposed.clear();
        }
        self.tell_targets(scope);
    }

    /// Tells everybody who shall have copies: all nodes.
    pub(crate) fn tell_targets(&mut self, scope: &Scope) {
        let targets: BTreeSet<Member> = self.nodes.iter().map(|node| node.own).collect();
        for at in 0..self.nodes.len() {
            self.tell(scope, at, Event::TargetsChanged(targets.clone()));
        }
    }

    fn decide(&mut self, at: usize) {
        let Alteration { in_sync, write_quorum, .. } = self.proposed[at].clone();
        // A boot that is over was fed and may have forgotten since.
        if in_sync.iter().all(|member| self.nodes[member.node.0 as usize].own == *member) {
            self.row.alter(in_sync, write_quorum);
            self.proposed.clear();
        } else {
            self.proposed.remove(at);
        }
    }

    /// Makes the copy of a node anew out of the one that reigns; of its log it gets nothing if that `is_bare`.
    fn rebuild(&mut self, scope: &Scope, at: usize, is_bare: bool) {
        let source = self.row.primary.node.0 as usize;
        let Some(committed) = self.nodes[source].replica.committed() else { return };
        let count = committed.0 as usize + 1;
        let last = self.nodes[source].log.get(count - 1).map(|record| record.position);
        let lacks = self.nodes[source].log.len() < count
            || last < self.nodes[at].replica.end()
            || self.nodes[at].replica.committed() > Some(committed);
        if lacks {
            return;
        }
        self.spent.rebuilds += 1;
        let log: Vec<_> = self.nodes[source].log[..count].to_vec();
        let last = log.last().map(|record| record.position);
        let own = self.nodes[at].own;
        let start = if is_bare { Offset(count as u64) } else { self.nodes[source].start };
        let opened = Node::open(
            scope,
            own,
            self.nodes[at].promised.max(last.map_or(Epoch::ZERO, |last| last.epoch)),
            log.clone(),
            start,
        );
        let node = &mut self.nodes[at];
        (node.log, node.start) = (log, start);
        node.promised = node.promised.max(last.map_or(Epoch::ZERO, |last| last.epoch));
        node.unwritten.retain(|write| matches!(write, Write::Promise(_)));
        let lineage = opened.replica.lineage().clone();
        self.tell(scope, at, Event::Rebuilt { log: LogOutline { lineage, last, start } });
    }

    fn commit(&mut self, at: usize, through: Offset) {
        let node = &self.nodes[at];
        let by = node.replica.epoch();
        for offset in 0..=through.0 {
            let Some(position) = node.replica.position_at(Offset(offset)) else { continue };
            match self.committed.get(offset as usize) {
                Some((first, _)) if *first == position => {}
                Some((first, _)) => {
                    let first = *first;
                    let own = self.nodes[at].own;
                    return self.broke(|| format!("I1: {own} commits {position}, committed there was {first}"));
                }
                None => self.committed.push((position, by)),
            }
        }
    }

    fn serve(&mut self, at: usize, epoch: Epoch) {
        if !self.active.insert(epoch) {
            self.broke(|| format!("I3: epoch {epoch} is active twice"));
        }
        let committed = self.nodes[at].replica.committed();
        let missed = self.committed.iter().find(|(at, by)| *by < epoch && Some(at.offset) > committed).copied();
        if let Some((missed, by)) = missed {
            self.broke(|| format!("I2: epoch {epoch} is active without {missed}, which epoch {by} has committed"));
        }
    }

    fn confirm(&mut self, at: usize, through: u64) {
        let is_confirmed = |read: &Read| read.node == at && read.number <= through;
        let old = self.reads.iter().find(|read| is_confirmed(read) && read.is_old).cloned();
        self.confirmed += self.reads.iter().filter(|read| is_confirmed(read)).count();
        self.reads.retain(|read| !is_confirmed(read));
        if let Some(read) = old {
            self.broke(|| {
                format!("I10: read {} of node {at} is confirmed and misses an acknowledged update", read.number)
            });
        }
    }
}
