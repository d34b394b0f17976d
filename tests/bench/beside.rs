//! Changing and creating documents beside a service by hand that does the same: axum and SQLite, fsync before every answer.
//!
//! Both sides are measured in a closed loop, each connection asking again when it has its answer, and then at a constant rate
//! that is the same for both: seven tenths of what the slower of them reached.

use anyhow::Context;

use crate::by_hand::ByHand;
use crate::load::Load;
use crate::rest::{self, DOCUMENTS, Scene, Turn};
use crate::rounds::in_turns;
use crate::service::{self, STATE_BYTES};
use crate::table::{Figures, Row, grouped};
use crate::{Wish, folder, profile};

/// How many connections ask, with what is wanted: the share of the rate of the service by hand; milliseconds at 99 of 100,
/// and at 999 of 1,000; microseconds of processor.
const WANTED: [(usize, Wanted); 4] = [
    (1, Wanted { ratio: None, millis: [Some(0.35), Some(1.5)], cpu_micros: None }),
    (4, Wanted { ratio: None, millis: [Some(0.6), Some(2.5)], cpu_micros: None }),
    (32, Wanted { ratio: Some(1.3), millis: [None, Some(10.0)], cpu_micros: None }),
    (256, Wanted { ratio: Some(1.3), millis: [None, None], cpu_micros: Some(24.0) }),
];

/// Share of the slower side's rate at which both are asked at a constant rate.
const PACED_SHARE: f64 = 0.7;

/// Connections that create documents.
const CREATING: usize = 32;

#[derive(Debug, Clone, Copy)]
struct Wanted {
    ratio: Option<f64>,
    millis: [Option<f64>; 2],
    cpu_micros: Option<f64>,
}

const NOTHING: Wanted = Wanted { ratio: None, millis: [None, None], cpu_micros: None };

impl Wanted {
    /// Says what is wanted, and whether it is reached.
    fn judged(&self, ratio: Option<f64>, ours: &Figures) -> (String, Option<bool>) {
        let below =
            |what: &str, most: Option<f64>, found: f64| most.map(|most| (format!("{what} ≤ {most}"), found <= most));
        let rate = self.ratio.zip(ratio).map(|(least, found)| (format!("≥ {least} ×"), found >= least));
        let parts = [
            rate,
            below("p99", self.millis[0], ours.millis[1]),
            below("p99.9", self.millis[1], ours.millis[2]),
            below("processor", self.cpu_micros, ours.cpu_micros),
        ];
        let parts: Vec<(String, bool)> = parts.into_iter().flatten().collect();
        let words: Vec<&str> = parts.iter().map(|(word, _)| word.as_str()).collect();
        let met = (!parts.is_empty()).then(|| parts.iter().all(|(_, met)| *met));
        (words.join(", "), met)
    }
}

/// Returns the row of both sides; the service by hand may not be here.
fn row(what: String, wanted: &Wanted, ours: &[Turn], theirs: Option<&[Turn]>) -> Row {
    let (our_rate, ours) = rest::told(ours);
    let theirs = theirs.map(rest::told);
    let ratio = theirs.map(|(rate, _)| our_rate / rate);
    let (wanted, met) = wanted.judged(ratio, &ours);
    Row {
        what,
        reached: rest::rate(our_rate),
        baseline: theirs.map_or("not here".to_owned(), |(rate, _)| format!("{}, by hand", rest::rate(rate))),
        ratio: ratio.map_or(String::new(), |ratio| format!("{ratio:.2} ×")),
        wanted,
        met,
        ours: Some(ours),
        theirs: theirs.map(|(_, figures)| figures),
    }
}

/// Runs `ours` and, if there is a service by hand, `theirs`, in turns.
fn turns(
    wish: &Wish,
    ours: impl FnMut() -> anyhow::Result<Turn>,
    mut theirs: Option<impl FnMut() -> anyhow::Result<Turn>>,
) -> anyhow::Result<(Vec<Turn>, Option<Vec<Turn>>)> {
    let (ours, theirs) = in_turns(wish.rounds, ours, || theirs.as_mut().map(|theirs| theirs()).transpose())?;
    Ok((ours, theirs.into_iter().collect()))
}

