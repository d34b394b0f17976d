//! Requests, and how an operation carries one out, stage by stage as in production: the turn, repeats, the newest
//! state, a decision, space in the log, a proposal, the commit.
//!
//! Each document says in its body who decided it, in which reign, and on which state. So a record shows if its decision
//! belongs to another reign or state: see `i11_records_stay_in_their_reign`.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use steward_model::document::UpdateAction;
use steward_model::operation::{Action, Effect, EffectKey};
use steward_model::update::{
    Change, Origin, PendingEffect, RememberedBody, RememberedReply, RequestId, RequestKey, Update,
};
use steward_model::{Document, Epoch, Link, Offset, PartitionId, Position, Timestamp, Version};
use steward_replication::Partition;

use crate::tasks::{Around, Done, pause};

/// How many older versions are kept.
const VERSIONS_KEPT: u64 = 3;

/// How long tombstones are kept.
const TOMBSTONE_KEPT_MICROS: i64 = 10 * 3_600_000_000;

/// What the clocks of a node say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// The time of day.
    wall: Timestamp,
    /// By this ages are counted.
    steady: Timestamp,
    /// This is the time of an update.
    update: Timestamp,
}

impl Times {
    pub(crate) fn of(around: &Around) -> Times {
        Times { wall: around.wall.get(), steady: around.steady(), update: around.timestamp() }
    }
}

/// What somebody wants of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A new version, created if there is none, with so many bytes more.
    Put(usize),
    /// A new version that expires so many microseconds later.
    Expiring(i64),
    /// A new version and effects: where to, the delay in milliseconds, whether the answer is wanted.
    Issue(Vec<(Link, i64, bool)>),
    /// A new life: older versions go.
    Renew,
    /// An answer that is remembered, and no new version.
    Touch,
    /// A tombstone.
    Delete,
    /// A tombstone without a past, if its time has passed.
    Expire,
    /// What an effect was answered.
    Answered(Vec<EffectKey>),
}

/// One request. Sent again it is the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Its name, which is its idempotency key if it has one.
    pub(crate) name: String,
    pub(crate) is_keyed: bool,
    pub(crate) link: Link,
    pub(crate) wish: Wish,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is in this record, which is committed.
    Done(Position),
    /// It was carried out before: this was remembered.
    Repeated(RememberedReply),
    /// There is nothing to do.
    Nothing,
    /// It was not carried out now; it may be later.
    NotNow(String),
    /// Nobody here knows.
    Unknown,
}

impl Request {
    pub(crate) fn key(&self) -> Option<RequestKey> {
        self.is_keyed.then(|| RequestKey::of(&self.name))
    }
}

fn not_now(why: impl std::fmt::Display) -> Answer {
    Answer::NotNow(why.to_string())
}

/// Carries out a request.
pub(crate) async fn operate(around: Rc<Around>, request: Request) -> Done {
    let answer = match answer(&around, &request).await {
        Ok(answer) | Err(answer) => answer,
    };
    Done::Operated(request, answer)
}

/// Returns what became of a request; as an error what ends it early.
pub(crate) async fn answer(around: &Around, request: &Request) -> Result<Answer, Answer> {
    let partition = around.of(&request.link);
    let turn = partition.turn(&request.link).await.map_err(not_now)?;
    if let Some(first) = repeated(partition, request).await? {
        return Ok(Answer::Repeated(first));
    }
    let epoch = partition.admits().map_err(not_now)?;
    let newest = partition.newest(&request.link).map_err(not_now)?;
    pause().await;
    let decided = decide(request, newest.document.as_ref(), epoch, Times::of(around));
    let Some(update) = decided else {
        drop(turn);
        if let Some(position) = newest.appended {
            partition.committed(position).await.map_err(|_| Answer::Unknown)?;
        }
        return Ok(Answer::Nothing);
    };
    let space = partition.space_for(&update).await.map_err(not_now)?;
    pause().await;
    let proposed = partition.propose(epoch, newest.document, update, space);
    // At once: whoever is next to have the turn must find what was taken, even if this one gives up.
    partition.step(around.now.get());
    let taken = proposed.taken().await.map_err(not_now)?;
    drop(turn);
    let placed = taken.committed().await.map_err(|_| Answer::Unknown)?;
    Ok(Answer::Done(placed.position))
}

/// Returns the first answer to a request once it is certain that it holds.
async fn repeated(partition: &Arc<Partition>, request: &Request) -> Result<Option<RememberedReply>, Answer> {
    let Some(key) = request.key() else { return Ok(None) };
    let Some(first) = partition.remembered(&request.link, &key).map_err(not_now)? else { return Ok(None) };
    if let Some(position) = partition.appended(&request.link) {
        partition.committed(position).await.map_err(|_| Answer::Unknown)?;
    }
    Ok(Some(first))
}

/// Reads a document as clients do: the committed state, and then whether this node may tell it.
pub(crate) async fn read(around: Rc<Around>, link: Link) -> Done {
    let partition = around.of(&link);
    let Ok(document) = partition.read(&link) else { return Done::Unread };
    match partition.admits() {
        Ok(epoch) => Done::Read { link, epoch, document },
        Err(_) => Done::Unread,
    }
}

/// Waits for the commit of a record that was proposed once, by whatever process.
pub(crate) async fn wait(around: Rc<Around>, partition: PartitionId, position: Position) -> Done {
    let is_committed = around.partitions.get(partition).committed(position).await.is_ok();
    Done::Awaited { partition, position, is_committed }
}

