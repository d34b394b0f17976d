//! Questions about many documents: look-ups by a field, pages in the order of a field, counts, listings.
//!
//! The baseline of each row is a GET of a document by its link on the same host, in turns with the questions: what lies between the
//! two is the question. What is wanted are rates and times of the table of targets, for a machine of two cores.

use std::time::Duration;

use steward_tests::host::Host;

use crate::load::{Load, Until, request};
use crate::rest::{self, Turn};
use crate::rounds::{in_turns, median};
use crate::service::{self, COUNTER_MIN, FACTORY, STATE_BYTES, Service};
use crate::table::{Row, grouped};
use crate::{Wish, folder, profile};

/// Documents that are asked about.
const DOCUMENTS: u64 = 100_000;

/// Connections that make them.
const MAKERS: usize = 64;

/// Prepared requests of each kind; a run goes over them in turns.
const REQUESTS: u64 = 4096;

/// Rows of a page.
const PAGE: u64 = 100;

/// What is wanted of a row.
#[derive(Clone, Copy)]
enum Wanted {
    Nothing,
    PerSecond(f64),
    Median(Duration),
}

/// One question.
struct Question {
    what: String,
    connections: usize,
    requests: Vec<Vec<u8>>,
    wanted: Wanted,
}

/// Returns numbers of documents that are spread over all, always the same.
fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % DOCUMENTS
}

fn prepared(of: impl Fn(u64) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..REQUESTS).map(|number| of(spread(number))).collect()
}

