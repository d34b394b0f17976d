//! Runs commands on a whole group: replica cores, their disks, the links between them, and the row of one partition.
//!
//! ```text
//! cluster nodes=3 w=2          three members with empty logs, two of which make a commit
//! name node=1                  the system group names node 1 for the next epoch, and everybody hears of it
//! run                          links deliver and disks write until nothing is under way
//! propose node=1               a client's update
//! ```
//!
//! | command | |
//! |---|---|
//! | `name node [told=none]`, `tell node` | a new reign; nodes hear of it at once, or one by one |
//! | `run`, `deliver from to`, `drop from to`, `repeat from to` | everything under way; one link; what is on it is lost; what came last comes again |
//! | `cut from to`, `heal` | nothing comes through in that direction any more |
//! | `freeze node`, `thaw node` | a process that is stopped: what is sent to it waits |
//! | `slow node`, `sync node` | its disk keeps what it is given until it is told to write |
//! | `slow-log node`, `read-log node` | its log gives no records until it is told to; then those that were asked for first |
//! | `crash node`, `start node` | the power fails; the node comes back with the next boot |
//! | `tick after=MS` | time passes |
//! | `propose node`, `read node number` | clients |
//! | `decide`, `refuse`, `confirm node number` | the system group decides what was proposed last, refuses it, confirms the row |
//! | `targets nodes`, `quorum value`, `wants value`, `hand-off node to`, `leave node` | who shall have copies; `W` falls; `W` shall rise; a partition, or all of a node, is given away |
//! | `trim node start`, `rebuild node from` | a log loses its beginning; a copy is made anew out of another |
//! | `status`, `holders node offset` | who is where; how many members hold a record |

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use steward_model::partition::SelectorId;
use steward_model::update::{Entry, Record};
use steward_model::{Boot, Epoch, Lane, Moment, NodeId, Offset, PartitionId, Position};
use steward_protocol::replica::{
    Alteration, Effect, Event, LogOutline, LogRead, Member, Message, Recovered, Replica, Row, Settings,
};

use crate::notation::{Arguments, number};

/// So many deliveries without an end are an endless loop.
const DELIVERIES_MAX: usize = 2000;

/// What a disk was given and has not written.
enum Write {
    Promise(Epoch),
    Record(Arc<Record>),
}

/// One node.
struct Node {
    own: Member,
    replica: Option<Replica>,
    promised: Epoch,
    log: Vec<Arc<Record>>,
    start: Offset,
    /// Everything through here is in the state store.
    applied: Option<Position>,
    unwritten: VecDeque<Write>,
    /// What is to be read from its log, if that is slow.
    unread: Option<VecDeque<LogRead>>,
    is_slow: bool,
    is_frozen: bool,
}

pub(crate) struct Cluster {
    lane: Lane,
    now: Moment,
    row: Row,
    nodes: BTreeMap<u32, Node>,
    links: BTreeMap<(u32, u32), VecDeque<(Member, Message)>>,
    last: BTreeMap<(u32, u32), (Member, Message)>,
    cut: BTreeSet<(u32, u32)>,
    proposed: Option<Alteration>,
    moved: Option<(Epoch, Member)>,
    trace: Vec<String>,
}

impl Node {
    fn end(&self) -> Offset {
        Offset(self.start.0 + self.log.len() as u64)
    }

    fn recovered(&self) -> Recovered {
        let mut lineage: Vec<(Epoch, Offset)> = Vec::new();
        for record in &self.log {
            if lineage.last().is_none_or(|(epoch, _)| *epoch < record.position.epoch) {
                lineage.push((record.position.epoch, record.position.offset));
            }
        }
        let last = self.log.last().map(|record| record.position).or(self.applied);
        Recovered { promised: self.promised, lineage, start: self.start, last, applied: self.applied }
    }
}

