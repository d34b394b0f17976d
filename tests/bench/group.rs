//! Three nodes on one machine: what they reach together, and how long their clients wait when one is lost.
//!
//! Beside them a group of three etcd members on the same disk, in the same run, if Go is here to build it. All processes and
//! the clients share the processors, so the rates say what three nodes cost rather than what three machines would reach.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http::Method;
use serde_json::json;
use steward_tests::client::Client;
use steward_tests::nodes::Nodes;

use crate::load::{Load, Reached, Until};
use crate::members::{Etcd, Put};
use crate::rest::{self, DOCUMENTS};
use crate::rounds::{in_turns, median};
use crate::service::{self, STATE_BYTES, Service};
use crate::table::{Figures, Row, grouped};
use crate::{Wish, folder, footprint};

const CONNECTIONS: [usize; 3] = [1, 32, 256];

/// Documents of a group that a third node joins.
const MANY: u64 = 100_000;

const FAIL_OVER_MEDIAN: Duration = Duration::from_secs(1);
const FAIL_OVER_P99: Duration = Duration::from_secs(2);
const HAND_OFF_MAX: Duration = Duration::from_millis(100);
const RELAXED_MAX: Duration = Duration::from_millis(100);
const JOIN_MAX: Duration = Duration::from_secs(5);
const IDLE_SHARE: f64 = 0.02;
const IDLE_BYTES: u64 = 120 << 20;

/// How long idle nodes are watched.
const IDLE_SPAN: Duration = Duration::from_secs(20);

/// Time between two absences of a node that comes back by itself. The others take two within 13 s for the weather and grow patient
/// (host/docs/protocol.md, "Who is there"); what is measured is an accident.
const APART: Duration = Duration::from_secs(14);

/// Most writes that are tried in a row while a document has no owner.
const TRIES_MAX: usize = 100_000;

/// A group of hosts with documents.
struct Scene {
    nodes: Nodes,
    service: Service,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    fn set(count: usize) -> anyhow::Result<Scene> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (service, ground) = (Service::build()?, folder::ground()?);
        let nodes = runtime.block_on(async {
            let nodes = Nodes::started_in(&ground, count, &[]).await;
            nodes.deploy(&["examples"]).await;
            nodes.until_balanced(count).await;
            nodes
        });
        let mut scene = Scene { nodes, service, runtime };
        let address = scene.addresses()?[0];
        scene.service.create(address, 64, 0..DOCUMENTS)?;
        Ok(scene)
    }

    fn addresses(&mut self) -> anyhow::Result<Vec<SocketAddr>> {
        (0..self.nodes.count()).map(|at| service::address(self.nodes.host(at))).collect()
    }

    fn cpu(&mut self) -> anyhow::Result<Duration> {
        (0..self.nodes.count()).map(|at| footprint::cpu(self.nodes.host(at).pid())).sum()
    }

    /// Waits until all three nodes serve, and own their shares.
    fn wait_until_whole(&self) {
        self.runtime.block_on(async {
            self.nodes.until_available(3).await;
            self.nodes.until_balanced(3).await;
        });
    }

    /// Returns a document that node `at` owns.
    fn owned_by(&self, by: usize, at: usize) -> anyhow::Result<String> {
        let (client, host) = (self.nodes.client(by), format!("host-{at}"));
        self.runtime.block_on(async {
            for number in 0..DOCUMENTS {
                let link = service::link(number);
                if client.get(&link).await.header("x-steward-owner") == host {
                    return Ok(link);
                }
            }
            anyhow::bail!("{host} owns no document")
        })
    }
}

