//! Changing documents that are fsynced before they are answered, beside the commit log alone.
//!
//! How many records a group has follows from how long an fsync takes beside the rest of the work. So the log is measured in
//! groups as the host has formed them in the turn before, and in the largest that so many connections could fill. And the
//! host is measured with many connections, when on a quick disk the processors are the bound, and with few, when the disk is.

use std::cell::Cell;

use anyhow::Context;
use bytes::Bytes;
use serde_json::Value;
use steward_model::update::{Change, Entry, Origin, Record, RequestId, Update};
use steward_model::{Document, Epoch, Link, Offset, Position, Timestamp, Version, codec};

use crate::commit_log::{self, Reached, Written};
use crate::load::Load;
use crate::rest::{self, DOCUMENTS, Scene, Turn};
use crate::rounds::{in_turns, median};
use crate::service::{self, STATE_BYTES};
use crate::table::{Row, grouped};
use crate::{Wish, folder, profile};

const MANY: usize = 256;
const FEW: usize = 4;

const SHARE: f64 = 0.60;

/// Returns the record that a PATCH of such a document makes, as it stands in the commit log.
fn record(scene: &Scene) -> anyhow::Result<Bytes> {
    let shown: Value = serde_json::from_slice(&service::document(&scene.host, 0)?)?;
    let text = |field: &str| shown[field].as_str().with_context(|| format!("a document has {field}"));
    let position = Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(1000) };
    let updated = Timestamp(shown["documentUpdateTimeMicros"].as_i64().unwrap_or_default());
    let document = Document {
        kind: text("documentKind")?.to_owned(),
        version: Version(1000),
        epoch: position.epoch,
        offset: position.offset,
        state_version: 1,
        body: scene.service.state.clone(),
        ..Document::bare(Link::parse(text("documentSelfLink")?)?, updated)
    };
    let update = Update {
        change: Change::NewVersion,
        request: RequestId::default(),
        origin: Origin::default(),
        document,
        keep_versions: Some(1000),
        effects: Vec::new(),
        settled: Vec::new(),
        remembered: None,
    };
    let record = Record { position, previous: position.epoch, entry: Entry::Update(Box::new(update)) };
    Ok(codec::encode(&record).into())
}

/// The host and the commit log alone, measured in turns.
struct Measured {
    what: String,
    host: Vec<Turn>,
    /// In groups as the host forms them.
    alike: Vec<Reached>,
    /// In groups of as many records as there are connections: more cannot wait at once. Empty for few connections, whose
    /// groups differ little from that.
    largest: Vec<Reached>,
}

fn measured(wish: &Wish, connections: usize) -> anyhow::Result<Measured> {
    let scene = rest::set(false)?;
    let (payload, ground) = (record(&scene)?, folder::ground()?);
    let requests = rest::changes();
    let next = |number: u64, buffer: &mut Vec<u8>| rest::prepared(&requests, number, buffer);
    let (pid, load) = (scene.host.pid(), Load { address: service::address(&scene.host)?, connections, request: &next });
    let group = Cell::new(1);
    let ours = || {
        let before = Written::of(&scene.host)?;
        let turn = rest::turn(pid, load, wish)?;
        group.set(Written::of(&scene.host)?.per_group_since(before).round().max(1.0) as u64);
        Ok(turn)
    };
    let rate = |group| commit_log::rate(&ground, &payload, group, wish.span);
    let largest = || (connections == MANY).then(|| rate(connections as u64)).transpose();
    let (host, alone) = in_turns(wish.rounds, ours, || Ok((rate(group.get())?, largest()?)))?;
    let name = format!("persisted-{connections}");
    profile::beside(wish.profile.as_deref(), &name, pid, wish.span, || rest::turn(pid, load, wish).map(drop))?;
    let (alike, largest): (Vec<_>, Vec<_>) = alone.into_iter().unzip();
    let largest = largest.into_iter().flatten().collect();
    let what = format!(
        "PATCH of {} documents, persisted, fsync before every answer, {connections} connections, body {} B, answer {} B \
         (state {STATE_BYTES} B, record {} B), {}",
        grouped(DOCUMENTS),
        service::change(0).len(),
        scene.answer_bytes,
        payload.len(),
        folder::file_system()
    );
    Ok(Measured { what, host, alike, largest })
}

impl Measured {
    /// Returns the row beside `log`; nothing is wanted of rows without a share.
    fn beside(&self, what: String, log: &[Reached], how: &str, share: Option<f64>) -> Row {
        let (ours, figures) = rest::told(&self.host);
        let rate = median(log, |log| log.per_second);
        let sync = median(log, |log| log.sync.as_secs_f64() * 1e6);
        let group = median(log, |log| log.per_group);
        Row {
            what,
            reached: rest::rate(ours),
            baseline: format!(
                "{}/s, the commit log alone in {how}: {group:.0} records, fsync {sync:.0} µs",
                grouped(rate as u64)
            ),
            ratio: format!("{:.0} %", ours / rate * 100.0),
            wanted: share.map_or(String::new(), |share| format!("≥ {:.0} %", share * 100.0)),
            met: share.map(|share| ours >= rate * share),
            ours: Some(figures),
            theirs: None,
        }
    }
}

/// Measures PATCHes that are fsynced before they are answered.
///
/// # Errors
/// If the host does not start or an answer is no success, and those of the disk.
pub(crate) fn measure(wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let (many, few) = (measured(wish, MANY)?, measured(wish, FEW)?);
    let alike = "groups as the host's";
    let same = "the same, for comparison".to_owned();
    let comparison = format!("{}, for comparison", few.what);
    Ok(vec![
        many.beside(many.what.clone(), &many.alike, alike, Some(SHARE)),
        many.beside(same, &many.largest, "the largest groups of so many connections", None),
        few.beside(comparison, &few.alike, alike, None),
    ])
}