impl Cluster {
    /// Returns a group in which nobody was named yet.
    pub(crate) fn open(arguments: &mut Arguments<'_>) -> Result<Cluster> {
        let count: u32 = arguments.take("nodes", number)?;
        let write_quorum = arguments.take("w", number)?;
        let members: u32 = arguments.take_or("members", "0", number)?;
        let lane = arguments.take_or("lane", "persisted", crate::replica::lane)?;
        let in_sync = 1..=if members == 0 { count } else { members };
        let in_sync: BTreeSet<Member> = in_sync.map(|node| Member { node: NodeId(node), boot: Boot(1) }).collect();
        let primary = Member { node: NodeId(1), boot: Boot(1) };
        let mut row = Row { epoch: Epoch::ZERO, primary, in_sync, write_quorum, recovery_quorum: 1, version: 0 };
        row.alter(row.in_sync.clone(), write_quorum);
        let mut cluster = Cluster {
            lane,
            now: Moment(0),
            row,
            nodes: BTreeMap::new(),
            links: BTreeMap::new(),
            last: BTreeMap::new(),
            cut: BTreeSet::new(),
            proposed: None,
            moved: None,
            trace: Vec::new(),
        };
        for node in 1..=count {
            let own = Member { node: NodeId(node), boot: Boot(0) };
            let empty = Node {
                own,
                replica: None,
                promised: Epoch::ZERO,
                log: Vec::new(),
                start: Offset(0),
                applied: None,
                unwritten: VecDeque::new(),
                unread: None,
                is_slow: false,
                is_frozen: false,
            };
            cluster.nodes.insert(node, empty);
            cluster.start(node)?;
        }
        Ok(cluster)
    }

    /// Runs one command and returns its trace.
    pub(crate) fn run(&mut self, name: &str, arguments: &mut Arguments<'_>) -> Result<Vec<String>> {
        let node = |arguments: &mut Arguments<'_>| arguments.take("node", number::<u32>);
        match name {
            "name" => {
                let (node, told) = (node(arguments)?, arguments.take_or("told", "all", |text| Ok(text == "all"))?);
                let named = self.node(node)?.own;
                self.row.name(named);
                if told {
                    self.tell_all()?;
                }
            }
            "tell" => self.tell_row(node(arguments)?)?,
            "run" => self.run_all()?,
            "deliver" | "drop" | "repeat" | "cut" => {
                let link = (arguments.take("from", number)?, arguments.take("to", number)?);
                self.on_link(name, link)?;
            }
            "heal" => self.cut.clear(),
            "freeze" => self.node(node(arguments)?)?.is_frozen = true,
            "thaw" => self.node(node(arguments)?)?.is_frozen = false,
            "slow" => self.node(node(arguments)?)?.is_slow = true,
            "sync" => self.sync(node(arguments)?)?,
            "crash" => self.crash(node(arguments)?)?,
            "start" => {
                let node = node(arguments)?;
                self.start(node)?;
                self.register(node)?;
            }
            "tick" => self.tick(arguments.take("after", number)?)?,
            "propose" => self.propose(node(arguments)?)?,
            "decide" => self.decide()?,
            "refuse" => self.refuse()?,
            "quorum" => {
                self.row.lower_write_quorum(arguments.take("value", number)?);
                self.tell_all()?;
            }
            "status" => self.status(),
            _ => self.run_rare(name, arguments)?,
        }
        let trace = std::mem::take(&mut self.trace);
        Ok(if trace.is_empty() { vec!["nothing".to_owned()] } else { trace })
    }

