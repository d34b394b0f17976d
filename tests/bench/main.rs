//! `cargo bench-all`: what the host reaches, side by side with baselines of the same run.
//!
//! Problem: a number without the machine, the payload and a yardstick says nothing, and a machine that other people use
//! drifts while one measures. Promise: each row names payload, concurrency and fsync; what can be compared is measured
//! again in the same run, in turns with the host, and the medians are compared. Nothing is retried until it looks good.
//!
//! ```text
//! cargo bench-all                         the whole table, on standard output
//! cargo bench-all --write FILE            and into a file
//! cargo bench-all --only get              some rows: guest, guests, get, volatile, persisted, queries, beside, many, steady,
//!                                         group, deploy or idle
//! cargo bench-all --profile FOLDER        for the rows over HTTP also a profile of the host, made with linux-perf
//! cargo bench-all --documents N           how many idle documents are made, 1,000,000 by itself
//! cargo bench-all --seconds N             how long each of the runs over HTTP lasts, 3 by itself
//! cargo bench-all --rounds N              how often each side has its turn, 5 by itself
//! cargo bench-all --connections N         of the rows beside a service by hand, only those with N connections
//! STEWARD_BINARY=FILE cargo bench-all     another build of the host
//! ```
//!
//! Where the time goes is read from a profile: `perf record -g -p PID` beside any row works as well, the release profile
//! keeps line tables. On one machine the load generator and the host share the cores; so the rows over HTTP also tell the
//! processor time of the servers alone, in which the generator has no part.
//!
//! Left out: a network between clients and host, and between nodes.

mod baseline;
mod beside;
mod by_hand;
mod commit_log;
mod deploy;
mod folder;
mod footprint;
mod group;
mod guest;
mod idle;
mod languages;
mod load;
mod many;
mod members;
mod paced;
mod persisted;
mod profile;
mod queries;
mod rest;
mod rounds;
mod service;
mod steady;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use rounds::ROUNDS;
use table::Row;

/// What the command line says.
struct Wish {
    only: Option<String>,
    write: Option<PathBuf>,
    profile: Option<PathBuf>,
    documents: u64,
    span: Duration,
    rounds: usize,
    connections: Option<usize>,
}

/// Makes rows of the table.
type Measure = fn(&Wish) -> anyhow::Result<Vec<Row>>;

/// What can be measured, in the order of the table.
const MEASURES: [(&str, Measure); 12] = [
    ("guest", guest::measure),
    ("guests", languages::measure),
    ("get", rest::get),
    ("volatile", rest::patch_volatile),
    ("persisted", persisted::measure),
    ("queries", queries::measure),
    ("beside", beside::measure),
    ("many", many::measure),
    ("steady", steady::measure),
    ("group", group::measure),
    ("deploy", deploy::measure),
    ("idle", idle::measure),
];

/// What is measured only when it is asked for by name.
const ONLY_WHEN_ASKED: [&str; 3] = ["guests", "steady", "group"];

fn wish() -> anyhow::Result<Wish> {
    let mut wish = Wish {
        only: None,
        write: None,
        profile: None,
        documents: 1_000_000,
        span: Duration::from_secs(3),
        rounds: ROUNDS,
        connections: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--only" => wish.only = Some(value()?),
            "--write" => wish.write = Some(value()?.into()),
            "--profile" => wish.profile = Some(value()?.into()),
            "--documents" => wish.documents = value()?.parse().context("read --documents")?,
            "--seconds" => wish.span = Duration::from_secs(value()?.parse().context("read --seconds")?),
            "--rounds" => wish.rounds = value()?.parse().context("read --rounds")?,
            "--connections" => wish.connections = Some(value()?.parse().context("read --connections")?),
            // What cargo adds for harnesses that it knows, and what people put before the flags of another program.
            "--bench" | "--" => {}
            other => bail!(
                "{other} is not understood: --only NAME, --write FILE, --profile FOLDER, --documents N, --seconds N, \
                 --rounds N, --connections N"
            ),
        }
    }
    if let Some(only) = &wish.only {
        let names = MEASURES.map(|(name, _)| name);
        ensure!(names.contains(&only.as_str()), "there is no row {only:?}; known are {}", names.join(", "));
    }
    Ok(wish)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the table, and returns whether every row could be measured. Falling short of what is wanted is a result, no
/// failure.
fn run() -> anyhow::Result<bool> {
    baseline::serve_if_asked()?;
    let wish = wish()?;
    let mut rows: Vec<Row> = Vec::new();
    let mut all = true;
    for (name, measure) in MEASURES {
        let is_wanted = wish.only.as_deref().map_or(!ONLY_WHEN_ASKED.contains(&name), |only| only == name);
        if !is_wanted {
            continue;
        }
        eprintln!("{name}: begins");
        match measure(&wish) {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                eprintln!("{name}: failed: {error:#}");
                all = false;
            }
        }
    }
    let table = table::render(&rows);
    println!("{table}");
    if let Some(file) = &wish.write {
        std::fs::write(file, table).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(all)
}