/// Returns the query task that finds one document by its name, as clients of Xenon write it.
fn look_up(service: &Service, number: u64) -> Vec<u8> {
    let kind = r#"{"occurance":"MUST_OCCUR","term":{"propertyName":"documentKind","matchValue":"KIND"}}"#
        .replace("KIND", &service.kind);
    let name = format!(
        r#"{{"occurance":"MUST_OCCUR","term":{{"propertyName":"name","matchValue":"{}"}}}}"#,
        service.name_of(number)
    );
    let query = format!(r#"{{"booleanClauses":[{kind},{name}]}}"#);
    let task = format!(r#"{{"taskInfo":{{"isDirect":true}},"querySpec":{{"query":{query}}}}}"#);
    request("POST", "/core/query-tasks", &task)
}

fn listing(options: &str) -> Vec<u8> {
    request("GET", &format!("{FACTORY}?{options}"), "")
}

fn questions(service: &Service) -> Vec<Question> {
    let by_name = || prepared(|number| look_up(service, number));
    let look_up = |connections, wanted| Question {
        what: "query task, one hit by an indexed field".to_owned(),
        connections,
        requests: by_name(),
        wanted,
    };
    let page = |direction: &str| {
        prepared(|number| {
            let least = COUNTER_MIN + number;
            listing(&format!("$filter=counter%20le%20{least}&$orderby=counter%20{direction}&$limit={PAGE}"))
        })
    };
    let tenth = DOCUMENTS / 10;
    let counts = prepared(|number| {
        let least = COUNTER_MIN + number.min(DOCUMENTS - tenth);
        let filter = format!("counter%20ge%20{least}%20and%20counter%20lt%20{}", least + tenth);
        listing(&format!("$filter={filter}&$count=true"))
    });
    vec![
        look_up(1, Wanted::Median(Duration::from_micros(250))),
        look_up(32, Wanted::PerSecond(30_000.0)),
        look_up(256, Wanted::Nothing),
        Question {
            what: format!("page of {PAGE} links sorted by an indexed field, smallest first"),
            connections: 32,
            requests: vec![listing(&format!("$orderby=counter&$limit={PAGE}"))],
            wanted: Wanted::PerSecond(3000.0),
        },
        Question {
            what: format!("page of {PAGE} links sorted by an indexed field, largest first, from anywhere"),
            connections: 32,
            requests: page("desc"),
            wanted: Wanted::PerSecond(3000.0),
        },
        Question {
            what: format!("count of {} by a range of an indexed field", grouped(tenth)),
            connections: 1,
            requests: counts,
            wanted: Wanted::Median(Duration::from_millis(10)),
        },
        Question {
            what: "count of all".to_owned(),
            connections: 1,
            requests: vec![listing("$count=true")],
            wanted: Wanted::Nothing,
        },
        Question {
            what: format!("first page of {PAGE} links"),
            connections: 32,
            requests: vec![listing(&format!("$limit={PAGE}"))],
            wanted: Wanted::Nothing,
        },
        Question {
            what: format!("first page of {PAGE} documents"),
            connections: 32,
            requests: vec![listing(&format!("$expand=true&$limit={PAGE}"))],
            wanted: Wanted::Nothing,
        },
    ]
}

/// Starts a host with documents that differ in name and counter.
fn set(service: &Service) -> anyhow::Result<Host> {
    let host = Host::start_in(&folder::ground()?, &[])?;
    service::mount(&host, &service.component)?;
    let post =
        |number: u64, buffer: &mut Vec<u8>| buffer.extend(request("POST", FACTORY, &service.own_creation(number)));
    let load = Load { address: service::address(&host)?, connections: MAKERS, request: &post };
    load.run(Until::Answers(DOCUMENTS))?;
    Ok(host)
}

impl Question {
    fn measure(&self, wish: &Wish, host: &Host) -> anyhow::Result<Row> {
        let reads: Vec<Vec<u8>> = prepared(|number| request("GET", &service::link(number), ""));
        let (pid, address) = (host.pid(), service::address(host)?);
        let run = |requests: &[Vec<u8>]| -> anyhow::Result<Turn> {
            let next = |number: u64, buffer: &mut Vec<u8>| rest::prepared(requests, number, buffer);
            rest::turn(pid, Load { address, connections: self.connections, request: &next }, wish)
        };
        let (ours, theirs) = in_turns(wish.rounds, || run(&self.requests), || run(&reads))?;
        let middle = median(&ours, Turn::median_micros);
        let ((rate, our_figures), (base, their_figures)) = (rest::told(&ours), rest::told(&theirs));
        let (wanted, met) = match self.wanted {
            Wanted::Nothing => (String::new(), None),
            Wanted::PerSecond(wanted) => (format!("≥ {}/s", grouped(wanted as u64)), Some(rate >= wanted)),
            Wanted::Median(wanted) => (
                format!("median ≤ {} µs", grouped(wanted.as_micros() as u64)),
                Some(middle <= wanted.as_secs_f64() * 1e6),
            ),
        };
        let what = format!(
            "{}, {} documents, {} connections, state {STATE_BYTES} B",
            self.what,
            grouped(DOCUMENTS),
            self.connections
        );
        Ok(Row {
            what,
            reached: rest::rate(rate),
            baseline: format!("{}, GET by link", rest::rate(base)),
            ratio: format!("{:.0} %", rate / base * 100.0),
            wanted,
            met,
            ours: Some(our_figures),
            theirs: Some(their_figures),
        })
    }
}

/// Measures questions about many documents.
///
/// # Errors
/// If the host does not start or an answer is no success.
pub(crate) fn measure(wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let service = Service::build()?;
    let host = set(&service)?;
    let questions = questions(&service);
    let rows = questions.iter().map(|question| question.measure(wish, &host)).collect::<anyhow::Result<_>>()?;
    if let Some(first) = questions.get(1) {
        let next = |number: u64, buffer: &mut Vec<u8>| rest::prepared(&first.requests, number, buffer);
        let load = Load { address: service::address(&host)?, connections: first.connections, request: &next };
        profile::beside(wish.profile.as_deref(), "queries", host.pid(), wish.span, || {
            rest::turn(host.pid(), load, wish).map(drop)
        })?;
    }
    Ok(rows)
}