    fn run_rare(&mut self, name: &str, arguments: &mut Arguments<'_>) -> Result<()> {
        let node = |arguments: &mut Arguments<'_>| arguments.take("node", number::<u32>);
        let nodes: Vec<u32> = self.nodes.keys().copied().collect();
        match name {
            "targets" => {
                let nodes: Vec<u32> = arguments.take("nodes", |text| text.split(',').map(number).collect())?;
                let targets = nodes.iter().map(|node| Ok(self.node(*node)?.own)).collect::<Result<BTreeSet<_>>>()?;
                self.nodes
                    .keys()
                    .copied()
                    .collect::<Vec<_>>()
                    .into_iter()
                    .try_for_each(|node| self.tell(node, Event::TargetsChanged(targets.clone())))
            }
            "holders" => {
                let (node, offset) = (node(arguments)?, arguments.take("offset", number)?);
                self.holders(node, Offset(offset))?;
                Ok(())
            }
            "wants" => {
                let value = arguments.take("value", number)?;
                nodes.into_iter().try_for_each(|node| self.tell(node, Event::QuorumChanged(value)))
            }
            "read" => {
                let (node, through) = (node(arguments)?, arguments.take("number", number)?);
                self.tell(node, Event::ReadsAsked { through })
            }
            "confirm" => {
                let (node, through) = (node(arguments)?, arguments.take("number", number)?);
                self.tell(node, Event::RowConfirmed { epoch: self.row.epoch, through })
            }
            "hand-off" => {
                let (node, to) = (node(arguments)?, arguments.take("to", number::<u32>)?);
                let to = self.node(to)?.own;
                self.tell(node, Event::HandOffAsked { to })
            }
            "leave" => self.tell(node(arguments)?, Event::LeaveAsked),
            "trim" => {
                let (node, start) = (node(arguments)?, Offset(arguments.take("start", number)?));
                let it = self.node(node)?;
                it.log.retain(|record| record.position.offset >= start);
                it.start = start;
                self.tell(node, Event::Trimmed { start })
            }
            "slow-log" => {
                self.node(node(arguments)?)?.unread = Some(VecDeque::new());
                Ok(())
            }
            "read-log" => {
                let node = node(arguments)?;
                let read = self.node(node)?.unread.as_mut().and_then(VecDeque::pop_front);
                read.map_or(Ok(()), |read| self.give_records(node, read))
            }
            "rebuild" => self.rebuild(arguments.take("node", number)?, arguments.take("from", number)?),
            _ => bail!("command {name} is unknown"),
        }
    }

    fn node(&mut self, node: u32) -> Result<&mut Node> {
        self.nodes.get_mut(&node).with_context(|| format!("there is no node {node}"))
    }

    /// Tells a core of an event, and carries out what it wants, as far as disks and links do that at once.
    fn tell(&mut self, node: u32, event: Event) -> Result<()> {
        let now = self.now;
        let Some(replica) = &mut self.node(node)?.replica else { return Ok(()) };
        let before = replica.role();
        let mut effects = Vec::new();
        let handled = catch_unwind(AssertUnwindSafe(|| replica.handle(now, event, &mut effects)));
        if let Err(panic) = handled {
            let text = panic.downcast_ref::<String>().map_or("without words", String::as_str);
            self.trace.push(format!("{node}: panic: {text}"));
            self.node(node)?.replica = None;
            return Ok(());
        }
        let after = replica.role();
        if before != after {
            self.trace.push(format!("{node}: {before} -> {after}"));
        }
        for effect in effects {
            self.trace.push(format!("{node}: {effect}"));
            self.carry_out(node, effect)?;
        }
        self.write(node)
    }

    fn carry_out(&mut self, node: u32, effect: Effect) -> Result<()> {
        match effect {
            Effect::PersistPromise(epoch) => self.node(node)?.unwritten.push_back(Write::Promise(epoch)),
            Effect::Persist(record) => self.node(node)?.unwritten.push_back(Write::Record(record)),
            Effect::Send { to, message } => {
                let from = self.node(node)?.own;
                if !self.cut.contains(&(node, to.node.0)) {
                    self.links.entry((node, to.node.0)).or_default().push_back((from, message));
                }
            }
            Effect::ReadLog(read) => self.read_log(node, read)?,
            Effect::Alter(alteration) => self.proposed = Some(alteration),
            Effect::MovePrimary { epoch, to } => self.moved = Some((epoch, to)),
            // What is not written yet need not be; what is stays until something is written in its place.
            Effect::Truncate { after } => self.node(node)?.unwritten.retain(|write| match write {
                Write::Promise(_) => true,
                Write::Record(record) => Some(record.position.offset) <= after.map(|after| after.offset),
            }),
            Effect::Commit { .. }
            | Effect::Serve(_)
            | Effect::StopServing { .. }
            | Effect::AdmissionChanged
            | Effect::ConfirmRow { .. }
            | Effect::ReadsConfirmed { .. }
            | Effect::ReadsRefused { .. }
            | Effect::Rebuild { .. } => {}
        }
        Ok(())
    }

