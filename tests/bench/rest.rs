//! Reading and changing documents over HTTP, beside a server that does nothing else.

use steward_tests::host::Host;

use crate::load::{Load, Reached, Until, request};
use crate::rounds::{ROUNDS, in_turns, median};
use crate::service::{self, STATE_BYTES, Service};
use crate::table::{Row, grouped};
use crate::{Wish, baseline, folder, footprint, profile};

/// Documents that are read and changed.
pub(crate) const DOCUMENTS: u64 = 1000;

/// Prepared changes: several rounds over the documents, so that a state is never changed into itself.
const CHANGES: u64 = 4 * DOCUMENTS;

const CONNECTIONS: usize = 64;

const GET_SHARE: f64 = 0.60;
const VOLATILE_SHARE: f64 = 0.35;

/// A host with documents.
pub(crate) struct Scene {
    pub(crate) host: Host,
    pub(crate) service: Service,
    /// Bytes of the body of an answer.
    pub(crate) answer_bytes: usize,
}

/// One run of load against one process.
pub(crate) struct Turn {
    reached: Reached,
    /// Processor time of the process per answer.
    cpu_micros: f64,
}

/// Starts a host with documents, in the persisted or the volatile lane.
///
/// # Errors
/// If the host does not start.
pub(crate) fn set(volatile: bool) -> anyhow::Result<Scene> {
    let service = Service::build()?;
    let host = Host::start_in(&folder::ground()?, &[])?;
    let component = if volatile { service.volatile()? } else { service.component.clone() };
    service::mount(&host, &component)?;
    service.create(service::address(&host)?, CONNECTIONS, 0..DOCUMENTS)?;
    let answer_bytes = service::document(&host, 0)?.len();
    Ok(Scene { host, service, answer_bytes })
}

impl Turn {
    /// Returns the median of the time to an answer, in microseconds.
    pub(crate) fn median_micros(&self) -> f64 {
        self.reached.median.as_secs_f64() * 1e6
    }
}

/// Runs load against the process `pid`.
///
/// # Errors
/// If an answer is no success.
pub(crate) fn turn(pid: u32, load: Load<'_>, wish: &Wish) -> anyhow::Result<Turn> {
    let before = footprint::cpu(pid)?;
    let reached = load.run(Until::Span(wish.span))?;
    let cpu = footprint::cpu(pid)?.saturating_sub(before);
    let cpu_micros = cpu.as_secs_f64() * 1e6 / reached.answers as f64;
    Ok(Turn { reached, cpu_micros })
}

/// Tells the medians of several runs.
pub(crate) fn told(turns: &[Turn]) -> (f64, String) {
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
        met: Some(ours >= theirs * wanted),
    })
}

/// Appends the n-th request of a run, in turns from `requests`.
pub(crate) fn prepared(requests: &[Vec<u8>], number: u64, buffer: &mut Vec<u8>) {
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

/// Returns the requests that change documents.
pub(crate) fn changes() -> Vec<Vec<u8>> {
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
