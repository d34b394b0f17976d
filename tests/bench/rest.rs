//! Reading and changing documents over HTTP, beside servers and logs that do nothing else.

use anyhow::Context;
use bytes::Bytes;
use serde_json::Value;
use steward_model::document::UpdateAction;
use steward_model::update::{Change, Entry, Record, Update};
use steward_model::{Document, Epoch, Link, Offset, Position, Timestamp, Version, codec};
use steward_tests::host::Host;

use crate::load::{Load, Reached, Until, request};
use crate::rounds::{ROUNDS, in_turns, median};
use crate::service::{self, STATE_BYTES, Service};
use crate::table::{Row, grouped};
use crate::{Wish, baseline, commit_log, folder, footprint, profile};

/// Documents that are read and changed.
const DOCUMENTS: u64 = 1000;

/// Prepared changes: several rounds over the documents, so that a state is never changed into itself.
const CHANGES: u64 = 4 * DOCUMENTS;

const CONNECTIONS: usize = 64;
const CONNECTIONS_PERSISTED: usize = 256;

const GET_SHARE: f64 = 0.60;
const VOLATILE_SHARE: f64 = 0.35;
const PERSISTED_SHARE: f64 = 0.60;

/// A host with documents.
struct Scene {
    host: Host,
    service: Service,
    /// Bytes of the body of an answer.
    answer_bytes: usize,
}

/// One run of load against one process.
struct Turn {
    reached: Reached,
    /// Processor time of the process per answer.
    cpu_micros: f64,
}

fn set(volatile: bool) -> anyhow::Result<Scene> {
    let service = Service::build()?;
    let host = Host::start_in(&folder::ground()?, &[])?;
    let component = if volatile { service.volatile()? } else { service.component.clone() };
    service::mount(&host, &component)?;
    service.create(service::address(&host)?, CONNECTIONS, 0..DOCUMENTS)?;
    let answer_bytes = service::document(&host, 0)?.len();
    Ok(Scene { host, service, answer_bytes })
}

fn turn(pid: u32, load: Load<'_>, wish: &Wish) -> anyhow::Result<Turn> {
    let before = footprint::cpu(pid)?;
    let reached = load.run(Until::Span(wish.span))?;
    let cpu = footprint::cpu(pid)?.saturating_sub(before);
    let cpu_micros = cpu.as_secs_f64() * 1e6 / reached.answers as f64;
    Ok(Turn { reached, cpu_micros })
}

/// Tells the medians of several runs.
fn told(turns: &[Turn]) -> (f64, String) {
    let per_second = median(turns, |turn| turn.reached.per_second);
    let millis =
        |figure: fn(&Reached) -> std::time::Duration| median(turns, |turn| figure(&turn.reached).as_secs_f64() * 1e3);
    let (middle, p99) = (millis(|reached| reached.median), millis(|reached| reached.p99));
    let cpu = median(turns, |turn| turn.cpu_micros);
    let rate = grouped(per_second as u64);
    (per_second, format!("{rate}/s, median {middle:.2} ms, p99 {p99:.2} ms, {cpu:.0} µs of processor each"))
}

/// Measures prepared requests against the host and against a bare server whose answers are as long.
fn beside_bare(wish: &Wish, name: &str, scene: &Scene, requests: &[Vec<u8>], wanted: f64) -> anyhow::Result<Row> {
    let bare = baseline::start(scene.answer_bytes)?;
    let next = |number: u64, buffer: &mut Vec<u8>| prepared(requests, number, buffer);
    let load = |address| Load { address, connections: CONNECTIONS, request: &next };
    let (pid, address) = (scene.host.pid(), service::address(&scene.host)?);
    let ours = || turn(pid, load(address), wish);
    let (ours, theirs) = in_turns(ROUNDS, ours, || turn(bare.pid(), load(bare.address), wish))?;
    profile::beside(wish.profile.as_deref(), name, pid, wish.span, || turn(pid, load(address), wish).map(drop))?;
    let ((ours, reached), (theirs, baseline)) = (told(&ours), told(&theirs));
    Ok(Row {
        what: String::new(),
        reached,
        baseline: format!("{baseline}, bare hyper"),
        ratio: format!("{:.0} %", ours / theirs * 100.0),
        wanted: format!("≥ {:.0} %", wanted * 100.0),
        met: ours >= theirs * wanted,
    })
}

fn prepared(requests: &[Vec<u8>], number: u64, buffer: &mut Vec<u8>) {
    let index = usize::try_from(number).unwrap_or_default() % requests.len();
    buffer.extend_from_slice(&requests[index]);
}

/// Measures GETs of documents.
///
/// # Errors
/// If the host does not start or an answer is no success.
pub(crate) fn get(wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let scene = set(false)?;
    let requests: Vec<Vec<u8>> = (0..DOCUMENTS).map(|number| request("GET", &service::link(number), "")).collect();
    let row = beside_bare(wish, "get", &scene, &requests, GET_SHARE)?;
    let what = format!(
        "GET of {} documents over loopback, {CONNECTIONS} connections, answer {} B of JSON (state {STATE_BYTES} B), no fsync",
        grouped(DOCUMENTS),
        scene.answer_bytes
    );
    Ok(vec![Row { what, ..row }])
}

