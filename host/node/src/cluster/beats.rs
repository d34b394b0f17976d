//! The hands of `steward_protocol::liveness`: its messages over the urgent links, its ticks, its opinions into the log.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use steward_model::node::NodeStatus;
use steward_model::{Member, NodeId, codec};
use steward_protocol::cluster::ClusterState;
use steward_protocol::liveness::{Effect, Event, Evidence, Liveness, Message, TICK, View};
use tokio::time::MissedTickBehavior;

use super::group::Group;
use crate::clock::Clock;
use crate::peer::{Lane, Links, Origin, Service, Topic};

/// Who is there, as this node sees it.
pub(super) struct Beats {
    clock: Arc<Clock>,
    links: Links,
    core: Mutex<Liveness>,
}

impl Beats {
    pub(super) fn new(clock: Arc<Clock>, links: Links, own: Member) -> Arc<Beats> {
        let core = Mutex::new(Liveness::new(clock.now(), own));
        Arc::new(Beats { clock, links, core })
    }

    fn core(&self) -> MutexGuard<'_, Liveness> {
        // A panic on the thread for peers ends the process.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, event: Event) {
        let mut effects = Vec::new();
        self.core().handle(self.clock.now(), event, &mut effects);
        for effect in effects {
            match effect {
                Effect::Send { to, message } => {
                    self.links.notify(to, Lane::Urgent, Topic::Liveness, codec::encode(&message));
                }
                Effect::Suspect { member, silence, patience } => {
                    let (silent, patience) = (silence.as_millis(), patience.as_millis());
                    tracing::info!(node = %member, silent_millis = silent, patience_millis = patience, "node is silent");
                }
                Effect::Trust { member } => tracing::info!(node = %member, "node is heard again"),
                Effect::Overslept { span } => {
                    tracing::warn!(millis = span.as_millis(), "this node was held up; the time counts against nobody");
                }
            }
        }
    }

    /// Returns what is known of the other nodes.
    pub(super) fn views(&self) -> Vec<View> {
        self.core().views(self.clock.now())
    }

    /// Returns whom this node suspects.
    pub(super) fn suspects(&self) -> BTreeSet<Member> {
        self.core().suspects()
    }

    /// Returns the evidence on which a process start may be fenced.
    pub(super) fn evidence(&self, member: Member) -> Option<Evidence> {
        self.core().evidence(self.clock.now(), member)
    }

    /// Returns whether messages pass to and from `node`.
    pub(super) fn reaches(&self, node: NodeId) -> bool {
        self.core().reaches(self.clock.now(), node)
    }

    /// Returns whether the system group would be better led from here than by `leader`.
    pub(super) fn leads_better(&self, leader: NodeId, voters: &BTreeSet<NodeId>) -> bool {
        self.core().leads_better(self.clock.now(), leader, voters)
    }

    /// Beats until the task is ended. Runs on the thread for peers, which nothing holds up.
    pub(super) async fn run(self: Arc<Self>, group: Group) {
        let mut states = group.states.clone();
        let mut ticks = tokio::time::interval(TICK);
        // Ticks that were missed are gone: how late the next one is tells the core that it slept.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let registered = members(&states.borrow_and_update());
        self.handle(Event::Registered(registered));
        loop {
            tokio::select! {
                _ = ticks.tick() => self.handle(Event::Ticked),
                changed = states.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let registered = members(&states.borrow_and_update());
                    self.handle(Event::Registered(registered));
                }
            }
        }
    }
}

/// Returns the process starts that should beat.
fn members(state: &ClusterState) -> BTreeSet<Member> {
    let beats = |status: NodeStatus| status != NodeStatus::Replaced;
    state.group().nodes().filter(|node| beats(node.status)).map(|node| node.member()).collect()
}

impl Service for Beats {
    fn notice(&self, from: &Origin, body: Bytes) {
        // Before it has registered a process has no start that could be counted.
        let Some(from) = from.member() else { return };
        match codec::decode::<Message>(&body) {
            Ok(message) => self.handle(Event::Arrived { from, message }),
            Err(error) => tracing::debug!(%error, peer = %from, "beat not understood"),
        }
    }
}