/// Both sides with the same documents.
struct Sides {
    scene: Scene,
    hand: Option<ByHand>,
}

impl Sides {
    fn set() -> anyhow::Result<Sides> {
        let hand = ByHand::start().inspect_err(|error| eprintln!("beside: {error:#}")).ok();
        let scene = rest::set(false)?;
        if let Some(hand) = &hand {
            scene.service.create(hand.address, CREATING, 0..DOCUMENTS)?;
        }
        Ok(Sides { scene, hand })
    }

    /// Runs the same load against both sides, in turns.
    fn ask(
        &self,
        wish: &Wish,
        connections: usize,
        next: &dyn Fn(u64, &mut Vec<u8>),
        run: impl Fn(u32, Load<'_>) -> anyhow::Result<Turn>,
    ) -> anyhow::Result<(Vec<Turn>, Option<Vec<Turn>>)> {
        let load = |address| Load { address, connections, request: next };
        let (pid, address) = (self.scene.host.pid(), service::address(&self.scene.host)?);
        let theirs = self.hand.as_ref().map(|hand| (hand.pid(), hand.address));
        turns(
            wish,
            || run(pid, load(address)),
            theirs.map(|(pid, address)| {
                let run = &run;
                move || run(pid, load(address))
            }),
        )
    }

    fn changing(&self, wish: &Wish, connections: usize, wanted: &Wanted) -> anyhow::Result<[Row; 2]> {
        let requests = rest::changes();
        let next = |number: u64, buffer: &mut Vec<u8>| rest::prepared(&requests, number, buffer);
        let (ours, theirs) = self.ask(wish, connections, &next, |pid, load| rest::turn(pid, load, wish))?;
        let slower = [Some(ours.as_slice()), theirs.as_deref()].into_iter().flatten().map(|turns| rest::told(turns).0);
        let pace = slower.min_by(f64::total_cmp).context("one side was measured")? * PACED_SHARE;
        let (our_paced, their_paced) =
            self.ask(wish, connections, &next, |pid, load| rest::paced(pid, load, pace, wish))?;
        let (name, pid) = (format!("beside-{connections}"), self.scene.host.pid());
        let load = Load { address: service::address(&self.scene.host)?, connections, request: &next };
        profile::beside(wish.profile.as_deref(), &name, pid, wish.span, || rest::turn(pid, load, wish).map(drop))?;
        let what = format!(
            "PATCH of {} documents, persisted, fsync before every answer, {connections} connections (state {STATE_BYTES} B), {}",
            grouped(DOCUMENTS),
            folder::file_system()
        );
        let constant =
            format!("the same at a constant rate, {connections} connections, time counts from when a request was due");
        Ok([row(what, wanted, &ours, theirs.as_deref()), row(constant, &NOTHING, &our_paced, their_paced.as_deref())])
    }

    /// Measures POSTs of new documents, each side into a growing store of its own.
    fn creating(&self, wish: &Wish) -> anyhow::Result<Row> {
        let made = std::cell::Cell::new(DOCUMENTS);
        let next = |_: u64, buffer: &mut Vec<u8>| {
            let number = made.replace(made.get() + 1);
            let body = self.scene.service.creation(number);
            buffer.extend(crate::load::request("POST", service::FACTORY, &body));
        };
        let (ours, theirs) = self.ask(wish, CREATING, &next, |pid, load| rest::turn(pid, load, wish))?;
        let what = format!("POST of new documents, persisted, fsync before every answer, {CREATING} connections");
        Ok(row(what, &Wanted { ratio: Some(1.3), ..NOTHING }, &ours, theirs.as_deref()))
    }
}

/// Measures changes and creations beside the service by hand.
///
/// # Errors
/// If the host does not start or an answer is no success.
pub(crate) fn measure(wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let sides = Sides::set()?;
    let mut rows = Vec::new();
    let is_wanted = |connections: usize| wish.connections.is_none_or(|only| only == connections);
    for (connections, wanted) in WANTED.iter().filter(|(connections, _)| is_wanted(*connections)) {
        eprintln!("beside: {connections} connections");
        rows.extend(sides.changing(wish, *connections, wanted)?);
    }
    if is_wanted(CREATING) {
        rows.push(sides.creating(wish)?);
    }
    Ok(rows)
}