fn changes() -> Vec<Vec<u8>> {
    let change = |number| request("PATCH", &service::link(number % DOCUMENTS), &service::change(number));
    (0..CHANGES).map(change).collect()
}

/// Measures PATCHes in the volatile lane.
///
/// # Errors
/// As [`get`].
pub(crate) fn patch_volatile(wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let scene = set(true)?;
    let row = beside_bare(wish, "volatile", &scene, &changes(), VOLATILE_SHARE)?;
    let what = format!(
        "PATCH of {} documents, volatile lane, {CONNECTIONS} connections, body {} B, answer {} B (state {STATE_BYTES} B), no fsync",
        grouped(DOCUMENTS),
        service::change(0).len(),
        scene.answer_bytes
    );
    Ok(vec![Row { what, ..row }])
}

/// Returns the record that a PATCH of such a document makes, as it stands in the commit log.
fn record(scene: &Scene) -> anyhow::Result<Bytes> {
    let shown: Value = serde_json::from_slice(&service::document(&scene.host, 0)?)?;
    let text = |field: &str| shown[field].as_str().with_context(|| format!("a document has {field}"));
    let position = Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(1000) };
    let document = Document {
        link: Link::parse(text("documentSelfLink")?)?,
        kind: text("documentKind")?.to_owned(),
        version: Version(1000),
        epoch: position.epoch,
        offset: position.offset,
        updated: Timestamp(shown["documentUpdateTimeMicros"].as_i64().unwrap_or_default()),
        action: UpdateAction::Patch,
        expires: Timestamp(0),
        principal: String::new(),
        source: String::new(),
        state_version: 1,
        body: scene.service.state.clone(),
    };
    let update = Update {
        change: Change::NewVersion,
        document,
        keep_versions: Some(1000),
        effects: Vec::new(),
        settled: Vec::new(),
        remembered: None,
    };
    let record = Record { position, previous: position.epoch, entry: Entry::Update(Box::new(update)) };
    Ok(codec::encode(&record).into())
}

/// How the commit log does alone.
struct Alone {
    /// In groups like those of the host.
    alike: commit_log::Reached,
    /// In groups of as many records as the host has connections: more cannot wait at once.
    largest: commit_log::Reached,
}

/// Measures PATCHes that are fsynced before they are answered.
///
/// How many records a group has follows from how long an fsync takes beside the rest of the work. So the log is measured
/// twice: in groups as the host forms them, and in the largest that so many connections could fill.
///
/// # Errors
/// As [`get`], and those of the disk.
pub(crate) fn patch_persisted(wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let mut scene = set(false)?;
    let (payload, ground) = (record(&scene)?, folder::ground()?);
    let requests = changes();
    let next = |number: u64, buffer: &mut Vec<u8>| prepared(&requests, number, buffer);
    let load = |address| Load { address, connections: CONNECTIONS_PERSISTED, request: &next };
    turn(scene.host.pid(), load(service::address(&scene.host)?), wish)?;
    scene.host.kill();
    let group = commit_log::records_per_group(&scene.host.data())?.round().max(1.0) as u64;
    scene.host.restart()?;

    let (pid, load) = (scene.host.pid(), load(service::address(&scene.host)?));
    let rate = |group| commit_log::rate(&ground, &payload, group, wish.span);
    let alone = || anyhow::Ok(Alone { alike: rate(group)?, largest: rate(CONNECTIONS_PERSISTED as u64)? });
    let (ours, theirs) = in_turns(ROUNDS, || turn(pid, load, wish), alone)?;
    profile::beside(wish.profile.as_deref(), "persisted", pid, wish.span, || turn(pid, load, wish).map(drop))?;
    let what = format!(
        "PATCH of {} documents, persisted, fsync before every answer, {CONNECTIONS_PERSISTED} connections, body {} B, answer {} B \
         (state {STATE_BYTES} B, record {} B), {}",
        grouped(DOCUMENTS),
        service::change(0).len(),
        scene.answer_bytes,
        payload.len(),
        folder::file_system()
    );
    let ours = told(&ours);
    let same =
        format!("the same, beside the log in the largest groups that {CONNECTIONS_PERSISTED} connections can fill");
    Ok(vec![
        beside_log(what, &ours, &theirs, "the commit log alone in groups as the host's", |alone| &alone.alike),
        beside_log(same, &ours, &theirs, "the commit log alone", |alone| &alone.largest),
    ])
}

fn beside_log(
    what: String,
    (ours, reached): &(f64, String),
    theirs: &[Alone],
    how: &str,
    which: fn(&Alone) -> &commit_log::Reached,
) -> Row {
    let log = median(theirs, |alone| which(alone).per_second);
    let sync = median(theirs, |alone| which(alone).sync.as_secs_f64() * 1e6);
    let group = median(theirs, |alone| which(alone).per_group);
    Row {
        what,
        reached: reached.clone(),
        baseline: format!("{}/s, {how}: {group:.0} records each, fsync {sync:.0} µs", grouped(log as u64)),
        ratio: format!("{:.0} %", ours / log * 100.0),
        wanted: format!("≥ {:.0} %", PERSISTED_SHARE * 100.0),
        met: *ours >= log * PERSISTED_SHARE,
    }
}