    fn read_log(&mut self, node: u32, read: LogRead) -> Result<()> {
        match &mut self.node(node)?.unread {
            Some(unread) => unread.push_back(read),
            None => self.give_records(node, read)?,
        }
        Ok(())
    }

    fn give_records(&mut self, node: u32, read: LogRead) -> Result<()> {
        let from = read.after.map_or(Offset(0), |after| after.offset.next());
        let records = self.node(node)?.log.iter().filter(|record| record.position.offset >= from);
        let records: Vec<_> = records.take(read.records_max).cloned().collect();
        let is_there = records.first().is_some_and(|record| record.position.offset == from);
        self.tell(node, Event::LogRead { read, records: if is_there { records } else { vec![] } })
    }

    /// Has a disk write, unless it is slow.
    fn write(&mut self, node: u32) -> Result<()> {
        if self.node(node)?.is_slow { Ok(()) } else { self.sync(node) }
    }

    fn sync(&mut self, node: u32) -> Result<()> {
        while let Some(write) = self.node(node)?.unwritten.pop_front() {
            let it = self.node(node)?;
            match write {
                Write::Promise(epoch) => {
                    it.promised = it.promised.max(epoch);
                    self.tell(node, Event::PromisePersisted(epoch))?;
                }
                Write::Record(record) => {
                    let position = record.position;
                    it.promised = it.promised.max(position.epoch);
                    it.log.retain(|other| other.position.offset < position.offset);
                    it.log.push(record);
                    self.tell(node, Event::Persisted(position))?;
                }
            }
        }
        Ok(())
    }

    fn crash(&mut self, node: u32) -> Result<()> {
        let lane = self.lane;
        let it = self.node(node)?;
        let committed = it.replica.as_ref().and_then(Replica::committed);
        it.applied = it.log.iter().rev().map(|record| record.position).find(|at| Some(at.offset) <= committed);
        if lane == Lane::Volatile {
            (it.promised, it.log, it.applied) = (Epoch::ZERO, Vec::new(), None);
        }
        it.replica = None;
        it.unwritten.clear();
        self.links.retain(|(from, to), _| *from != node && *to != node);
        Ok(())
    }

    fn start(&mut self, node: u32) -> Result<()> {
        let partition = PartitionId { selector: SelectorId::default(), lane: self.lane, index: 7 };
        let it = self.node(node)?;
        it.own.boot = Boot(it.own.boot.0 + 1);
        let settings = Settings { message_records_max: 3, ..Settings::default() };
        it.replica = Some(Replica::open(it.own, partition, settings, it.recovered())?);
        Ok(())
    }

    /// Has the system group take a new boot into the row.
    fn register(&mut self, node: u32) -> Result<()> {
        let own = self.node(node)?.own;
        let lane = self.lane;
        self.row.restart_member(lane, own, &[]);
        self.tell_all()
    }

    fn tell_row(&mut self, node: u32) -> Result<()> {
        if self.node(node)?.is_frozen { Ok(()) } else { self.tell(node, Event::TableChanged(self.row.clone())) }
    }

    fn tell_all(&mut self) -> Result<()> {
        let nodes: Vec<u32> = self.nodes.keys().copied().collect();
        nodes.into_iter().try_for_each(|node| self.tell_row(node))
    }

    fn on_link(&mut self, what: &str, link: (u32, u32)) -> Result<()> {
        match what {
            "deliver" => while self.deliver(link)? {},
            "drop" => drop(self.links.remove(&link)),
            "cut" => {
                self.links.remove(&link);
                self.cut.insert(link);
            }
            _ => {
                let (from, message) = self.last.get(&link).cloned().context("nothing came over that link")?;
                self.tell(link.1, Event::Received { from, message })?;
            }
        }
        Ok(())
    }