/// Changes a document until somebody acknowledges it.
async fn change(client: &Client, link: &str, number: u64) -> anyhow::Result<()> {
    let key = format!("bench-{number}-{:?}", Instant::now());
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    for _ in 0..TRIES_MAX {
        let asked = client.send(Method::PATCH, link, &headers, service::change(number));
        match tokio::time::timeout(Duration::from_secs(5), asked).await {
            Ok(Ok(answer)) if answer.status == 200 => return Ok(()),
            _ => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
    anyhow::bail!("{link} could not be changed any more")
}

/// One side of the rates: what it reached, and the processor time of all its processes per answer.
struct Side {
    reached: Reached,
    cpu_micros: f64,
}

fn rates(wish: &Wish, etcd: Option<&Etcd>) -> anyhow::Result<Vec<Row>> {
    let mut scene = Scene::set(3)?;
    let (requests, addresses) = (rest::changes(), scene.addresses()?);
    let next = |number: u64, buffer: &mut Vec<u8>| rest::prepared(&requests, number, buffer);
    let mut rows = Vec::new();
    for connections in CONNECTIONS.into_iter().filter(|own| wish.connections.is_none_or(|only| only == *own)) {
        let ours = || {
            let before = scene.cpu()?;
            let load = Load { address: addresses[0], connections, request: &next };
            let reached = load.run_over(&addresses, Until::Span(wish.span))?;
            let cpu = scene.cpu()?.saturating_sub(before);
            Ok(Side { cpu_micros: cpu.as_secs_f64() * 1e6 / reached.answers as f64, reached })
        };
        let theirs = || etcd.map(|etcd| etcd.put(connections, wish.span)).transpose();
        let (ours, theirs) = in_turns(wish.rounds, ours, theirs)?;
        rows.push(rate(connections, &ours, &theirs.into_iter().flatten().collect::<Vec<_>>()));
    }
    Ok(rows)
}

fn rate(connections: usize, ours: &[Side], theirs: &[Put]) -> Row {
    let per_second = median(ours, |side| side.reached.per_second);
    let millis = |figure: fn(&Reached) -> Duration| median(ours, |side| figure(&side.reached).as_secs_f64() * 1e3);
    let figures = Figures {
        millis: [millis(|reached| reached.median), millis(|reached| reached.p99), millis(|reached| reached.p999)],
        cpu_micros: median(ours, |side| side.cpu_micros),
    };
    let beside = (!theirs.is_empty()).then(|| median(theirs, |put| put.per_second));
    Row {
        what: format!(
            "PATCH of {} documents over three nodes, {connections} connections spread over them, state {STATE_BYTES} B, two \
             disks before every answer, {}",
            grouped(DOCUMENTS),
            folder::file_system()
        ),
        reached: rest::rate(per_second),
        baseline: beside.map_or("etcd: not here".to_owned(), |beside| format!("{}, puts of etcd", rest::rate(beside))),
        ratio: beside.map_or(String::new(), |beside| format!("{:.2} ×", per_second / beside)),
        wanted: "≥ 1 ×".to_owned(),
        met: beside.map(|beside| per_second >= beside),
        ours: Some(figures),
        theirs: (!theirs.is_empty()).then(|| Figures {
            millis: [0, 1, 2].map(|at| median(theirs, |put| put.millis[at])),
            cpu_micros: median(theirs, |put| put.cpu_micros),
        }),
    }
}

/// What happens to an owner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blow {
    Killed,
    Stopped,
}

/// Returns how long a client of a survivor waited in each round, the shortest first.
fn fail_overs(scene: &mut Scene, blow: Blow, rounds: usize) -> anyhow::Result<Vec<Duration>> {
    let mut waited = Vec::new();
    for round in 0..rounds {
        if blow == Blow::Stopped && round > 0 {
            std::thread::sleep(APART);
        }
        let leader = scene.runtime.block_on(scene.nodes.leader(0, 3));
        let victim = if round % 3 == 0 { leader } else { (leader + 1) % 3 };
        let survivor = (0..3).find(|at| *at != victim && *at != leader).unwrap_or((victim + 1) % 3);
        let link = scene.owned_by(survivor, victim)?;
        let client = scene.nodes.client(survivor);
        match blow {
            Blow::Killed => scene.nodes.host(victim).kill(),
            Blow::Stopped => scene.nodes.host(victim).pause()?,
        }
        let began = Instant::now();
        scene.runtime.block_on(change(&client, &link, round as u64))?;
        waited.push(began.elapsed());
        eprintln!("group: {} of {rounds} fail-overs, {:.0?}", round + 1, began.elapsed());
        match blow {
            Blow::Killed => scene.nodes.host(victim).restart()?,
            Blow::Stopped => scene.nodes.host(victim).resume()?,
        }
        scene.wait_until_whole();
    }
    waited.sort_unstable();
    Ok(waited)
}

fn fail_over(scene: &mut Scene, wish: &Wish, etcd: Option<&Etcd>) -> anyhow::Result<Vec<Row>> {
    let rounds = wish.rounds * 6;
    let told = |waited: &[Duration]| {
        let at = |share: f64| waited[((waited.len() - 1) as f64 * share) as usize];
        (at(0.5), at(0.99), format!("median {:.0?}, p99 {:.0?}", at(0.5), at(0.99)))
    };
    let theirs = etcd.map(|etcd| etcd.fail_overs(rounds / 3)).transpose()?;
    let theirs = theirs.map_or("etcd: not here".to_owned(), |waited| {
        format!("{}, etcd after kill -9 of its leader, {} rounds", told(&waited).2, waited.len())
    });
    [(Blow::Killed, "kill -9"), (Blow::Stopped, "SIGSTOP")]
        .into_iter()
        .map(|(blow, name)| {
            let waited = fail_overs(scene, blow, rounds)?;
            let (middle, most, reached) = told(&waited);
            let apart = if blow == Blow::Stopped { format!(" {APART:?} apart") } else { String::new() };
            Ok(Row {
                what: format!(
                    "from {name} of the owner to the next acknowledged PATCH through another node, {rounds} rounds{apart}, in a \
                     third of them it leads the system group"
                ),
                reached,
                baseline: theirs.clone(),
                wanted: format!("median ≤ {FAIL_OVER_MEDIAN:?}, p99 ≤ {FAIL_OVER_P99:?}"),
                met: Some(middle <= FAIL_OVER_MEDIAN && most <= FAIL_OVER_P99),
                ..Row::default()
            })
        })
        .collect()
}

/// Returns the longest time between two acknowledged changes of a document while its owner stops in order.
fn hand_off(scene: &mut Scene, wish: &Wish) -> anyhow::Result<Row> {
    let mut gaps = Vec::new();
    for _ in 0..wish.rounds {
        let link = scene.owned_by(1, 0)?;
        let client = scene.nodes.client(1);
        scene.nodes.host(0).ask_to_stop()?;
        let gap = scene.runtime.block_on(async {
            let (mut longest, began) = (Duration::ZERO, Instant::now());
            let mut number = 0;
            while began.elapsed() < Duration::from_secs(3) {
                let asked = Instant::now();
                change(&client, &link, number).await?;
                longest = longest.max(asked.elapsed());
                number += 1;
            }
            anyhow::Ok(longest)
        })?;
        gaps.push(gap);
        scene.nodes.host(0).ended()?;
        scene.nodes.host(0).restart()?;
        scene.wait_until_whole();
    }
    let gap = median(&gaps, Duration::as_secs_f64);
    Ok(Row {
        what: format!(
            "longest wait of a client that changes one document while its owner stops in order, {} rounds",
            wish.rounds
        ),
        reached: format!("median {:.0} ms, longest {:.0?}", gap * 1e3, gaps.iter().max().copied().unwrap_or_default()),
        wanted: format!("≤ {HAND_OFF_MAX:?}"),
        met: Some(gap <= HAND_OFF_MAX.as_secs_f64()),
        ..Row::default()
    })
}

/// Returns how long a change that waits for a third disk takes once the quorum is two.
fn relaxed(scene: &mut Scene, wish: &Wish) -> anyhow::Result<Row> {
    let mut took = Vec::new();
    for round in 0..wish.rounds {
        let (link, client) = (scene.owned_by(1, 1)?, scene.nodes.client(1));
        set_quorum(scene, 3)?;
        scene.nodes.host(2).kill();
        let waited = scene.runtime.block_on(async {
            scene.nodes.until_status(1, 2, "UNAVAILABLE").await;
            let (other, number) = (client.clone(), round as u64);
            let waits = async { change(&client, &link, number).await.map(|()| Instant::now()) };
            let lowers = async {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let asked = Instant::now();
                other.patch("/core/node-groups/default", &quorum(2)).await.expect(200);
                asked
            };
            let (ended, asked) = tokio::join!(waits, lowers);
            anyhow::Ok(ended? - asked)
        })?;
        took.push(waited);
        scene.nodes.host(2).restart()?;
        scene.wait_until_whole();
    }
    let middle = median(&took, Duration::as_secs_f64);
    Ok(Row {
        what: format!(
            "from the request that lowers the quorum to the answer of a PATCH that waits for it, {} rounds",
            wish.rounds
        ),
        reached: format!(
            "median {:.0} ms, longest {:.0?}",
            middle * 1e3,
            took.iter().max().copied().unwrap_or_default()
        ),
        wanted: format!("≤ {RELAXED_MAX:?}"),
        met: Some(middle <= RELAXED_MAX.as_secs_f64()),
        ..Row::default()
    })
}

fn quorum(value: u32) -> serde_json::Value {
    let kind = "com:vmware:xenon:services:common:NodeGroupService:UpdateQuorumRequest";
    json!({"kind": kind, "isGroupUpdate": true, "membershipQuorum": value})
}

fn set_quorum(scene: &Scene, value: u32) -> anyhow::Result<()> {
    let client = scene.nodes.client(1);
    scene.runtime.block_on(async {
        client.patch("/core/node-groups/default", &quorum(value)).await.expect(200);
        // The primaries raise it, each when it knows that all members hold everything.
        steward_tests::wait::until("the quorum is raised", || async {
            let shown = client.get("/core/partitions?lane=persisted").await.json();
            let rows = shown["partitions"].as_array()?.clone();
            rows.iter().all(|row| row["writeQuorum"] == value).then_some(())
        })
        .await;
    });
    Ok(())
}

fn idle(scene: &mut Scene) -> anyhow::Result<Row> {
    let before = scene.cpu()?;
    std::thread::sleep(IDLE_SPAN);
    let share = (scene.cpu()? - before).as_secs_f64() / IDLE_SPAN.as_secs_f64() / 3.0;
    let resident = (0..3).map(|at| footprint::resident_bytes(scene.nodes.host(at).pid()));
    let most = resident.collect::<anyhow::Result<Vec<u64>>>()?.into_iter().max().unwrap_or_default();
    Ok(Row {
        what: format!(
            "three nodes with {} documents, without requests: of a core, and resident, each",
            grouped(DOCUMENTS)
        ),
        reached: format!("{:.1} %, {} MiB at most", share * 100.0, most >> 20),
        wanted: format!("≤ {:.0} %, ≤ {} MiB", IDLE_SHARE * 100.0, IDLE_BYTES >> 20),
        met: Some(share <= IDLE_SHARE && most <= IDLE_BYTES),
        ..Row::default()
    })
}

/// Returns how long a node on an empty disk takes until it counts everywhere.
fn joins() -> anyhow::Result<Row> {
    let mut scene = Scene::set(2)?;
    let address = scene.addresses()?[0];
    scene.service.create(address, 256, DOCUMENTS..MANY)?;
    let third = scene.nodes.join(&[]);
    let began = Instant::now();
    scene.nodes.host(third).restart()?;
    scene.runtime.block_on(scene.nodes.until_available(3));
    let took = began.elapsed();
    ensure!(scene.nodes.count() == 3, "there are three nodes");
    Ok(Row {
        what: format!(
            "a third node on an empty disk, {} documents of {STATE_BYTES} B: start to AVAILABLE",
            grouped(MANY)
        ),
        reached: format!("{:.1} s", took.as_secs_f64()),
        wanted: format!("≤ {} s", JOIN_MAX.as_secs()),
        met: Some(took <= JOIN_MAX),
        ..Row::default()
    })
}

/// Measures three nodes.
///
/// # Errors
/// If a node does not start, or an answer of a rate is no success.
pub(crate) fn measure(wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let etcd = Etcd::start(Path::new(env!("CARGO_MANIFEST_DIR")), &folder::ground()?).context("start etcd")?;
    let mut rows = rates(wish, etcd.as_ref())?;
    let mut scene = Scene::set(3)?;
    rows.push(idle(&mut scene)?);
    rows.extend(fail_over(&mut scene, wish, etcd.as_ref())?);
    rows.push(hand_off(&mut scene, wish)?);
    rows.push(relaxed(&mut scene, wish)?);
    drop(scene);
    rows.push(joins()?);
    Ok(rows)
}
