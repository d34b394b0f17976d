//! A group of hosts under test: real processes with one list, one secret, and ports of the system.
//!
//! Whatever does not come true within the patience of [`crate::wait`] panics, and so does a process that does not start: every
//! caller is a test, or shows something to somebody who watches.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::guests::{self, Progress};
use crate::host::Host;
use crate::network::Network;
use crate::port::Reserved;
use crate::wait::until;

/// The port for the API of a host that has an address of its own.
const APART: u16 = 8000;

/// How far the port for peers is from the one of the API.
const DISTANCE: u16 = 10_000;

/// The ports of a node: for its API, and beside it for its peers.
struct Ports {
    api: Reserved,
    peers: Reserved,
}

impl Ports {
    fn reserved() -> std::io::Result<Ports> {
        loop {
            let api = Reserved::any()?;
            // Else somebody has that one, and another pair is looked for.
            if let Ok(peers) = Reserved::of(peer_port(api.number())) {
                return Ok(Ports { api, peers });
            }
        }
    }
}

/// Returns the port for peers beside a port for an API.
fn peer_port(port: u16) -> u16 {
    port.checked_add(DISTANCE).unwrap_or(port.wrapping_sub(DISTANCE))
}

/// The hosts of one group. They are counted from 0; `host-0` is the name of the first.
pub struct Nodes {
    hosts: Vec<Host>,
    /// Kept while the processes are not there.
    _peer_ports: Vec<Reserved>,
    /// Holds the secret and the data folders.
    folder: TempDir,
    list: String,
    network: Option<Network>,
}

impl Nodes {
    /// Returns `count` nodes with one list and one secret, none of them started; with further flags.
    pub fn prepared(count: usize, flags: &[&str]) -> Nodes {
        Nodes::prepared_in(&std::env::temp_dir(), count, flags)
    }

    /// Returns what [`Nodes::prepared`] does, with the data below `place`.
    pub fn prepared_in(place: &Path, count: usize, flags: &[&str]) -> Nodes {
        let folder = tempfile::Builder::new().prefix("steward-cluster-").tempdir_in(place).expect("a folder");
        std::fs::write(folder.path().join("secret"), "a secret for all nodes of a test").expect("a secret");
        let ports: Vec<Ports> = (0..count).map(|_| Ports::reserved().expect("ports")).collect();
        let urls = ports.iter().map(|ports| format!("http://127.0.0.1:{}", ports.api.number()));
        let list = urls.collect::<Vec<_>>().join(",");
        let mut nodes = Nodes { hosts: Vec::new(), _peer_ports: Vec::new(), folder, list, network: None };
        for ports in ports {
            nodes.add(ports, flags);
        }
        nodes
    }

    fn add(&mut self, ports: Ports, flags: &[&str]) {
        let (place, flags) = self.quarters(ports.api.number(), flags);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        self.hosts.push(Host::prepared_at(ports.api, &place, &flags).expect("a host"));
        self._peer_ports.push(ports.peers);
    }

    fn add_apart(&mut self, namespace: &str, flags: &[&str]) {
        let (place, flags) = self.quarters(APART, flags);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        self.hosts.push(Host::prepared_apart(APART, namespace, &place, &flags).expect("a host"));
    }

    /// Returns the folder and the flags of the next node.
    fn quarters(&self, port: u16, flags: &[&str]) -> (PathBuf, Vec<String>) {
        let at = self.hosts.len();
        let place = self.folder.path().join(format!("node-{at}"));
        std::fs::create_dir_all(&place).expect("a folder");
        // Said, so that a node whose list names no other can grow all the same.
        let peer_port = peer_port(port).to_string();
        let flags: Vec<&str> = ["--peer-port", &peer_port].iter().chain(flags).copied().collect();
        (place, self.flags(&format!("host-{at}"), &flags))
    }

    fn flags(&self, id: &str, further: &[&str]) -> Vec<String> {
        let secret = self.folder.path().join("secret").display().to_string();
        let mut flags = vec!["--id", id, "--peerNodes", &self.list];
        if !further.contains(&"--cluster-secret-file") {
            flags.extend(["--cluster-secret-file", &secret]);
        }
        flags.iter().chain(further).map(|flag| (*flag).to_owned()).collect()
    }

    /// Lets a node start with other further flags the next time.
    pub fn set_flags(&mut self, at: usize, flags: &[&str]) {
        let flags = self.flags(&format!("host-{at}"), flags);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        self.hosts[at].set_flags(&flags);
    }

    /// Returns a further node with the same list, not started.
    pub fn join(&mut self, flags: &[&str]) -> usize {
        self.add(Ports::reserved().expect("ports"), flags);
        self.hosts.len() - 1
    }

    /// Returns `count` nodes that were started at once and have become one group.
    pub async fn started(count: usize, flags: &[&str]) -> Nodes {
        let mut nodes = Nodes::prepared(count, flags);
        nodes.all_started().await;
        nodes
    }

    /// Returns `count` nodes that keep their data below `place`, were started at once and have become one group.
    pub async fn started_in(place: &Path, count: usize, flags: &[&str]) -> Nodes {
        let mut nodes = Nodes::prepared_in(place, count, flags);
        nodes.all_started().await;
        nodes
    }

    /// Returns how many nodes there are, started or not.
    pub fn count(&self) -> usize {
        self.hosts.len()
    }

