//! Clients. Each sends one request after the other, sends it again until it is answered, and sometimes once more after
//! that.

use std::collections::BTreeMap;

use steward_model::update::RequestKey;
use steward_model::{Lane, Link, PartitionId, Position};

use crate::random::Random;
use crate::requests::{Request, Wish};
use crate::tasks::place;

/// Documents per partition: few, so that updates meet.
const DOCUMENTS: usize = 3;

/// Largest number of bytes that make a document larger.
const PADDING_BYTES_MAX: usize = 6000;

/// What a client is at.
#[derive(Debug, Clone, Default)]
pub(crate) enum State {
    /// It wants nothing, or something new.
    #[default]
    Idle,
    /// Its request is under way.
    Waiting(Request),
    /// Its request has to be sent again.
    Again(Request),
}

/// All clients.
#[derive(Debug)]
pub(crate) struct Clients {
    states: Vec<State>,
    links: Vec<Link>,
    sent: u64,
    /// The first answer to each request.
    answers: BTreeMap<(Link, RequestKey), Position>,
}

impl Clients {
    pub(crate) fn new(partitions: &[PartitionId], random: &mut Random) -> Clients {
        let mut links = Vec::new();
        for partition in partitions {
            let lane = if partition.lane == Lane::Persisted { "persisted" } else { "volatile" };
            links.extend((0..DOCUMENTS).map(|number| {
                Link::parse(&format!("/{lane}/{}/{number}", partition.index)).expect("letters and digits")
            }));
        }
        Clients { states: vec![State::Idle; 3 + random.below(6)], links, sent: 0, answers: BTreeMap::new() }
    }

    /// Returns the documents of this world.
    pub(crate) fn links(&self) -> &[Link] {
        &self.links
    }

    /// Returns one of them.
    pub(crate) fn link(&self, random: &mut Random) -> Link {
        self.links[random.below(self.links.len())].clone()
    }

    /// Returns what a client sends next, if nothing of it is under way; `is_last`: it begins nothing new.
    pub(crate) fn next(&mut self, random: &mut Random, is_last: bool) -> Option<(usize, Request)> {
        let index = random.below(self.states.len());
        self.next_of(index, random, is_last).map(|request| (index, request))
    }

    /// As [`Clients::next`], of one client.
    pub(crate) fn next_of(&mut self, index: usize, random: &mut Random, is_last: bool) -> Option<Request> {
        let request = match std::mem::take(&mut self.states[index]) {
            State::Idle if is_last => return None,
            State::Idle => self.wish(random),
            State::Again(request) => request,
            State::Waiting(request) => {
                self.states[index] = State::Waiting(request);
                return None;
            }
        };
        self.states[index] = State::Waiting(request.clone());
        Some(request)
    }

    /// Returns what somebody wants next.
    pub(crate) fn wish(&mut self, random: &mut Random) -> Request {
        self.sent += 1;
        let link = self.link(random);
        let wish = match random.below(20) {
            0..8 => Wish::Put(if random.below(8) == 0 { random.below(PADDING_BYTES_MAX) } else { 0 }),
            8..12 => Wish::Issue(self.effects(&link, random)),
            12 | 13 => Wish::Touch,
            14..17 => Wish::Delete,
            17 => Wish::Renew,
            18 | 19 => Wish::Expiring(1 + random.below(200_000) as i64),
            other => unreachable!("{other} is below 20"),
        };
        Request { name: format!("r{}", self.sent), is_keyed: random.below(4) > 0, link, wish }
    }

    fn effects(&self, from: &Link, random: &mut Random) -> Vec<(Link, i64, bool)> {
        let count = 1 + random.below(3);
        let mut wanted = Vec::new();
        for _ in 0..count {
            let to = self.link(random);
            // Nobody remembers for good what is sent to memory; from there to the disk nothing is promised either.
            let delay = if random.below(3) == 0 { 1 + random.below(2000) as i64 } else { 0 };
            let tagged = random.below(3) == 0 && to != *from;
            wanted.push((to, delay, tagged));
        }
        wanted
    }

    /// Takes note that a request has to be sent again, or that nothing more can be done for it.
    pub(crate) fn unanswered(&mut self, client: usize, is_unknown: bool) {
        let State::Waiting(request) = std::mem::take(&mut self.states[client]) else { return };
        // Without a key a repeat would be another request.
        if request.is_keyed || !is_unknown {
            self.states[client] = State::Again(request);
        }
    }

    /// Takes note of an answer. Now and then the client has not heard it.
    pub(crate) fn answered(&mut self, client: usize, position: Option<Position>, random: &mut Random) {
        let State::Waiting(request) = std::mem::take(&mut self.states[client]) else { return };
        if let (Some(position), Some(key)) = (position, request.key()) {
            self.answers.entry((request.link.clone(), key)).or_insert(position);
        }
        if request.is_keyed && random.below(4) == 0 {
            self.states[client] = State::Again(request);
        }
    }

    /// Returns where the request was answered to be first.
    pub(crate) fn first_answer(&self, request: &Request) -> Option<Position> {
        self.answers.get(&(request.link.clone(), request.key()?)).copied()
    }

    /// Returns how many clients there are.
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// Returns how many clients wait for an answer.
    pub(crate) fn waiting(&self) -> usize {
        self.states.iter().filter(|state| !matches!(state, State::Idle)).count()
    }

    /// Takes note of a crash: what was answered in memory is forgotten there.
    pub(crate) fn crashed(&mut self) {
        self.answers.retain(|(link, _), _| place(link).lane == Lane::Persisted);
    }
}
