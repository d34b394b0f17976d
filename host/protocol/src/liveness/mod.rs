//! Who is there: beats between all nodes, and when a silent one is suspected.
//!
//! Problem: a node that has stopped, hangs or is cut off says nothing about it. A node that waits long before it
//! believes so makes every failover long; one that does not takes a busy neighbour, a lost packet or its own nap for a death.
//!
//! Promise: a node that sends its beats is not suspected as long as they arrive within the patience that its own earlier beats
//! have earned it, 0.6 s on a calm network and up to 3 s on a shaky one. Before a suspicion is reported two others were asked
//! whether they reach the silent node, and none of them did. A node that has slept itself counts none of that time against
//! anybody. A suspicion is an opinion: only the system group, on [`Evidence`] of several, changes what a node is.
//!
//! ```text
//!  Beat every 100 ms ──► heard ──silent for ⅔ of the patience──► asks two others ──patience over──► suspected
//!                          ▲                                        │                                   │
//!                          └──────── Beat, or Reached by another ───┴──────────────◄── Beat ────────────┘
//!
//!  asker ──PingFor(target)──► helper ──Ping──► target ──Pong──► helper ──Reached(target)──► asker
//! ```
//!
//! Patience is twice the second greatest of the last 128 gaps between beats, and one beat more: a single outlier is an accident,
//! two are the weather. The floor and the ceiling bound it.
//!
//! A beat says whom its sender hears. So each node knows who reaches whom, also where packets pass in one direction only; see
//! [`Liveness::reaches`].
//!
//! Source: the mesh with a tick of 100 ms is that of Restate; indirect pings are those of SWIM (Das, Gupta, Motivala, 2002); that
//! a slow observer must not accuse is Lifeguard (Dadgar, Phillips, Currey, 2017). Departure from SWIM: everybody beats to
//! everybody, since a group has tens of nodes, and each beat is then a second opinion for free. Left out: a shorter patience for
//! nodes whose connections were reset.

mod evidence;
mod jitter;
mod message;
mod peer;
#[cfg(test)]
mod tests;
mod timing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steward_model::{Member, Moment, NodeId};

pub use evidence::Evidence;
pub use message::{Beat, Effect, Event, Message};
use peer::Peer;
pub use peer::View;
pub use timing::{BEAT, PATIENCE_MAX, PATIENCE_MIN, TICK};

/// Whoever was not called for longer was asleep.
const NAP: Duration = Duration::from_millis(250);

/// How many others are asked about a silent node.
const HELPERS: usize = 2;

/// What one node knows about the others.
#[derive(Debug)]
pub struct Liveness {
    own: Member,
    peers: BTreeMap<NodeId, Peer>,
    /// When this core was called last.
    called: Moment,
    /// When the next beat is due.
    beat_due: Moment,
    beats_sent: u64,
}

impl Liveness {
    /// Returns the core of the process start `own`, which knows nobody yet.
    pub fn new(now: Moment, own: Member) -> Liveness {
        Liveness { own, peers: BTreeMap::new(), called: now, beat_due: now, beats_sent: 0 }
    }

