//! Many documents that nobody asks for: what they cost while they lie there, at start, and when one is asked for.
//!
//! The documents are created over HTTP, the host is stopped, and the files of its data folder are taken out of the page cache.
//! What is measured then is a host that has just started.

use std::time::{Duration, Instant};

use anyhow::ensure;
use steward_tests::host::Host;

use crate::load::{Load, Reached, Until, request};
use crate::service::{self, STATE_BYTES, Service};
use crate::table::{Row, grouped};
use crate::{Wish, folder, footprint};

/// Connections over which documents are created: many, so that they share fsyncs.
const CONNECTIONS: usize = 256;

/// Documents between two words about how far it is.
const BATCH: u64 = 50_000;

/// Documents that are read cold.
const READS: u64 = 2000;

const RESIDENT_MAX: u64 = 350 << 20;
const START_MAX: Duration = Duration::from_secs(3);
const READ_MAX: Duration = Duration::from_millis(1);

/// How often to look whether a host has come to rest, and how often at the most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOKS_MAX: usize = 60;

/// Looks in a row at which the memory may not have changed.
const CALM_LOOKS: usize = 4;

/// A host that has started and come to rest.
struct Rested {
    start: Duration,
    resident: u64,
}

fn create(service: &Service, host: &Host, documents: u64) -> anyhow::Result<()> {
    let address = service::address(host)?;
    let began = Instant::now();
    let mut made = 0;
    while made < documents {
        let batch = made..documents.min(made + BATCH);
        made = batch.end;
        service.create(address, CONNECTIONS, batch)?;
        let rate = made as f64 / began.elapsed().as_secs_f64();
        let left = (documents - made) as f64 / rate;
        let (made, all) = (grouped(made), grouped(documents));
        eprintln!("idle: {made} of {all} documents created, {}/s, about {left:.0} s left", grouped(rate as u64));
    }
    Ok(())
}

/// Returns the memory of a process once it does not change any more.
fn resident_at_rest(pid: u32) -> anyhow::Result<u64> {
    let mut seen = Vec::new();
    for _ in 0..LOOKS_MAX {
        seen.push(footprint::resident_bytes(pid)?);
        let last = &seen[seen.len().saturating_sub(CALM_LOOKS)..];
        let (least, most) = (last.iter().min().copied(), last.iter().max().copied());
        if last.len() == CALM_LOOKS && most.zip(least).is_some_and(|(most, least)| most - least < most / 100) {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(seen.last().copied().unwrap_or_default())
}

/// Stops a host, empties the page cache of its files, and starts it again.
fn restarted(host: &mut Host) -> anyhow::Result<Rested> {
    let began = Instant::now();
    ensure!(host.stop()?, "the host did not stop in order:\n{}", host.log());
    eprintln!("idle: stopped in {:.1?}", began.elapsed());
    folder::evict(host.folder())?;
    let began = Instant::now();
    host.restart()?;
    let start = began.elapsed();
    Ok(Rested { start, resident: resident_at_rest(host.pid())? })
}

/// Reads documents all over the place, one after the other.
fn read(host: &Host, documents: u64) -> anyhow::Result<Reached> {
    let get = |number: u64, buffer: &mut Vec<u8>| {
        // Multiples of the golden ratio, modulo 2⁶⁴, come near every place and never twice to the same soon.
        let place = u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * u128::from(documents);
        let number = u64::try_from(place >> 64).unwrap_or_default();
        buffer.extend(request("GET", &service::link(number), ""));
    };
    Load { address: service::address(host)?, connections: 1, request: &get }.run(Until::Answers(READS))
}

fn memory(scene: &str, when: &str, resident: u64, without: u64, documents: u64) -> Row {
    let each = resident.saturating_sub(without) as f64 / documents as f64;
    Row {
        what: format!("{scene}: resident {when}, at rest"),
        reached: format!("{} MiB", resident >> 20),
        baseline: format!("{} MiB without documents", without >> 20),
        ratio: format!("{each:.0} B each"),
        wanted: format!("< {} MiB", RESIDENT_MAX >> 20),
        met: Some(resident < RESIDENT_MAX),
        ..Row::default()
    }
}

/// Measures idle documents.
///
/// # Errors
/// If the host does not start, or an answer is no success.
pub(crate) fn measure(wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let (service, ground) = (Service::build()?, folder::ground()?);
    let mut empty = Host::start_in(&ground, &[])?;
    let nothing = restarted(&mut empty)?;
    drop(empty);

    let mut host = Host::start_in(&ground, &[])?;
    service::mount(&host, &service.component)?;
    create(&service, &host, wish.documents)?;
    let written = resident_at_rest(host.pid())?;
    let rested = restarted(&mut host)?;
    let cold = read(&host, wish.documents)?;
    let warm = read(&host, wish.documents)?;

    let documents = grouped(wish.documents);
    let disk = folder::file_system();
    let scene = format!("{documents} idle documents, persisted, state {STATE_BYTES} B, {disk}");
    Ok(vec![
        memory(&scene, "in the process that has created them", written, nothing.resident, wish.documents),
        memory(&scene, "after a restart", rested.resident, nothing.resident, wish.documents),
        Row {
            what: format!("{scene}: start of the process to ready, page cache emptied"),
            reached: format!("{:.2} s", rested.start.as_secs_f64()),
            baseline: format!("{:.2} s without documents", nothing.start.as_secs_f64()),
            ratio: format!("{:.2} ×", rested.start.as_secs_f64() / nothing.start.as_secs_f64()),
            wanted: format!("< {} s", START_MAX.as_secs()),
            met: Some(rested.start < START_MAX),
            ..Row::default()
        },
        Row {
            what: format!("{scene}: GET, one connection, first touch after a restart, page cache emptied"),
            reached: format!("median {:.2?}, p99 {:.2?}", cold.median, cold.p99),
            baseline: format!("median {:.2?}, p99 {:.2?} the second time", warm.median, warm.p99),
            ratio: format!("{:.2} ×", cold.median.as_secs_f64() / warm.median.as_secs_f64()),
            wanted: format!("median < {} ms", READ_MAX.as_millis()),
            met: Some(cold.median < READ_MAX),
            ..Row::default()
        },
    ])
}