/// Returns the update that a request makes of the newest state; none if nothing changes.
fn decide(request: &Request, before: Option<&Arc<Document>>, epoch: Epoch, now: Times) -> Option<Update> {
    let live = before.filter(|document| !document.is_tombstone());
    let change = match (&request.wish, live) {
        (Wish::Put(_) | Wish::Expiring(_) | Wish::Issue(_), _) if before.is_some() && live.is_none() => Change::Renewal,
        (Wish::Put(_) | Wish::Expiring(_) | Wish::Issue(_), _) | (Wish::Delete, Some(_)) => Change::NewVersion,
        (Wish::Renew, _) => Change::Renewal,
        (Wish::Expire, Some(live)) if live.is_expired(now.wall) => Change::Renewal,
        (Wish::Answered(_), Some(_)) => Change::NewVersion,
        (Wish::Touch, Some(_)) | (Wish::Answered(_), None) => Change::None,
        (Wish::Delete | Wish::Touch, _) if request.is_keyed => Change::None,
        (Wish::Delete | Wish::Touch | Wish::Expire, _) => return None,
    };
    let document = document(request, change, before.map(Arc::as_ref), epoch, now);
    let settled = match &request.wish {
        Wish::Answered(settled) => settled.clone(),
        _ => Vec::new(),
    };
    let remembered = request.key().map(|key| remembered(key, &document, now.update));
    let effects = effects(request, now.steady);
    let keep_versions = Some(VERSIONS_KEPT);
    let (request, origin) = (RequestId::of(&request.name), Origin::default());
    Some(Update { change, request, origin, document, keep_versions, effects, settled, remembered })
}

fn document(request: &Request, change: Change, before: Option<&Document>, epoch: Epoch, now: Times) -> Document {
    let is_new = matches!(change, Change::NewVersion | Change::Renewal);
    let version = match before {
        None => Version(0),
        Some(before) if is_new => before.version.next(),
        Some(before) => before.version,
    };
    let padding = match request.wish {
        Wish::Put(bytes) => bytes,
        _ => 0,
    };
    let seen = before.map_or("-".to_owned(), |before| before.offset.to_string());
    let updated = before.map_or(now.update, |before| now.update.max(Timestamp(before.updated.0 + 1)));
    let body = format!("{{\"by\":\"{}\",\"padding\":\"{}\"}}", request.name, "x".repeat(padding));
    Document {
        kind: "simulated".to_owned(),
        version,
        epoch: before.filter(|_| !is_new).map_or(Epoch::ZERO, |before| before.epoch),
        offset: before.filter(|_| !is_new).map_or(Offset(0), |before| before.offset),
        action: match request.wish {
            Wish::Delete if is_new => UpdateAction::Delete,
            Wish::Expire => UpdateAction::Expire,
            _ => UpdateAction::Put,
        },
        expires: match request.wish {
            Wish::Expiring(span) => Timestamp(now.wall.0 + span),
            // A tombstone is kept for a while.
            Wish::Delete | Wish::Expire if is_new => Timestamp(now.update.0 + TOMBSTONE_KEPT_MICROS),
            _ => Timestamp(0),
        },
        source: format!("{}/{seen}", epoch.as_u64()),
        state_version: 1,
        // Copies have to agree on it as on everything else of a version.
        recording: if is_new { Bytes::from(format!("recording of {}", request.name)) } else { Bytes::new() },
        body: if is_new { Bytes::from(body) } else { Bytes::new() },
        ..Document::bare(request.link.clone(), updated)
    }
}

fn effects(request: &Request, now: Timestamp) -> Vec<PendingEffect> {
    let Wish::Issue(wanted) = &request.wish else { return Vec::new() };
    let pending = |(number, (to, delay_millis, tagged)): (u32, &(Link, i64, bool))| PendingEffect {
        key: EffectKey { link: request.link.clone(), at: Position::default(), number },
        due: Timestamp(now.0 + delay_millis * 1000),
        issued: now,
        request: String::new(),
        effect: Effect {
            to: to.as_str().to_owned(),
            action: Action::Put,
            headers: Vec::new(),
            body: None,
            delay_millis: *delay_millis,
            reply_tag: if *tagged { "told".to_owned() } else { String::new() },
        },
    };
    (0..).zip(wanted).map(pending).collect()
}

fn remembered(key: RequestKey, document: &Document, now: Timestamp) -> RememberedReply {
    RememberedReply {
        key,
        request_digest: [0; 16],
        status: 200,
        version: document.version,
        made: Position::default(),
        at: Position::default(),
        answered: now,
        headers: Vec::new(),
        body: RememberedBody::State,
    }
}

/// Returns the update that the other member makes of its newest state.
pub(crate) fn elsewhere(request: &Request, before: Option<&Document>, epoch: Epoch, now: Times) -> Option<Update> {
    decide(request, before.cloned().map(Arc::new).as_ref(), epoch, now)
}

/// Returns the reign in which an update was decided, and the version-making record that it was decided on.
pub(crate) fn decided(document: &Document) -> Option<(u64, Option<u64>)> {
    let (epoch, seen) = document.source.split_once('/')?;
    Some((epoch.parse().ok()?, seen.parse().ok()))
}