    /// Takes one event and says what is to be done about it.
    pub fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        self.wake(now, effects);
        match event {
            Event::Registered(members) => self.registered(now, &members),
            Event::Arrived { from, message } => self.arrived(now, from, message, effects),
            Event::Ticked => {}
        }
        if now >= self.beat_due {
            self.beat(now, effects);
        }
        self.look(now, effects);
    }

    /// Takes note of the time since the last call. What it slept through says nothing about others: their messages wait in a
    /// queue that has not been read.
    fn wake(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let span = now.since(self.called);
        self.called = self.called.max(now);
        if span > NAP {
            let slept = span - TICK;
            self.peers.values_mut().for_each(|peer| peer.forgive(slept, now));
            effects.push(Effect::Overslept { span: slept });
        }
    }

    fn registered(&mut self, now: Moment, members: &BTreeSet<Member>) {
        let others = || members.iter().filter(|member| member.node != self.own.node);
        self.peers.retain(|_, peer| members.contains(&peer.member()));
        for member in others() {
            self.peers.entry(member.node).or_insert_with(|| Peer::new(now, *member));
        }
    }

    fn arrived(&mut self, now: Moment, from: Member, message: Message, effects: &mut Vec<Effect>) {
        // A process that is over, or one that is not registered yet, vouches for nobody.
        let Some(peer) = self.peers.get_mut(&from.node).filter(|peer| peer.member() == from) else { return };
        let to = from.node;
        match message {
            Message::Beat(beat) => {
                if peer.beaten(now, beat) {
                    effects.push(Effect::Trust { member: from });
                }
            }
            Message::PingFor { target } if target == self.own.node => {
                effects.push(Effect::Send { to, message: Message::Reached { target } });
            }
            Message::PingFor { target } => {
                if self.peers.contains_key(&target) {
                    effects.push(Effect::Send { to: target, message: Message::Ping { asker: to } });
                }
            }
            Message::Ping { asker } => effects.push(Effect::Send { to, message: Message::Pong { asker } }),
            Message::Pong { asker } => {
                effects.push(Effect::Send { to: asker, message: Message::Reached { target: to } });
            }
            Message::Reached { target } => {
                if let Some(target) = self.peers.get_mut(&target)
                    && target.vouched(now)
                {
                    effects.push(Effect::Trust { member: target.member() });
                }
            }
        }
    }

    fn beat(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        self.beats_sent += 1;
        // From now, not from when it was due: beats that were missed are not made up for.
        self.beat_due = now.plus(BEAT);
        let hears = self.peers.values().filter(|peer| peer.is_heard(now)).map(|peer| peer.member().node).collect();
        let suspects = self.suspects();
        let beat = Beat { number: self.beats_sent, hears, suspects };
        for to in self.peers.keys() {
            effects.push(Effect::Send { to: *to, message: Message::Beat(beat.clone()) });
        }
    }

    /// Looks after those that have been silent for long.
    fn look(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let helpers = self.helpers(now);
        for (node, peer) in &mut self.peers {
            if peer.asks(now) {
                let others = helpers.iter().filter(|helper| *helper != node).take(HELPERS);
                effects.extend(
                    others.map(|helper| Effect::Send { to: *helper, message: Message::PingFor { target: *node } }),
                );
            }
            if peer.gives_up(now) {
                let (member, silence, patience) = (peer.member(), peer.silence(now), peer.patience());
                effects.push(Effect::Suspect { member, silence, patience });
            }
        }
    }

    /// Returns those who may be asked about others, the most recently heard first.
    fn helpers(&self, now: Moment) -> Vec<NodeId> {
        let mut heard: Vec<&Peer> = self.peers.values().filter(|peer| peer.is_heard(now)).collect();
        heard.sort_by_key(|peer| (std::cmp::Reverse(peer.heard()), peer.member().node));
        // One more than are asked: the silent one may still be among them.
        heard.iter().map(|peer| peer.member().node).take(HELPERS + 1).collect()
    }

    /// Returns whom this node suspects.
    pub fn suspects(&self) -> BTreeSet<Member> {
        self.peers.values().filter(|peer| peer.is_suspected()).map(Peer::member).collect()
    }

    /// Returns whether messages pass in both directions between this node and `node`, as far as the last beats tell.
    pub fn reaches(&self, now: Moment, node: NodeId) -> bool {
        node == self.own.node
            || self.peers.get(&node).is_some_and(|peer| peer.is_heard(now) && peer.hears(self.own.node))
    }

    /// Returns true if the system group would be better led from here than by `leader`: this node reaches everybody whom the leader
    /// reaches, and with those of the `voters` whom it does not it is a majority, which the leader cannot keep from voting.
    ///
    /// Nobody passes entries on for a leader. Whoever is cut off from it, and vouched for by others, is not fenced and learns nothing new.
    pub fn leads_better(&self, now: Moment, leader: NodeId, voters: &BTreeSet<NodeId>) -> bool {
        let Some(leading) = self.peers.get(&leader).filter(|_| self.reaches(now, leader)) else { return false };
        if !voters.contains(&self.own.node) {
            return false;
        }
        let mut freed = 1;
        for (node, peer) in self.peers.iter().filter(|(node, peer)| **node != leader && !peer.is_suspected()) {
            let is_led = leading.hears(*node) && peer.hears(leader);
            match (self.reaches(now, *node), is_led) {
                (false, true) => return false,
                (true, false) => freed += usize::from(voters.contains(node)),
                (true, true) | (false, false) => {}
            }
        }
        freed > 1 && freed > voters.len() / 2
    }

    /// Returns what is known of every other node, by number.
    pub fn views(&self, now: Moment) -> Vec<View> {
        self.peers.values().map(|peer| peer.view(now, self.own.node)).collect()
    }

    /// Returns the evidence on which `member` may be fenced; none if it is not enough, see [`Evidence::suffices`].
    ///
    /// Those report whose beats this node hears, and this node itself. A node that nobody hears reports nothing, so what a
    /// part of the group without the leader believes does not count.
    pub fn evidence(&self, now: Moment, member: Member) -> Option<Evidence> {
        let accused = self.peers.get(&member.node).filter(|peer| peer.member() == member && peer.is_suspected())?;
        let reporters = || self.peers.values().filter(|peer| peer.member() != member && peer.is_heard(now));
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let evidence = Evidence {
            silence_millis: u64::try_from(accused.silence(now).as_millis()).unwrap_or(u64::MAX),
            suspecting: count(1 + reporters().filter(|peer| peer.suspects(member)).count()),
            reporting: count(1 + reporters().count()),
        };
        evidence.suffices().then_some(evidence)
    }
}
