//! How a node without a cluster comes to one: it joins the one that the nodes of its list belong to, or begins one with them.
//!
//! Problem: three nodes that start at once with the same list must become one cluster. Two of them must not become one each, whatever
//! messages are lost, and if one of them starts later on a disk that was wiped.
//!
//! Promise: of all nodes that are started with one list only the first of it, in the order of addresses, may begin a cluster; so no two
//! can. It does so only when no node that it reaches belongs to one, and a majority of the list has answered that it has none and was
//! started with the same list: a first node that has lost its disk therefore joins the others as soon as it reaches a majority of
//! them, and waits until then. All others wait to be let in, by any member that they reach.
//!
//! Departure from host ids: who is first follows from the list, which everybody has, and not from names that only those tell who
//! answer; with names, two nodes that cannot hear each other could each take itself for the first.

use std::time::Duration;

use futures_util::future::join_all;
use steward_model::{NodeId, codec};
use steward_protocol::cluster::Refused;
use steward_protocol::cluster::command::Registration;

use super::ask::{Ask, Registered, Said};
use super::engine::DECISION_WAIT;
use crate::config::PeerAddress;
use crate::peer::{Guest, Links, Topic};

/// Pause before everybody is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// After how many attempts a node that waits says so in the log again.
const ATTEMPTS_PER_WORD: u32 = 50;

/// What has become of a node without a cluster.
pub(super) enum Found {
    /// It may begin one.
    Begins,
    /// It was let into one.
    Joined(Box<Registered>),
}

/// Why a node is not let in, and will not be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The group says no.
    #[error("the group refuses this node: {0}")]
    Refused(Refused),
    /// The group knows the store, and its part of the system group is gone.
    #[error(
        "the group knows this data folder as that of node {node}, but its folder `system` is gone: restore the whole data folder \
         from a backup, or start on an empty one"
    )]
    KnownStore {
        /// The number of the node.
        node: NodeId,
    },
}

/// Who is looking for a cluster.
pub(super) struct Seeker<'a> {
    pub(super) links: &'a Links,
    /// All nodes of the list, this one among them if it is listed; sorted.
    pub(super) list: &'a [PeerAddress],
    pub(super) registration: &'a Registration,
    /// True if this data folder has never asked to be let in.
    pub(super) first: bool,
    /// Takes what is waited for.
    pub(super) waits: &'a (dyn Fn(String) + Send + Sync),
}

/// What one look around has shown.
#[derive(Default)]
struct Look {
    /// Nodes without a cluster that were started with the same list.
    alike: usize,
    /// Nodes without a cluster that were started with another list.
    strangers: Vec<String>,
    /// Nodes that belong to a cluster.
    members: Vec<Guest>,
    /// Nodes that did not answer.
    silent: Vec<String>,
}

impl Seeker<'_> {
    /// Looks for a cluster until there is one.
    ///
    /// # Errors
    /// [`Error`] if there is one that does not let this node in.
    pub(super) async fn find(&self) -> Result<Found, Error> {
        let mut attempts = 0_u32;
        loop {
            let look = self.look().await;
            for member in &look.members {
                if let Some(registered) = self.join(member).await? {
                    return Ok(Found::Joined(registered));
                }
            }
            if look.members.is_empty() && self.may_begin(&look) {
                return Ok(Found::Begins);
            }
            let waits = self.words(&look);
            if attempts.is_multiple_of(ATTEMPTS_PER_WORD) {
                tracing::info!(waits, "waiting for a cluster");
            }
            (self.waits)(waits);
            attempts = attempts.wrapping_add(1);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&self) -> Look {
        let ourselves = self.links.ourselves();
        let others = self.list.iter().filter(|address| **address != ourselves.address);
        let asked = others.map(|address| async move { (address, Guest::connect(self.links, address).await) });
        let mut look = Look::default();
        for (address, answer) in join_all(asked).await {
            match answer {
                Ok(guest) if guest.hello().group.is_some() => look.members.push(guest),
                Ok(guest) if guest.hello().list == ourselves.list => look.alike += 1,
                Ok(_) => look.strangers.push(address.to_string()),
                Err(_) => look.silent.push(address.to_string()),
            }
        }
        look
    }

    fn is_first(&self) -> bool {
        self.list.first() == Some(&self.links.ourselves().address)
    }

    fn may_begin(&self, look: &Look) -> bool {
        self.is_first() && (look.alike + 1) * 2 > self.list.len()
    }

    fn words(&self, look: &Look) -> String {
        let mut words = Vec::new();
        if !look.members.is_empty() {
            words.push("the cluster has no leader that could let this node in".to_owned());
        }
        if !look.silent.is_empty() {
            words.push(format!("no answer from {}", look.silent.join(", ")));
        }
        if !look.strangers.is_empty() {
            words.push(format!("started with another list of nodes: {}", look.strangers.join(", ")));
        }
        words.extend(self.links.refused().into_iter().map(|refused| format!("{}: {}", refused.peer, refused.reason)));
        if words.is_empty() {
            let first = self.list.first().map(ToString::to_string).unwrap_or_default();
            words.push(format!("{first} is the first of the list, and has not begun the cluster yet"));
        }
        words.join("; ")
    }

    /// Asks a member, and whoever it names as the leader, to be let in. None: not now.
    async fn join(&self, member: &Guest) -> Result<Option<Box<Registered>>, Error> {
        match self.ask(member).await? {
            Some(Said::Registered(registered)) => Ok(Some(registered)),
            Some(Said::NotLeader { address: Some(address), .. }) => {
                let Ok(leader) = Guest::connect(self.links, &PeerAddress::said(&address)).await else {
                    return Ok(None);
                };
                match self.ask(&leader).await? {
                    Some(Said::Registered(registered)) => Ok(Some(registered)),
                    Some(_) | None => Ok(None),
                }
            }
            Some(_) | None => Ok(None),
        }
    }

    async fn ask(&self, guest: &Guest) -> Result<Option<Said>, Error> {
        let ask = Ask::Register {
            registration: self.registration.clone(),
            address: self.links.ourselves().address.to_string(),
            first: self.first,
        };
        let answer = guest.ask(Topic::Control, codec::encode(&ask), DECISION_WAIT).await;
        let answer = answer.map_err(|error| tracing::debug!(%error, "not let in yet")).ok();
        match answer.and_then(|bytes| codec::decode(&bytes).ok()) {
            Some(Said::Refused(refused)) => Err(Error::Refused(refused)),
            Some(Said::KnownStore { node }) => Err(Error::KnownStore { node }),
            said => Ok(said),
        }
    }
}
