//! Changing documents all over a large factory, beside the same over few: what a store costs that no cache holds.
//!
//! How many bytes reach the device is read from the counters of the disk, so others that write meanwhile are counted too; the
//! number is taken over all rounds together, behind one look at the counter when everything written has reached the disk.

use std::cell::Cell;

use anyhow::{Context, ensure};

use crate::load::{Load, request};
use crate::rest::{self, DOCUMENTS, Turn};
use crate::rounds::in_turns;
use crate::service::{self, STATE_BYTES};
use crate::table::{Row, grouped};
use crate::{Wish, folder, footprint};

/// Documents of the large factory.
const MANY: u64 = 100_000;

/// Connections that change them.
const CONNECTIONS: usize = 32;

/// Share of the rate over few documents that is wanted over many.
const SHARE: f64 = 0.7;

/// Returns which document a change is of: all over `documents`, never twice to the same soon.
fn place(number: u64, documents: u64) -> u64 {
    // Multiples of the golden ratio, modulo 2⁶⁴, come near every place.
    let place = u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * u128::from(documents);
    u64::try_from(place >> 64).unwrap_or_default()
}

/// Answers, and what they brought to the disk.
fn written(turns: &[Turn], bytes: u64) -> String {
    let answers: u64 = turns.iter().map(|turn| turn.reached.answers).sum();
    format!("{} B to the device each", grouped(bytes / answers.max(1)))
}

/// Measures PATCHes over many documents, beside few.
///
/// # Errors
/// If the host does not start or an answer is no success.
pub(crate) fn measure(wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let scene = rest::set(false)?;
    let (pid, address) = (scene.host.pid(), service::address(&scene.host)?);
    let numbers = Cell::new(0_u64);
    let over = |documents: u64| {
        let next = |_: u64, buffer: &mut Vec<u8>| {
            let number = numbers.replace(numbers.get() + 1);
            let link = service::link(place(number, documents));
            buffer.extend(request("PATCH", &link, &service::change(number)));
        };
        let load = Load { address, connections: CONNECTIONS, request: &next };
        rest::turn(pid, load, wish)
    };
    // Few first, while the store holds no others.
    let few: Vec<Turn> = (0..wish.rounds).map(|_| over(DOCUMENTS)).collect::<anyhow::Result<_>>()?;
    eprintln!("many: {} documents are created", grouped(MANY));
    scene.service.create(address, 64, DOCUMENTS..MANY)?;
    let device = folder::device().context("the data lie on a disk with counters")?;
    folder::flush()?;
    let before = footprint::device_bytes(&device)?;
    let (many, _) = in_turns(wish.rounds, || over(MANY), || Ok(()))?;
    folder::flush()?;
    let bytes = footprint::device_bytes(&device)?.saturating_sub(before);
    ensure!(!many.is_empty(), "no round was run");
    let ((few_rate, few), (rate, figures)) = (rest::told(&few), rest::told(&many));
    // The round that does not count has written as well.
    let bytes = bytes * many.len() as u64 / (many.len() as u64 + 1);
    Ok(vec![Row {
        what: format!(
            "PATCH all over {} documents, persisted, fsync before every answer, {CONNECTIONS} connections (state {STATE_BYTES} B), {}",
            grouped(MANY),
            folder::file_system()
        ),
        reached: format!("{}, {}", rest::rate(rate), written(&many, bytes)),
        baseline: format!("{}, over {} documents", rest::rate(few_rate), grouped(DOCUMENTS)),
        ratio: format!("{:.0} %", rate / few_rate * 100.0),
        wanted: format!("≥ {:.0} %", SHARE * 100.0),
        met: Some(rate >= few_rate * SHARE),
        ours: Some(figures),
        theirs: Some(few),
    }])
}
