//! How Raft reaches other nodes: over their links, or not at all in a group of one.

use std::time::Duration;

use openraft::error::{InstallSnapshotError, PayloadTooLarge, RPCError, RaftError, RemoteError, Unreachable};
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
use crate::peer::{self, Lane, Links, Topic};

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
enum Unreached {
    #[error("this node was started without peers: start it with --peer-nodes")]
    Alone,
    #[error("node {node} is out of reach: {reason}")]
    Link { node: u64, reason: String },
    #[error("a call of {bytes} bytes to node {node} is too large, {most} are possible")]
    TooLarge { node: u64, bytes: usize, most: usize },
}

type CallError<E = openraft::error::Infallible> = RPCError<u64, BasicNode, RaftError<u64, E>>;

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Way;

    async fn new_client(&mut self, target: u64, _node: &BasicNode) -> Way {
        Way { network: self.clone(), node: target }
    }
}

impl Way {
    async fn call(&self, call: Call, within: Duration) -> Result<Reply, Unreached> {
        let Network::Links { links, own } = &self.network else { return Err(Unreached::Alone) };
        let failure = |reason: String| Unreached::Link { node: self.node, reason };
        let node = engine::node_id(self.node).ok_or_else(|| failure("it has no number".to_owned()))?;
        let body = codec::encode(&Envelope { target: Target { node: self.node, ..*own }, call });
        match links.request(node, Lane::Urgent, Topic::Raft, body, within).await {
            Ok(answer) => codec::decode(&answer).map_err(|error| failure(error.to_string())),
            Err(peer::Error::TooLarge { bytes, most }) => Err(Unreached::TooLarge { node: self.node, bytes, most }),
            Err(
                error @ (peer::Error::NotConnected
                | peer::Error::Refused(_)
                | peer::Error::Broken
                | peer::Error::Late(_)),
            ) => Err(failure(error.to_string())),
        }
    }

    fn unreachable<E: std::error::Error>(&self, failure: &Unreached) -> CallError<E> {
        RPCError::Unreachable(Unreachable::from(AnyError::new(failure)))
    }

    /// Another answer than the one to what was asked.
    fn strange<E: std::error::Error>(&self) -> CallError<E> {
        let reason = "it answers something else than was asked".to_owned();
        self.unreachable(&Unreached::Link { node: self.node, reason })
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
        let entries = request.entries.len();
        match self.call(Call::Append(request), option.hard_ttl()).await {
            Ok(Reply::Append(answer)) => answer.map_err(|error| self.remote(error)),
            Ok(Reply::Vote(_) | Reply::Snapshot(_)) => Err(self.strange()),
            Err(Unreached::TooLarge { .. }) if entries > 1 => Err(fewer(entries)),
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

/// Asks Raft for a call with half of the entries. One entry always fits: the size of a command is bounded, see [`super::raft`].
fn fewer(entries: usize) -> CallError<openraft::error::Infallible> {
    let half = u64::try_from(entries / 2).unwrap_or(u64::MAX).max(1);
    RPCError::PayloadTooLarge(PayloadTooLarge::new_entries_hint(half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_too_large_is_halved_down_to_one_entry() {
        let mut entries = 300_u64;
        while entries > 1 {
            let RPCError::PayloadTooLarge(hint) = fewer(usize::try_from(entries).expect("few")) else {
                panic!("another error")
            };
            assert!((1..entries).contains(&hint.entries_hint()));
            entries = hint.entries_hint();
        }
    }
}
