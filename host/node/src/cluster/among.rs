//! The start of a node that has peers: it listens, finds its cluster, and takes part in it.
//!
//! All of it runs on the thread for peers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use steward_model::{Member, NodeId};
use steward_protocol::cluster::command::Registration;
use steward_protocol::cluster::{ClusterState, Command};
use tokio::net::TcpListener;

use super::ask::{Ask, Registered, Said};
use super::beats::Beats;
use super::call::Answers;
use super::control_log::ProposeError;
use super::group::Group;
use super::identity::Identity;
use super::joining::{Found, Seeker};
use super::journal::Journal;
use super::keeper::{self, Keeper};
use super::leading::Leads;
use super::opening::{Error, cannot, lead, open_group};
use super::raft::RaftControlLog;
use super::standing::View;
use super::system::{Peers, System};
use crate::clock::Clock;
use crate::config::PeerAddress;
use crate::peer::{Incarnation, Links, Ourselves, Service, Tasks, Topic};
use crate::shutdown::Shutdown;

/// Pause before a leader is asked again to register this node.
const REGISTER_PAUSE: Duration = Duration::from_millis(50);

/// After how many attempts a node that waits for a leader says so in the log again.
const ATTEMPTS_PER_WORD: u32 = 100;

/// A node that has peers, while it starts.
pub(super) struct Among {
    pub(super) tasks: Tasks,
    pub(super) folder: PathBuf,
    pub(super) system: PathBuf,
    pub(super) known: Option<Identity>,
    pub(super) registration: Registration,
    pub(super) clock: Arc<Clock>,
    pub(super) shutdown: Shutdown,
}

impl Among {
    pub(super) async fn start(self, peers: Peers) -> Result<System, Error> {
        let Peers { listener, address, list, secret, waits } = peers;
        let listener = listener.into_std().and_then(TcpListener::from_std).map_err(Error::Listen)?;
        let links = Links::new(self.tasks.clone(), self.ourselves(&address, &list), secret);
        self.tasks.spawn(links.clone().serve(listener));
        let (identity, how) = match &self.known {
            Some(identity) => (identity.clone(), How::Returns),
            None => self.find(&links, &list, &*waits).await?,
        };
        if let How::Begins | How::Returns = how {
            introduce(&links, &identity);
        }
        let (group, journal) = open_group(&self.folder, &identity, Some(links.clone())).await?;
        links.offer(Topic::Raft, Answers::offered(&group.raft, group.own));
        links.offer(Topic::Control, Arc::new(Leads(group.clone())));
        self.tasks.spawn(keeper::follow_members(group.clone()));
        let registered = match how {
            How::Joined(registered) => {
                until_reached(&group, registered.index, &*waits).await;
                *registered
            }
            How::Begins | How::Returns => {
                self.come_to_lead(&group, &identity, matches!(how, How::Begins), (&address, &list)).await?;
                self.register(&group, &identity, &address, &*waits).await?
            }
        };
        Ok(self.take_part(links, group, journal, &registered))
    }

    fn ourselves(&self, address: &PeerAddress, list: &[PeerAddress]) -> Ourselves {
        let mut digest = blake3::Hasher::new();
        for address in list {
            digest.update(address.as_str().as_bytes()).update(b"\n");
        }
        let mut bits = [0; 16];
        digest.finalize_xof().fill(&mut bits);
        Ourselves {
            host: self.registration.host.clone(),
            store: self.registration.store,
            address: address.clone(),
            list: u128::from_be_bytes(bits),
            cluster: None,
            node: None,
            boot: None,
        }
    }

