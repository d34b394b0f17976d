//! Reads that any copy may answer: how far the one of this node has come, and what its answer says of that.
//!
//! Promise: what is shown is committed, and holds everything up to the position that the reader has named. It need not be the newest
//! state, for no other node is asked. The owner answers instead if this copy does not count, or if the document can be shown only by the
//! guest where it is owned.

use std::sync::Arc;

use steward_model::service::Handler;
use steward_model::{Link, Position};

use super::Error;
use super::freshness::{Copied, Freshness};
use super::request::Reply;
use super::road::Road;
use super::wait::Waiting;
use crate::partition::Standing;

/// Returns up to where the copy of this node answers the read; none if another one has to.
///
/// # Errors
/// [`Error::CopyBehind`] if it has not come as far as the reader has seen by the operation's deadline, [`Error::NotInLog`] if it
/// never will.
pub(super) async fn position(road: Road<'_>) -> Result<Option<Position>, Error> {
    let Freshness::Copy { at_least } = road.operation.freshness else { return Ok(None) };
    // Handlers run at owners only, and `handle-start` before them.
    if road.service.handles(Handler::HandleGet) && road.partition.admits().is_err() {
        return Ok(None);
    }
    let (waiting, began) = (road.waiting(), road.operations.clock.now());
    loop {
        // Registered before the look: a copy that counts no longer gets no further.
        let changed = road.partition.serving().changed();
        let behind = match road.partition.standing(at_least) {
            Standing::Shows(position) => return Ok(Some(position)),
            Standing::Uncounted => return Ok(None),
            Standing::Elsewhere => return Err(not_in_log(road.link(), at_least)),
            Standing::Behind(behind) => behind,
        };
        // What was acknowledged is committed at its owner; what an owner lacks that still is one was never acknowledged.
        if road.partition.admits().is_ok() && waiting.confirmed(waiting.ask()).await.is_ok() {
            match road.partition.standing(at_least) {
                Standing::Behind(_) => return Err(not_in_log(road.link(), at_least)),
                Standing::Shows(_) | Standing::Uncounted | Standing::Elsewhere => continue,
            }
        }
        let shows = behind.shows;
        let moved = async {
            tokio::select! {
                () = behind.passed() => {}
                () = changed => {}
            }
        };
        if waiting.in_time(moved).await.is_none() {
            let seconds = road.operations.clock.now().since(began).as_secs();
            return Err(late(waiting, at_least, shows, seconds));
        }
    }
}

fn not_in_log(link: &Link, at_least: Option<Position>) -> Error {
    Error::NotInLog { link: link.clone(), named: at_least.unwrap_or_default() }
}

fn late(waiting: Waiting<'_>, at_least: Option<Position>, shows: Position, seconds: u64) -> Error {
    Error::CopyBehind {
        link: waiting.operation.link.clone(),
        partition: waiting.partition.id(),
        named: at_least.unwrap_or_default(),
        shows,
        seconds,
    }
}

/// Returns what the copy of this node, which shows everything through `position`, answers.
pub(super) fn said(road: Road<'_>, position: Position, answer: Result<Reply, Error>) -> Result<Reply, Error> {
    let copied = Copied { node: road.operations.owner().to_owned(), position };
    match answer {
        Ok(reply) => Ok(Reply { owner: owner(road), copy: Some(copied), ..reply }),
        // What is not there, or not so, is seen in a state as well.
        Err(
            seen @ (Error::NotFound { .. }
            | Error::Expired { .. }
            | Error::VersionNotFound { .. }
            | Error::Deleted { .. }
            | Error::PreconditionFailed { .. }),
        ) => Err(Error::OfCopy { error: Box::new(seen), copied }),
        Err(other) => Err(other),
    }
}

/// Returns the name of the document's owner as far as this node knows; none: this node.
fn owner(road: Road<'_>) -> Option<Arc<str>> {
    let state = road.operations.gate.state();
    let primary = state.row(road.partition.id())?.primary;
    let owner = state.node(primary.node)?.host.to_string();
    (owner != road.operations.owner()).then(|| owner.into())
}