    /// Delivers the next message of a link; false if there is none, or nobody takes it.
    fn deliver(&mut self, link: (u32, u32)) -> Result<bool> {
        if self.node(link.1)?.is_frozen || self.node(link.0)?.is_frozen {
            return Ok(false);
        }
        let Some((from, message)) = self.links.get_mut(&link).and_then(VecDeque::pop_front) else { return Ok(false) };
        self.last.insert(link, (from, message.clone()));
        self.tell(link.1, Event::Received { from, message })?;
        Ok(true)
    }

    fn run_all(&mut self) -> Result<()> {
        for _ in 0..DELIVERIES_MAX {
            let links: Vec<(u32, u32)> = self.links.keys().copied().collect();
            let mut is_quiet = true;
            for link in links {
                is_quiet &= !self.deliver(link)?;
            }
            if is_quiet {
                return Ok(());
            }
        }
        bail!("messages go on without an end")
    }

    fn tick(&mut self, millis: u64) -> Result<()> {
        self.now = self.now.plus(Duration::from_millis(millis));
        let nodes = self.nodes.iter().filter(|(_, it)| !it.is_frozen).map(|(node, _)| *node).collect::<Vec<_>>();
        nodes.into_iter().try_for_each(|node| self.tell(node, Event::Tick))
    }

    /// Proposes something small, if it is admitted.
    fn propose(&mut self, node: u32) -> Result<()> {
        let Some(replica) = &self.node(node)?.replica else { return Ok(()) };
        match replica.admits() {
            Ok(_) => {
                let entry = Entry::Forget { tombstones_below: Offset(0), answers_below: Offset(0) };
                self.tell(node, Event::Proposed(entry))
            }
            Err(reason) => {
                self.trace.push(format!("{node}: {reason}"));
                Ok(())
            }
        }
    }

    fn decide(&mut self) -> Result<()> {
        if let Some(Alteration { epoch, version, in_sync, write_quorum, .. }) = self.proposed.take()
            && (epoch, version) == (self.row.epoch, self.row.version)
        {
            self.row.alter(in_sync, write_quorum);
        }
        if let Some((epoch, to)) = self.moved.take()
            && epoch == self.row.epoch
        {
            self.row.name(to);
        }
        self.trace.push(format!("row: {}", self.row));
        self.tell_all()
    }

    fn refuse(&mut self) -> Result<()> {
        let Some(alteration) = self.proposed.take() else { return Ok(()) };
        let node = self.row.primary.node.0;
        self.tell(node, Event::AlterationRefused { version: alteration.version })
    }

    fn rebuild(&mut self, node: u32, from: u32) -> Result<()> {
        let source = self.node(from)?;
        let committed = source.replica.as_ref().and_then(Replica::committed);
        let log: Vec<_> = source.log.iter().filter(|it| Some(it.position.offset) <= committed).cloned().collect();
        let lineage = source.replica.as_ref().map(|replica| replica.lineage().clone()).unwrap_or_default();
        let (start, last) = (source.start, log.last().map(|record| record.position));
        let it = self.node(node)?;
        (it.log, it.start, it.applied) = (log, start, last);
        it.unwritten.clear();
        self.tell(node, Event::Rebuilt { log: LogOutline { lineage, last, start } })
    }

    fn holders(&mut self, node: u32, offset: Offset) -> Result<()> {
        let replica = self.node(node)?.replica.as_ref().context("the node is down")?;
        let held = replica.position_at(offset).and_then(|position| Some((position, replica.holders(position)?)));
        self.trace.push(match held {
            Some((position, by)) => format!("{node}: {} of {} hold {position}", by.holders, by.members),
            None => format!("{node}: cannot say who holds {offset}"),
        });
        Ok(())
    }

    fn status(&mut self) {
        for (node, it) in &self.nodes {
            let status = it.replica.as_ref().map_or("down".to_owned(), |replica| replica.status().to_string());
            self.trace.push(format!("{node}: {status}, disk to {}", it.end().0));
        }
    }
}
