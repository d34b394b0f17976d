//! Faults of every kind in any order, one upon the other, under writers, readers and effects.
//!
//! `STEWARD_STORM_SECONDS=3600` goes on for an hour, `STEWARD_STORM_SEED=7` has other faults. The seed says which faults come
//! and for how long; what they meet is the machine's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::network::Network;
use steward_tests::nodes::Nodes;
use steward_tests::random::Random;
use steward_tests::variable::number;
use steward_tests::wait::until;
use tokio::task::JoinHandle;

use crate::cuts::until_whole;
use crate::load::{self, Load, PATIENCE, PAUSE};

const NODES: usize = 3;

/// Documents that count, and have no maintenance: one that counts down by itself once an hour is no use here.
const LEDGERS: &str = "/core/ledgers";
const COUNTERS: usize = 4;
const RELAYS: usize = 3;

/// Blows between two judgements.
const BLOWS: u64 = 6;

/// How long a blow lasts at most, in milliseconds: some are over before anybody has noticed.
const LASTS_MAX: u64 = 6_000;

/// What happens to the process of one node.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Kill(usize),
    Hang(usize),
    Stop(usize),
    /// Two at once: nobody decides anything any more.
    KillTwo(usize),
    KillAll,
}

impl Blow {
    fn any(random: &mut Random) -> Blow {
        let at = random.below(NODES as u64) as usize;
        match random.below(12) {
            0..4 => Blow::Kill(at),
            4..8 => Blow::Hang(at),
            8..10 => Blow::Stop(at),
            10 => Blow::KillTwo(at),
            _ => Blow::KillAll,
        }
    }

    fn hits(self) -> Vec<usize> {
        match self {
            Blow::Kill(at) | Blow::Hang(at) | Blow::Stop(at) => vec![at],
            Blow::KillTwo(spared) => (0..NODES).filter(|at| *at != spared).collect(),
            Blow::KillAll => (0..NODES).collect(),
        }
    }

    fn strike(self, nodes: &mut Nodes) {
        for at in self.hits() {
            match self {
                Blow::Hang(_) => nodes.host(at).pause().expect("the process is held up"),
                // Whoever is cut off can hand nothing over, and says so.
                Blow::Stop(_) => drop(nodes.host(at).stop().expect("it stops")),
                _ => nodes.host(at).kill(),
            }
        }
    }

    /// Lets the processes go on; those that were started anew need not be ready.
    fn undo(self, nodes: &mut Nodes) {
        for at in self.hits() {
            match self {
                Blow::Hang(_) => nodes.host(at).resume().expect("the process goes on"),
                _ => nodes.host(at).spawn().expect("a process"),
            }
        }
    }

    fn until_ready(self, nodes: &mut Nodes) {
        if matches!(self, Blow::Hang(_)) {
            return;
        }
        for at in self.hits() {
            nodes.host(at).ready().expect("the node becomes ready");
        }
    }
}

/// What happens to the links.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Isolates(usize),
    OneWay(usize, usize),
    BothWays(usize, usize),
}

impl Cut {
    fn any(random: &mut Random) -> Cut {
        let at = random.below(NODES as u64) as usize;
        let other = (at + 1 + random.below(NODES as u64 - 1) as usize) % NODES;
        match random.below(3) {
            0 => Cut::Isolates(at),
            1 => Cut::OneWay(at, other),
            _ => Cut::BothWays(at, other),
        }
    }

    fn strike(self, network: &Network) {
        match self {
            Cut::Isolates(at) => network.isolate(at),
            Cut::OneWay(from, to) => network.cut(from, to),
            Cut::BothWays(one, other) => {
                network.cut(one, other);
                network.cut(other, one);
            }
        }
    }
}

/// Lets a blow, a cut or both hit the nodes, and returns once all copies count again.
async fn weather(nodes: &mut Nodes, random: &mut Random) {
    let which = random.below(3);
    let (blow, cut) = ((which != 0).then(|| Blow::any(random)), (which != 1).then(|| Cut::any(random)));
    println!("{blow:?} {cut:?}");
    // How long a fault lasts is what these are about, not a wait for something.
    let lasts = |random: &mut Random| tokio::time::sleep(Duration::from_millis(random.below(LASTS_MAX)));
    if let Some(cut) = cut {
        cut.strike(nodes.network());
        lasts(random).await;
    }
    if let Some(blow) = blow {
        tokio::task::block_in_place(|| blow.strike(nodes));
        lasts(random).await;
    }
    // A node may come back to links that are still cut, or find them mended.
    let is_mended_first = random.one_in(2);
    if is_mended_first {
        nodes.network().heal();
    }
    if let Some(blow) = blow {
        blow.undo(nodes);
        lasts(random).await;
    }
    nodes.network().heal();
    if let Some(blow) = blow {
        tokio::task::block_in_place(|| blow.until_ready(nodes));
    }
    until_whole(nodes).await;
}

