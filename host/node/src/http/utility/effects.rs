//! `/effects`: what a document, or all documents of a factory, still have to send: effects on their way, and those that wait for their
//! time, which authors call timers.

use std::sync::Arc;

use futures_util::future::try_join_all;
use http::StatusCode;
use serde_json::{Value, json};
use steward_model::update::PendingEffect;
use steward_model::{Lane, Link, Timestamp};
use steward_protocol::cluster::ClusterState;

use crate::failure;
use crate::http::Http;
use crate::http::decode;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::route::{Target, Utility, route};
use crate::operation;
use crate::outbox;
use crate::partition::{Partition, Partitions, Senders, flushed_lane};
use crate::service::Found;

/// Query parameters that are read.
pub(super) const PARAMETERS: [&str; 1] = ["limit"];

/// How many effects an answer has that does not say otherwise, and at the most.
const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

/// Most effects that are looked at for one answer; beyond it the counts are those of a part.
const SEEN_MAX: usize = 100_000;

/// Partitions whose owners are asked at once to give up what a factory has to send.
const ASKED_AT_ONCE: usize = 16;

/// Whose effects are meant, and where they may lie.
pub(super) struct Whose {
    senders: Senders,
    lanes: Vec<Lane>,
}

impl Whose {
    /// Returns whose effects are those at `link`, where this was found; of the effects that a service has left behind when it was
    /// taken away, nobody knows any more in which lane it was.
    ///
    /// # Errors
    /// [`Error::Operation`] if nothing is there that has documents.
    pub(super) fn of(http: &Http, link: &Link) -> Result<Whose, Error> {
        let whose = |senders: fn(Link) -> Senders, lanes| Ok(Whose { senders: senders(link.clone()), lanes });
        let services = http.operations().services();
        let found = services.find(link);
        match &found {
            Some(Found::Child(service)) => return whose(Senders::Document, vec![service.lane()]),
            Some(Found::Factory(service)) => return whose(Senders::Factory, vec![service.lane()]),
            Some(Found::Stateless(_)) | None => {}
        }
        match (left_behind(&http.parts.control.state(), link), found) {
            (Some(senders), _) => whose(senders, vec![Lane::Persisted, Lane::Volatile]),
            (None, Some(_)) => {
                let (is, what) = ("a service without documents", "effects");
                Err(Error::NotKept { link: link.clone(), is, what })
            }
            (None, None) => Err(operation::Error::nowhere(services, link).into()),
        }
    }

    /// Returns where they may lie in a lane.
    fn partitions<'a>(&self, all: &'a Partitions, lane: Lane) -> &'a [Arc<Partition>] {
        match &self.senders {
            Senders::Document(link) => std::slice::from_ref(all.of(link, lane)),
            Senders::Factory(_) => all.lane(lane),
        }
    }
}

/// Returns what was undeployed at `link` and may have left something to send: a factory, or a document of one; none if nothing was.
fn left_behind(state: &ClusterState, link: &Link) -> Option<fn(Link) -> Senders> {
    let was_there = |path: &Link| state.factory(path).is_some_and(|factory| factory.mounted.is_none());
    if was_there(link) {
        return Some(Senders::Factory);
    }
    link.parent().is_some_and(|above| was_there(&above)).then_some(Senders::Document)
}

/// Returns true if a path is the one at which what an undeployed factory has left to send is looked at, whoever answers around it.
pub(in crate::http) fn tell_what_is_left(http: &Http, path: &str) -> bool {
    match route(path) {
        Ok(Target::Utility(link, Utility::Effects)) => left_behind(&http.parts.control.state(), &link).is_some(),
        Ok(_) | Err(_) => false,
    }
}

/// What was found.
#[derive(Default)]
struct Pending {
    effects: Vec<PendingEffect>,
    count: u64,
    bytes: u64,
    seen: usize,
}

