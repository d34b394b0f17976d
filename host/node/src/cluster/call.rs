//! What Raft says to another node, and hears from it.
//!
//! Every call names cluster, incarnation and the node that is meant, although the connection vouches for them: a leader that talks to
//! itself, or to a node that has got another number since, would stop for good.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use openraft::Raft;
use openraft::error::{InstallSnapshotError, RaftError};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
    VoteResponse,
};
use serde::{Deserialize, Serialize};
use steward_model::codec::{self, Format};
use steward_model::group::GroupId;

use super::types::TypeConfig;
use crate::peer::{Origin, Service};

/// Who is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    pub group: GroupId,
    /// The random id of its incarnation.
    pub incarnation: u128,
    /// The Raft id of the node.
    pub node: u64,
}

/// A call of Raft, and whom it is for.
#[derive(Serialize, Deserialize)]
pub(super) struct Envelope {
    /// Who is meant.
    pub target: Target,
    pub call: Call,
}

impl Format for Envelope {
    const NAME: &'static str = "call of the system group";
}

/// What Raft asks.
#[derive(Serialize, Deserialize)]
pub(super) enum Call {
    /// To append entries, or to hear who leads.
    Append(AppendEntriesRequest<TypeConfig>),
    /// For a vote.
    Vote(VoteRequest<u64>),
    /// To take a part of a snapshot.
    Snapshot(InstallSnapshotRequest<TypeConfig>),
}

/// What Raft answers.
#[derive(Serialize, Deserialize)]
pub(super) enum Reply {
    /// To [`Call::Append`].
    Append(Result<AppendEntriesResponse<u64>, RaftError<u64>>),
    /// To [`Call::Vote`].
    Vote(Result<VoteResponse<u64>, RaftError<u64>>),
    /// To [`Call::Snapshot`].
    Snapshot(Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>),
}

impl Format for Reply {
    const NAME: &'static str = "answer of the system group";
}

/// Answers the calls of others.
pub(super) struct Answers {
    pub(super) raft: Raft<TypeConfig>,
    /// Who this node is.
    pub(super) own: Target,
}

impl Service for Answers {
    fn request(&self, _from: &Origin, body: Bytes) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let (raft, own) = (self.raft.clone(), self.own);
        Box::pin(async move {
            let Envelope { target, call } = codec::decode(&body).map_err(|error| error.to_string())?;
            if target != own {
                return Err(format!("the call is for node {} of another cluster or number than this one", target.node));
            }
            let reply = match call {
                Call::Append(request) => Reply::Append(raft.append_entries(request).await),
                Call::Vote(request) => Reply::Vote(raft.vote(request).await),
                Call::Snapshot(request) => Reply::Snapshot(raft.install_snapshot(request).await),
            };
            Ok(codec::encode(&reply))
        })
    }
}

impl Answers {
    /// Returns what is offered to other nodes.
    pub(super) fn offered(raft: &Raft<TypeConfig>, own: Target) -> Arc<dyn Service> {
        Arc::new(Answers { raft: raft.clone(), own })
    }
}