/// Documents that add to others by effects.
struct Relays {
    over: Arc<AtomicBool>,
    senders: Vec<JoinHandle<u64>>,
    name: String,
}

impl Relays {
    async fn begin(nodes: &[Client], name: String) -> Relays {
        let over = Arc::new(AtomicBool::new(false));
        let mut senders = Vec::new();
        for at in 0..RELAYS {
            let link = json!({ "documentSelfLink": format!("{name}-{at}") });
            nodes[0].post("/core/relays", &link).await.expect(201);
            nodes[0].post(LEDGERS, &link).await.expect(201);
            let relay = Relay {
                client: nodes[at % nodes.len()].clone(),
                path: format!("/core/relays/{name}-{at}"),
                to: format!("{LEDGERS}/{name}-{at}"),
                over: Arc::clone(&over),
            };
            senders.push(tokio::spawn(relay.send()));
        }
        Relays { over, senders, name }
    }

    /// Judges that each update which was acknowledged sent an effect, and that each effect was carried out once.
    async fn judge(self, client: &Client) -> u64 {
        self.over.store(true, Ordering::Release);
        let mut sum = 0;
        for (at, sender) in self.senders.into_iter().enumerate() {
            let acknowledged = sender.await.expect("a sender does not panic");
            let (relay, target) = (format!("/core/relays/{}-{at}", self.name), format!("{LEDGERS}/{}-{at}", self.name));
            let effects = format!("{relay}/effects");
            until("its effects are settled", || async {
                let pending = client.get(&effects).await;
                (pending.status == 200 && pending.json()["pendingCount"] == 0).then_some(())
            })
            .await;
            let read = async |path: &str, field: &str| -> u64 {
                let document: Value = client.get(path).await.expect(200).json();
                document[field].as_u64().expect("a number")
            };
            let (sent, received) = (read(&relay, "sent").await, read(&target, "count").await);
            assert!(sent >= acknowledged, "{relay}: {acknowledged} were acknowledged, {sent} are there");
            assert_eq!(sent, received, "{relay}: effects were lost, or carried out twice");
            sum += sent;
        }
        sum
    }
}

struct Relay {
    client: Client,
    path: String,
    to: String,
    over: Arc<AtomicBool>,
}

impl Relay {
    /// Returns how many updates were acknowledged.
    async fn send(self) -> u64 {
        let (mut acknowledged, body) = (0, json!({ "to": self.to, "by": 1 }).to_string());
        while !self.over.load(Ordering::Acquire) {
            let asked =
                self.client.send(Method::PATCH, &self.path, &[("content-type", "application/json")], body.clone());
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(answer)) if answer.status == 200 => acknowledged += 1,
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
        acknowledged
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_old_in_any_weather() {
    let Some(network) = Network::new(NODES) else { return };
    let seed = number("STEWARD_STORM_SEED", u64::from(std::process::id()));
    let (began, lasts) = (Instant::now(), Duration::from_secs(number("STEWARD_STORM_SECONDS", 0)));
    println!("STEWARD_STORM_SEED={seed}");
    let mut random = Random::new(seed);
    let mut nodes = Nodes::started_on(network).await;
    nodes.deploy(&["upgrade-before", "relay"]).await;
    nodes.until_balanced(NODES).await;
    let (mut blows, mut additions, mut effects) = (0, 0, 0);
    let mut longest = Duration::ZERO;
    loop {
        let names = (0..COUNTERS).map(|at| format!("storm-{blows}-{at}"));
        let load = Load::begin_on(&nodes.clients(), LEDGERS, names).await;
        let relays = Relays::begin(&nodes.clients(), format!("relay-{blows}")).await;
        // In the suite there is time for two.
        for _ in 0..if lasts.is_zero() { 2 } else { BLOWS } {
            weather(&mut nodes, &mut random).await;
            blows += 1;
        }
        let (histories, gap) = load.end().await;
        additions += load::judge(&histories, &nodes.client(0)).await;
        effects += relays.judge(&nodes.client(1)).await;
        longest = longest.max(gap);
        println!(
            "{} s, seed {seed}: {blows} faults, {additions} additions acknowledged, {effects} effects, longest gap {longest:?}",
            began.elapsed().as_secs()
        );
        if began.elapsed() >= lasts {
            break;
        }
    }
    assert!(additions > 50 && effects > 10, "{additions} additions, {effects} effects");
}
