//! A group of cores and a network between them, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steward_model::splitmix::mix;
use steward_model::{Boot, Member, Moment, NodeId};

use super::super::{Effect, Event, Liveness, Message, TICK};

/// What a node of the group does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Works,
    Sleeps,
    Gone,
}

struct Node {
    member: Member,
    core: Liveness,
    doing: Doing,
    /// What came while it slept.
    queued: Vec<Event>,
    effects: Vec<(Moment, Effect)>,
}

pub(super) struct Group {
    now: Moment,
    nodes: BTreeMap<u32, Node>,
    /// Messages under way: when they arrive, then in the order of their sending.
    wire: BTreeMap<(Moment, u64), (u32, Member, Message)>,
    cuts: BTreeSet<(u32, u32)>,
    sent: u64,
    /// Longest delay of a message in milliseconds.
    delay_max: u64,
    seed: u64,
}

impl Group {
    /// Returns a group of nodes 1 to `size` on a calm network.
    pub(super) fn of(size: u32) -> Group {
        Group::shaky(size, 2, 7)
    }

    /// Returns a group on a network that delays each message by up to `delay_max` milliseconds.
    pub(super) fn shaky(size: u32, delay_max: u64, seed: u64) -> Group {
        let now = Moment(1_000_000);
        let node = |number| {
            let member = Member { node: NodeId(number), boot: Boot(1) };
            let core = Liveness::new(now, member);
            Node { member, core, doing: Doing::Works, queued: Vec::new(), effects: Vec::new() }
        };
        let nodes = (1..=size).map(|number| (number, node(number))).collect();
        let mut group = Group { now, nodes, wire: BTreeMap::new(), cuts: BTreeSet::new(), sent: 0, delay_max, seed };
        group.register();
        group
    }

    /// Tells everybody who is registered.
    fn register(&mut self) {
        let members: BTreeSet<Member> = self.nodes.values().map(|node| node.member).collect();
        for number in self.numbers() {
            self.deliver(number, Event::Registered(members.clone()));
        }
    }

    fn numbers(&self) -> Vec<u32> {
        self.nodes.keys().copied().collect()
    }

    pub(super) fn now(&self) -> Moment {
        self.now
    }

    pub(super) fn core(&self, number: u32) -> &Liveness {
        &self.nodes[&number].core
    }

    pub(super) fn effects(&self, number: u32) -> Vec<Effect> {
        self.nodes[&number].effects.iter().map(|(_, effect)| effect.clone()).collect()
    }

    /// Returns who was suspected: when, by whom, and whom.
    pub(super) fn suspicions(&self) -> Vec<(Moment, NodeId, Member)> {
        let of = |node: &Node| {
            let by = node.member.node;
            let suspect = move |(at, effect): &(Moment, Effect)| match effect {
                Effect::Suspect { member, .. } => Some((*at, by, *member)),
                Effect::Send { .. } | Effect::Trust { .. } | Effect::Overslept { .. } => None,
            };
            node.effects.iter().filter_map(suspect).collect::<Vec<_>>()
        };
        self.nodes.values().flat_map(of).collect()
    }

    /// Lets no message pass from `from` to `to`.
    pub(super) fn cut(&mut self, from: u32, to: u32) {
        self.cuts.insert((from, to));
    }

    pub(super) fn heal(&mut self) {
        self.cuts.clear();
    }

    pub(super) fn stop(&mut self, number: u32) {
        self.set(number, Doing::Gone);
    }

    pub(super) fn pause(&mut self, number: u32) {
        self.set(number, Doing::Sleeps);
    }

    /// Wakes a node; what came while it slept is there at once, after a tick that may come first.
    pub(super) fn resume(&mut self, number: u32) {
        self.set(number, Doing::Works);
        let queued = std::mem::take(&mut self.nodes.get_mut(&number).expect("a node").queued);
        self.deliver(number, Event::Ticked);
        queued.into_iter().for_each(|event| self.deliver(number, event));
    }

    /// Begins another process of a node.
    pub(super) fn start_again(&mut self, number: u32) {
        let now = self.now;
        let node = self.nodes.get_mut(&number).expect("a node");
        node.member.boot = Boot(node.member.boot.0 + 1);
        node.core = Liveness::new(now, node.member);
        node.doing = Doing::Works;
        self.register();
    }

    fn set(&mut self, number: u32, doing: Doing) {
        self.nodes.get_mut(&number).expect("a node").doing = doing;
    }

    fn deliver(&mut self, number: u32, event: Event) {
        let now = self.now;
        let node = self.nodes.get_mut(&number).expect("a node");
        match node.doing {
            Doing::Works => {}
            Doing::Sleeps => return node.queued.push(event),
            Doing::Gone => return,
        }
        let mut effects = Vec::new();
        node.core.handle(now, event, &mut effects);
        let from = node.member;
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(from, to.0, message),
                told @ (Effect::Suspect { .. } | Effect::Trust { .. } | Effect::Overslept { .. }) => {
                    self.nodes.get_mut(&number).expect("a node").effects.push((now, told));
                }
            }
        }
    }

    fn send(&mut self, from: Member, to: u32, message: Message) {
        if self.cuts.contains(&(from.node.0, to)) {
            return;
        }
        self.sent += 1;
        let delay = mix(self.seed ^ self.sent) % (self.delay_max * 1_000) + 100;
        self.wire.insert((Moment(self.now.0 + delay), self.sent), (to, from, message));
    }

    /// Lets `span` pass.
    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now.plus(span);
        while self.now < end {
            let tick = self.now.plus(TICK);
            while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= tick) {
                let ((at, _), (to, from, message)) = entry.remove_entry();
                self.now = self.now.max(at);
                self.deliver(to, Event::Arrived { from, message });
            }
            self.now = tick;
            for number in self.numbers() {
                // A queue of ticks would be read as a nap that never was.
                if self.nodes[&number].doing == Doing::Works {
                    self.deliver(number, Event::Ticked);
                }
            }
        }
    }
}
