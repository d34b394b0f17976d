//! The network of a group: links that delay, reorder, lose and repeat, and that may be cut in one direction.

use std::collections::{BTreeMap, BTreeSet};

use steward_protocol::replica::Member;
use steward_replication::mail::Letter;

/// Messages that a link holds, at most; beyond that the oldest are lost.
const FLIGHTS_MAX: usize = 64;

/// A message on its way.
#[derive(Debug, Clone)]
pub(crate) struct Flight {
    pub(crate) from: Member,
    pub(crate) letter: Letter,
}

#[derive(Debug, Default)]
pub(crate) struct Network {
    links: BTreeMap<(usize, usize), Vec<Flight>>,
    cut: BTreeSet<(usize, usize)>,
}

impl Network {
    /// Takes a message; returns false if the link is cut.
    pub(crate) fn send(&mut self, link: (usize, usize), flight: Flight) -> bool {
        if self.cut.contains(&link) {
            return false;
        }
        let flights = self.links.entry(link).or_default();
        if flights.len() >= FLIGHTS_MAX {
            flights.remove(0);
        }
        flights.push(flight);
        true
    }

    /// Returns the links that hold something.
    pub(crate) fn busy(&self) -> Vec<(usize, usize)> {
        self.links.iter().filter(|(_, flights)| !flights.is_empty()).map(|(link, _)| *link).collect()
    }

    /// Returns how many messages a link holds.
    pub(crate) fn len(&self, link: (usize, usize)) -> usize {
        self.links.get(&link).map_or(0, Vec::len)
    }

    /// Takes a message off a link, or a copy of it.
    pub(crate) fn take(&mut self, link: (usize, usize), index: usize, is_copy: bool) -> Option<Flight> {
        let flights = self.links.get_mut(&link).filter(|flights| index < flights.len())?;
        Some(if is_copy { flights[index].clone() } else { flights.remove(index) })
    }

    /// Loses everything that a link holds.
    pub(crate) fn lose(&mut self, link: (usize, usize)) {
        self.links.remove(&link);
    }

    pub(crate) fn cut(&mut self, link: (usize, usize)) {
        self.links.remove(&link);
        self.cut.insert(link);
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }

    /// Ends the connections of a node: what was queued dies with them.
    pub(crate) fn disconnect(&mut self, site: usize) {
        self.links.retain(|(from, to), _| *from != site && *to != site);
    }
}
