//! Reading and changing documents over HTTP, beside a server that does nothing else.

use steward_tests::host::Host;

use crate::load::{Load, Reached, Until, request};
use crate::rounds::{in_turns, median};
use crate::service::{self, STATE_BYTES, Service};
use crate::table::{Figures, Row, grouped};
use crate::{Wish, baseline, folder, footprint, profile};

/// Documents that are read and changed.
pub(crate) const DOCUMENTS: u64 = 1000;

/// Prepared changes: several rounds over the documents, so that a state is never changed into itself.
const CHANGES: u64 = 4 * DOCUMENTS;

const CONNECTIONS: usize = 64;

/// More connections than processors could ever serve at once.
const MANY: usize = 256;

const GET_SHARE: f64 = 0.90;
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
    pub(crate) reached: Reached,
    /// Processor time of the process per answer.
    pub(crate) cpu_micros: f64,
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
    counted(pid, || load.run(Until::Span(wish.span)))
}

/// Runs load at a constant rate against the process `pid`.
///
/// # Errors
/// If an answer is no success.
pub(crate) fn paced(pid: u32, load: Load<'_>, per_second: f64, wish: &Wish) -> anyhow::Result<Turn> {
    counted(pid, || load.run_paced(per_second, wish.span))
}

fn counted(pid: u32, run: impl FnOnce() -> anyhow::Result<Reached>) -> anyhow::Result<Turn> {
    let before = footprint::cpu(pid)?;
    let reached = run()?;
    let cpu = footprint::cpu(pid)?.saturating_sub(before);
    let cpu_micros = cpu.as_secs_f64() * 1e6 / reached.answers as f64;
    Ok(Turn { reached, cpu_micros })
}

/// Returns the medians of several runs: the rate, and what stands in the columns.
pub(crate) fn told(turns: &[Turn]) -> (f64, Figures) {
    let millis =
        |figure: fn(&Reached) -> std::time::Duration| median(turns, |turn| figure(&turn.reached).as_secs_f64() * 1e3);
    let millis = [millis(|reached| reached.median), millis(|reached| reached.p99), millis(|reached| reached.p999)];
    let cpu_micros = median(turns, |turn| turn.cpu_micros);
    (median(turns, |turn| turn.reached.per_second), Figures { millis, cpu_micros })
}

/// Tells a rate.
pub(crate) fn rate(per_second: f64) -> String {
    format!("{}/s", grouped(per_second as u64))
}

/// Measures prepared requests against the host and against a bare server whose answers are as long.
fn beside_bare(
    wish: &Wish,
    (name, connections): (&str, usize),
    scene: &Scene,
    requests: &[Vec<u8>],
    wanted: f64,
) -> anyhow::Result<Row> {
    let bare = baseline::start(scene.answer_bytes)?;
    let next = |number: u64, buffer: &mut Vec<u8>| prepared(requests, number, buffer);
    let load = |address| Load { address, connections, request: &next };
    let (pid, address) = (scene.host.pid(), service::address(&scene.host)?);
    let ours = || turn(pid, load(address), wish);
    let (ours, theirs) = in_turns(wish.rounds, ours, || turn(bare.pid(), load(bare.address), wish))?;
    profile::beside(wish.profile.as_deref(), name, pid, wish.span, || turn(pid, load(address), wish).map(drop))?;
    let ((ours, our_figures), (theirs, their_figures)) = (told(&ours), told(&theirs));
    Ok(Row {
        what: String::new(),
        reached: rate(ours),
        baseline: format!("{}, bare hyper", rate(theirs)),
        ratio: format!("{:.0} %", ours / theirs * 100.0),
        wanted: format!("≥ {:.0} %", wanted * 100.0),
        met: Some(ours >= theirs * wanted),
        ours: Some(our_figures),
        theirs: Some(their_figures),
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
    let rows = [CONNECTIONS, MANY].map(|connections| {
        let row = beside_bare(wish, ("get", connections), &scene, &requests, GET_SHARE)?;
        let what = format!(
            "GET of {} documents over loopback, {connections} connections, answer {} B of JSON (state {STATE_BYTES} B), no fsync",
            grouped(DOCUMENTS),
            scene.answer_bytes
        );
        Ok(Row { what, ..row })
    });
    rows.into_iter().collect()
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
    let row = beside_bare(wish, ("volatile", CONNECTIONS), &scene, &changes(), VOLATILE_SHARE)?;
    let what = format!(
        "PATCH of {} documents, volatile lane, {CONNECTIONS} connections, body {} B, answer {} B (state {STATE_BYTES} B), no fsync",
        grouped(DOCUMENTS),
        service::change(0).len(),
        scene.answer_bytes
    );
    Ok(vec![Row { what, ..row }])
}
