//! How Raft reaches other nodes: over their links, or not at all in a group of one.

use std::time::Duration;

use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
    VoteResponse,
};
use openraft::{AnyError, BasicNode};
use steward_model::codec;

use super::call::{Call, Envelope, Reply, Target};
use super::engine;
use super::types::TypeConfig;
use crate::peer::{Lane, Links, Topic};

/// Pause before a node is called again that could not be reached. Shorter than an election: a link that was made anew must be in use
/// before anybody misses the leader.
const PAUSE: Duration = Duration::from_millis(50);

/// The way to all other nodes.
#[derive(Clone)]
pub(super) enum Network {
    /// There are none.
    Alone,
    /// By their links; `own` says which cluster this is.
    Links {
        /// The connections.
        links: Links,
        /// This node.
        own: Target,
    },
}

/// The way to one node.
pub(super) struct Way {
    network: Network,
    node: u64,
}

/// Why a node was not reached.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("this node was started without peers: start it with --peer-nodes")]
    Alone,
    #[error("node {node} is out of reach: {reason}")]
    Link { node: u64, reason: String },
}

type CallError<E = openraft::error::Infallible> = RPCError<u64, BasicNode, RaftError<u64, E>>;

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Way;

    async fn new_client(&mut self, target: u64, _node: &BasicNode) -> Way {
        Way { network: self.clone(), node: target }
    }
}

impl Way {
    async fn call(&self, call: Call, within: Duration) -> Result<Reply, Failure> {
        let Network::Links { links, own } = &self.network else { return Err(Failure::Alone) };
        let failure = |reason: String| Failure::Link { node: self.node, reason };
        let node = engine::node_id(self.node).ok_or_else(|| failure("it has no number".to_owned()))?;
        let body = codec::encode(&Envelope { target: Target { node: self.node, ..*own }, call });
        let answered = links.request(node, Lane::Urgent, Topic::Raft, body, within).await;
        let answer = answered.map_err(|error| failure(error.to_string()))?;
        codec::decode(&answer).map_err(|error| failure(error.to_string()))
    }

    fn unreachable<E: std::error::Error>(&self, failure: &Failure) -> CallError<E> {
        RPCError::Unreachable(Unreachable::from(AnyError::new(failure)))
    }

    /// Another answer than the one to what was asked.
    fn strange<E: std::error::Error>(&self) -> CallError<E> {
        let reason = "it answers something else than was asked".to_owned();
        self.unreachable(&Failure::Link { node: self.node, reason })
    }

    fn remote<E: std::error::Error>(&self, error: RaftError<u64, E>) -> CallError<E> {
        RPCError::RemoteError(RemoteError::new(self.node, error))
    }
}

impl RaftNetwork<TypeConfig> for Way {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        match self.call(Call::Append(request), option.hard_ttl()).await {
            Ok(Reply::Append(answer)) => answer.map_err(|error| self.remote(error)),
            Ok(Reply::Vote(_) | Reply::Snapshot(_)) => Err(self.strange()),
            Err(failure) => Err(self.unreachable(&failure)),
        }
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, RPCError<u64, BasicNode, RaftError<u64, InstallSnapshotError>>> {
        match self.call(Call::Snapshot(request), option.hard_ttl()).await {
            Ok(Reply::Snapshot(answer)) => answer.map_err(|error| self.remote(error)),
            Ok(Reply::Append(_) | Reply::Vote(_)) => Err(self.strange()),
            Err(failure) => Err(self.unreachable(&failure)),
        }
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        match self.call(Call::Vote(request), option.hard_ttl()).await {
            Ok(Reply::Vote(answer)) => answer.map_err(|error| self.remote(error)),
            Ok(Reply::Append(_) | Reply::Snapshot(_)) => Err(self.strange()),
            Err(failure) => Err(self.unreachable(&failure)),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(PAUSE))
    }
}