    /// Returns nodes that were started at once, each a host of `network`, and have become one group.
    pub async fn started_on(network: Network) -> Nodes {
        let mut nodes = Nodes::prepared(0, &[]);
        let addresses: Vec<String> = (0..network.hosts()).map(|at| network.address(at).to_string()).collect();
        nodes.list = addresses.iter().map(|address| format!("http://{address}:{APART}")).collect::<Vec<_>>().join(",");
        for (at, address) in addresses.iter().enumerate() {
            nodes.add_apart(&network.namespace(at), &["--bind-address", address, "--insecure-public"]);
        }
        nodes.network = Some(network);
        nodes.all_started().await;
        nodes
    }

    async fn all_started(&mut self) {
        let count = self.hosts.len();
        for at in 0..count {
            self.host(at).spawn().expect("a process");
        }
        for at in 0..count {
            self.host(at).ready().expect("the node becomes ready");
        }
        self.until_available(count).await;
    }

    /// Returns the network that the nodes were started on.
    pub fn network(&self) -> &Network {
        self.network.as_ref().expect("the nodes have a network of their own")
    }

    /// Returns a node, to start, stop, kill or hold it up.
    pub fn host(&mut self, at: usize) -> &mut Host {
        &mut self.hosts[at]
    }

    /// Returns a client of a node.
    pub fn client(&self, at: usize) -> Client {
        self.hosts[at].client().clone()
    }

    /// Returns a client of each node.
    pub fn clients(&self) -> Vec<Client> {
        self.hosts.iter().map(|host| host.client().clone()).collect()
    }

    /// Deploys guests through the first node, and returns once every node serves them.
    pub async fn deploy(&self, names: &[&'static str]) {
        let wanted = names.to_vec();
        let build = move || guests::build(&wanted, &Progress::hidden());
        let built =
            tokio::task::spawn_blocking(build).await.expect("the build does not panic").expect("the guests build");
        for guest in built {
            let component = std::fs::read(&guest.path).expect("a component");
            let path = self.hosts[0].client().deploy(&component, None).await;
            // A deployment is done when all nodes serve it.
            for client in self.clients() {
                client.get(&path).await.expect(200);
            }
        }
    }

    /// Returns once each of `count` nodes owns about its share of the documents.
    pub async fn until_balanced(&self, count: usize) {
        until("the partitions are shared out", || async {
            let partitions = self.client(0).get("/core/partitions?lane=persisted").await.json();
            let partitions = partitions["partitions"].as_array()?.clone();
            let owned = |at: usize| {
                let host = format!("host-{at}");
                let is_owned = |row: &&Value| row["primary"] == host.as_str();
                partitions.iter().filter(is_owned).count()
            };
            (0..count).all(|at| owned(at) > 256 / count / 2).then_some(())
        })
        .await;
    }

    /// Returns once node `at` answers for all documents.
    pub async fn until_answered(&self, at: usize) {
        let client = self.client(at);
        until("all documents are served", || async {
            let answer = client.get("/core/counters").await;
            if answer.status != 200 {
                let said = String::from_utf8_lossy(&answer.body).into_owned();
                println!("host-{at} does not answer for all yet: {said}");
                self.show_partition(&said).await;
            }
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// Prints what each node that answers knows of the partition that a refusal names.
    async fn show_partition(&self, said: &str) {
        let named = said.split("partition ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
        for (at, host) in self.hosts.iter().enumerate() {
            let asked = host.client().send(http::Method::GET, "/core/partitions?lane=persisted", &[], "").await;
            let shown = asked.map(|answer| answer.json()).unwrap_or_default();
            let rows = shown["partitions"].as_array().into_iter().flatten();
            for row in rows.filter(|row| row["id"] == named) {
                println!("host-{at} knows {row}");
            }
        }
    }

    /// Returns the group as a node shows it; none if it does not answer.
    pub async fn group(&self, at: usize) -> Option<Value> {
        let client = self.hosts[at].client();
        let answer = client.send(http::Method::GET, "/core/node-groups/default", &[], "").await.ok()?;
        answer.status.is_success().then(|| answer.json())
    }

    /// Returns what node `by` shows of node `of`.
    pub async fn shown(&self, by: usize, of: usize) -> Option<Value> {
        let group = self.group(by).await?;
        group["nodes"].get(format!("host-{of}")).cloned()
    }

    /// Returns once every node shows `count` nodes that are available.
    pub async fn until_available(&self, count: usize) {
        for at in 0..count {
            until("the group is whole", || async move {
                let group = self.group(at).await?;
                let nodes = group["nodes"].as_object()?;
                let available = nodes.values().filter(|node| node["status"] == "AVAILABLE").count();
                (available == count && nodes.len() == count).then_some(())
            })
            .await;
        }
    }

    /// Returns once node `by` shows node `of` in this status, and how long that took.
    pub async fn until_status(&self, by: usize, of: usize, status: &str) -> Duration {
        let began = Instant::now();
        until(&format!("node {of} is {status}"), || async move {
            (self.shown(by, of).await?["status"] == status).then_some(())
        })
        .await;
        began.elapsed()
    }

    /// Returns which node leads, as node `by` knows it, once `count` nodes vote.
    pub async fn leader(&self, by: usize, count: usize) -> usize {
        until("somebody leads", || async move {
            let group = self.group(by).await?;
            let nodes = group["nodes"].as_object()?;
            let voters = nodes.values().filter(|node| node["votes"] == true).count();
            let leader = group["systemGroup"]["leader"].as_str()?;
            (voters == count && group["systemGroup"]["decides"] == true).then(|| number(leader))
        })
        .await
    }

    /// Returns the first node that is none of these.
    pub fn other_than(&self, these: &[usize]) -> usize {
        (0..self.hosts.len()).find(|at| !these.contains(at)).expect("another node")
    }
}

/// Returns the number of a node from its name.
fn number(host: &str) -> usize {
    host.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a name of these tests")
}