/// Shows the pending effects, the first due first.
///
/// # Errors
/// [`Error::Parameter`] for a bad bound, or those of the state store.
pub(super) async fn answer(http: &Http, whose: Whose, query: &str) -> Result<Answer, Error> {
    let limit = decode::number_within(query, "limit", 1..=LIMIT_MAX, LIMIT)?;
    let operations = http.operations();
    let partitions = Arc::clone(operations.partitions());
    let link = whose.senders.link().clone();
    for lane in &whose.lanes {
        match &whose.senders {
            Senders::Document(link) => operations.fence(link, partitions.of(link, *lane)).await?,
            Senders::Factory(_) => flushed_lane(&partitions, *lane).await.map_err(operation::Error::from)?,
        }
    }
    let look = move || failure::contain(|| look(&partitions, &whose));
    let state = http.parts.control.state();
    let mut pending = tokio::task::spawn_blocking(look).await.map_err(|_| Error::Panicked)??;
    let now = operations.clock().steady_time();
    pending.effects.sort_by(|one, other| one.due.cmp(&other.due).then_with(|| one.key.cmp(&other.key)));
    let shown = pending.effects.iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
    let shown: Vec<Value> = shown.map(|effect| as_json(effect, now, &state)).collect();
    let document = json!({
        "effects": shown,
        "documentCount": shown.len(),
        "pendingCount": pending.count,
        "pendingBytes": pending.bytes,
        "isWhole": pending.seen < SEEN_MAX,
        "documentSelfLink": format!("{link}/effects"),
        "documentOwner": http.owner_name(),
    });
    Ok(encode::json(StatusCode::OK, &document))
}

/// Gives up what the document, or all documents of the factory, have to send; `?tag=` only what has this tag.
///
/// # Errors
/// [`Error::Operation`] if an owner cannot be asked: what others have given up by then stays given up.
pub(super) async fn give_up(http: &Http, whose: &Whose, query: &str) -> Result<Answer, Error> {
    let (operations, link) = (http.operations(), whose.senders.link());
    let tag = decode::parameter(query, "tag")?;
    let mut given_up = 0;
    for lane in &whose.lanes {
        for some in whose.partitions(operations.partitions(), *lane).chunks(ASKED_AT_ONCE) {
            let asked = some.iter().map(|partition| operations.give_up(&whose.senders, partition, tag.as_deref()));
            given_up += try_join_all(asked).await?.into_iter().sum::<usize>();
        }
    }
    tracing::info!(%link, effects = given_up, "effects are given up");
    Ok(encode::json(
        StatusCode::OK,
        &json!({ "givenUpCount": given_up, "documentSelfLink": format!("{link}/effects") }),
    ))
}

fn look(all: &Partitions, whose: &Whose) -> Result<Pending, Error> {
    let mut pending = Pending::default();
    for partition in whose.lanes.iter().flat_map(|lane| whose.partitions(all, *lane)) {
        let rows = partition.store().outbox(None, SEEN_MAX.saturating_sub(pending.seen))?;
        pending.seen += rows.len();
        for effect in rows {
            if whose.senders.include(&effect.key.link) {
                pending.count += 1;
                pending.bytes += effect.bytes() as u64;
                pending.effects.push(effect);
            }
        }
    }
    Ok(pending)
}

fn as_json(pending: &PendingEffect, now: Timestamp, state: &ClusterState) -> Value {
    let effect = &pending.effect;
    let held_for = outbox::awaited(state, pending);
    let stage = match &held_for {
        Some(_) => "HELD",
        None if pending.due > now => "WAITING",
        None => "DUE",
    };
    let reason = held_for.map(|factory| format!("nothing is deployed at {factory}: it goes on when a module is"));
    json!({
        "key": pending.key.to_string(),
        "link": pending.key.link,
        "action": effect.action.as_str(),
        "to": effect.to,
        "stage": stage,
        "reason": reason,
        "dueInMillis": (pending.due.0 - now.0) / 1000,
        "issuedMillisAgo": (now.0 - pending.issued.0) / 1000,
        "replyTag": effect.reply_tag,
        "bodyBytes": effect.body.as_ref().map_or(0, bytes::Bytes::len),
        "requestId": pending.request,
    })
}
