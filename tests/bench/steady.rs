//! A mixed load at a constant rate for a long time: whether tails, memory and disk grow beyond what the documents need.
//!
//! Six tenths of the requests change documents, three read them, the rest creates and deletes: as many as are created, so
//! that the documents do not grow in number, while tombstones and kept versions come and go. The run is cut into windows; the
//! first half of them is compared with the second. Only when it is asked for: it takes ten times `--seconds`.
//!
//! Left out: expiry and queries.

use std::cell::Cell;
use std::time::Duration;

use anyhow::Context;
use steward_tests::host::Host;

use crate::load::{Load, Until, request};
use crate::rest::{self, Scene, Turn};
use crate::rounds::median;
use crate::service::{self, STATE_BYTES};
use crate::table::{Row, grouped};
use crate::{Wish, folder, footprint};

/// Documents that are changed and read.
const DOCUMENTS: u64 = 10_000;

const CONNECTIONS: usize = 32;

/// Windows of a run.
const WINDOWS: usize = 10;

/// Share of the rate of a closed loop.
const SHARE: f64 = 0.7;

/// How long a host is left alone before it is seen at rest, and for how long it is looked at.
const SETTLES: Duration = Duration::from_secs(10);
const RESTS: Duration = Duration::from_secs(10);

/// Appends the n-th request: of ten, six changes, three reads, and in turns a creation and a deletion of what was created
/// before.
fn mixed(scene: &Scene, number: u64, buffer: &mut Vec<u8>) {
    // Numbers of a prime stride come by every document before they come by one again.
    let link = service::link(number * 7919 % DOCUMENTS);
    buffer.extend(match (number % 10, number / 10 % 2) {
        (0..6, _) => request("PATCH", &link, &service::change(number)),
        (6..9, _) => request("GET", &link, ""),
        (_, 0) => request("POST", service::FACTORY, &scene.service.creation(DOCUMENTS + number / 20)),
        // What was created a while ago, so that its creation has been answered.
        _ => match (number / 20).checked_sub(1000) {
            Some(created) => request("DELETE", &service::link(DOCUMENTS + created), ""),
            None => request("GET", &link, ""),
        },
    });
}

/// What a host takes.
#[derive(Debug, Clone, Copy)]
struct Taken {
    resident: u64,
    files: u64,
}

fn taken(host: &Host) -> anyhow::Result<Taken> {
    Ok(Taken { resident: footprint::resident_bytes(host.pid())?, files: folder::bytes(host.folder())? })
}

/// Returns the share of one processor that a host takes when nobody asks it anything.
fn at_rest(host: &Host) -> anyhow::Result<f64> {
    std::thread::sleep(SETTLES);
    let before = footprint::cpu(host.pid())?;
    std::thread::sleep(RESTS);
    let spent = footprint::cpu(host.pid())?.saturating_sub(before);
    Ok(spent.as_secs_f64() / RESTS.as_secs_f64())
}

/// Measures a host under steady load.
///
/// # Errors
/// If the host does not start or an answer is no success.
pub(crate) fn measure(wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let scene = rest::set(false)?;
    let (pid, address) = (scene.host.pid(), service::address(&scene.host)?);
    scene.service.create(address, CONNECTIONS, rest::DOCUMENTS..DOCUMENTS)?;
    let made = Cell::new(0_u64);
    let next = |_: u64, buffer: &mut Vec<u8>| mixed(&scene, made.replace(made.get() + 1), buffer);
    let load = Load { address, connections: CONNECTIONS, request: &next };
    let pace = load.run(Until::Span(wish.span))?.per_second * SHARE;
    let device = folder::device().context("the data lie on a disk with counters")?;
    let before = footprint::device_bytes(&device)?;
    let (mut windows, mut sizes): (Vec<Turn>, Vec<Taken>) = (Vec::new(), Vec::new());
    for window in 0..WINDOWS {
        windows.push(rest::paced(pid, load, pace, wish)?);
        let now = taken(&scene.host)?;
        let last = &windows[window].reached;
        eprintln!(
            "steady: window {window}: p50 {:.2?}, p99 {:.2?}, p99.9 {:.2?}, {} MiB resident, {} MiB of files",
            last.median,
            last.p99,
            last.p999,
            now.resident >> 20,
            now.files >> 20
        );
        sizes.push(now);
    }
    folder::flush()?;
    let written = footprint::device_bytes(&device)?.saturating_sub(before);
    let updates = windows.iter().map(|turn| turn.reached.answers).sum::<u64>() * 7 / 10;
    let idle = at_rest(&scene.host)?;
    let (early, late) = windows.split_at(WINDOWS / 2);
    let ((_, early), (rate, late)) = (rest::told(early), rest::told(late));
    let (small, large) = sizes.split_at(WINDOWS / 2);
    let mib = |taken: &[Taken], of: fn(&Taken) -> u64| median(taken, |taken| of(taken) as f64) / f64::from(1 << 20);
    Ok(vec![Row {
        what: format!(
            "{WINDOWS} windows of {} s of mixed load (60 % PATCH, 30 % GET, 5 % POST, 5 % DELETE) over {} documents at 70 % of a \
             closed loop, {CONNECTIONS} connections, persisted (state {STATE_BYTES} B): the later half, beside the earlier",
            wish.span.as_secs(),
            grouped(DOCUMENTS)
        ),
        reached: format!(
            "{}, {:.0} MiB resident, {:.0} MiB of files, {} B to the device per update, afterwards {:.1} % of a core",
            rest::rate(rate),
            mib(large, |taken| taken.resident),
            mib(large, |taken| taken.files),
            grouped(written / updates.max(1)),
            idle * 100.0
        ),
        baseline: format!(
            "{:.0} MiB resident, {:.0} MiB of files, earlier",
            mib(small, |taken| taken.resident),
            mib(small, |taken| taken.files)
        ),
        wanted: "afterwards ≤ 1 % of a core".to_owned(),
        met: Some(idle <= 0.01),
        ours: Some(late),
        theirs: Some(early),
        ..Row::default()
    }])
}