    /// Finds a cluster for a node that has none; returns who this node is in it, and how it comes to it.
    async fn find(
        &self,
        links: &Links,
        list: &[PeerAddress],
        waits: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(Identity, How), Error> {
        let Registration { host, store, .. } = &self.registration;
        let system = self.system.clone();
        let first = tokio::task::spawn_blocking(move || Identity::asks(&system)).await??;
        let seeker = Seeker { links, list, registration: &self.registration, first, waits };
        match seeker.find().await? {
            Found::Begins => {
                tracing::info!("this node begins the cluster");
                Ok((Identity::found(&self.system, host, *store)?, How::Begins))
            }
            Found::Joined(registered) => {
                let Registered { group, incarnation, node, .. } = *registered;
                tracing::info!(%node, "this node was let into a cluster");
                let identity = Identity { group, incarnation, node };
                identity.keep(&self.system, host, *store)?;
                // Known before the first entry tells them: over these links it comes.
                introduce(links, &identity);
                let members = registered.members.iter();
                links.set_peers(&members.map(|(node, at)| (*node, PeerAddress::said(at))).collect());
                Ok((identity, How::Joined(registered)))
            }
        }
    }

    /// Has the only voter of a group lead it. Among several voters an election does.
    async fn come_to_lead(
        &self,
        group: &Group,
        identity: &Identity,
        begins: bool,
        (address, list): (&PeerAddress, &[PeerAddress]),
    ) -> Result<(), Error> {
        let initialized = group.raft.is_initialized().await.map_err(cannot("be asked"))?;
        let voters: Vec<u64> = group.metrics().membership_config.voter_ids().collect();
        // Node 1 has begun the cluster; a crash may have come between that and the first entry. Others are let in, and fed.
        let founds = begins || (!initialized && identity.node == NodeId(1));
        if !founds && voters != [group.own.node] {
            return Ok(());
        }
        lead(&group.raft, group.own.node, address.as_str()).await?;
        if group.states.borrow().is_blank() {
            // Refused where it is only not applied yet.
            let founders = u32::try_from(list.len()).unwrap_or(u32::MAX).max(1);
            let genesis = ClusterState::founding(identity.group, identity.incarnation, founders);
            if let Err(undone) = group.decide(Command::InstallGenesis(Box::new(genesis))).await {
                tracing::debug!(%undone, "first command of the incarnation");
            }
        }
        Ok(())
    }

    /// Registers this process start with whoever leads, as long as that takes.
    async fn register(
        &self,
        group: &Group,
        identity: &Identity,
        address: &PeerAddress,
        waits: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Registered, Error> {
        let ask = Ask::Register {
            registration: self.registration.clone(),
            address: address.to_string(),
            // It has a number; whether that is known to the group, the group says.
            first: false,
        };
        let mut attempts = 0_u32;
        loop {
            match group.ask_leader(ask.clone()).await {
                Some(Said::Registered(registered)) if registered.node == identity.node => {
                    if group.reached(registered.index).await {
                        return Ok(*registered);
                    }
                }
                Some(Said::Registered(registered)) => {
                    let assigned = format!("node {}", registered.node);
                    return Err(Error::Assigned { expected: identity.node, assigned });
                }
                Some(Said::Refused(refused)) => return Err(ProposeError::Refused(refused).into()),
                Some(said @ Said::Applied { .. }) => {
                    let assigned = format!("{said:?}");
                    return Err(Error::Assigned { expected: identity.node, assigned });
                }
                Some(Said::Newest { .. } | Said::KnownStore { .. } | Said::NotLeader { .. } | Said::Undecided)
                | None => {}
            }
            if attempts.is_multiple_of(ATTEMPTS_PER_WORD) {
                let words = missing(group);
                tracing::info!(waits = words, "waiting for the system group");
                waits(words);
            }
            attempts = attempts.wrapping_add(1);
            tokio::time::sleep(REGISTER_PAUSE).await;
        }
    }

    /// Begins everything that a registered node does by itself.
    fn take_part(self, links: Links, group: Group, journal: Arc<Journal>, registered: &Registered) -> System {
        let Registered { node, boot, .. } = *registered;
        tracing::info!(%node, boot = boot.0, "registered with the system group");
        let own = Member { node, boot };
        links.identify(|ourselves| ourselves.boot = Some(boot));
        let beats = Beats::new(Arc::clone(&self.clock), links.clone(), own);
        links.offer(Topic::Liveness, Arc::clone(&beats) as Arc<dyn Service>);
        self.tasks.spawn(Arc::clone(&beats).run(group.clone()));
        let (clock, shutdown) = (self.clock, self.shutdown);
        let keeper = Keeper { group: group.clone(), beats: Arc::clone(&beats), clock, own, shutdown };
        self.tasks.spawn(keeper.run());
        let control = Arc::new(RaftControlLog { group: group.clone(), journal, own });
        let view = View { group, beats: Some(beats) };
        System { control, node, boot, view, thread: None }
    }
}

/// Says from now on who this node is in its cluster.
fn introduce(links: &Links, identity: &Identity) {
    links.identify(|ourselves| {
        ourselves.cluster = Some((identity.group, Incarnation(identity.incarnation)));
        ourselves.node = Some(identity.node);
    });
}

/// How a process comes to its cluster.
enum How {
    /// Its node begins the cluster.
    Begins,
    /// Its node was let into the cluster, and this process was registered with that.
    Joined(Box<Registered>),
    /// Its node belongs to the cluster.
    Returns,
}

/// Returns once this node knows what was decided up to the entry `index`, as long as that takes.
async fn until_reached(group: &Group, index: u64, waits: &(dyn Fn(String) + Send + Sync)) {
    while !group.reached(index).await {
        let words = missing(group);
        tracing::info!(waits = words, "waiting for the system group");
        waits(words);
    }
}

/// Returns what a node that is not registered yet waits for.
fn missing(group: &Group) -> String {
    let metrics = group.metrics();
    let voters: Vec<String> = metrics.membership_config.voter_ids().map(|id| id.to_string()).collect();
    let refused = group.links.as_ref().map(Links::refused).unwrap_or_default();
    let refused: String =
        refused.into_iter().map(|refused| format!("; {}: {}", refused.peer, refused.reason)).collect();
    let words = match metrics.current_leader {
        Some(leader) => format!("node {leader} leads the system group and does not answer"),
        None if voters.is_empty() => "nothing has come from the leader of the system group yet".to_owned(),
        None => format!("the system group has no leader: more than half of nodes {} must be there", voters.join(", ")),
    };
    words + &refused
}
