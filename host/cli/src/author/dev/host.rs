//! The hosts of `dev`: processes of its own that end with this one. Several are one group.
//!
//! ```text
//! steward dev ──spawns──▶ steward start --announce - --log-format json
//!      ▲                      │ stdout: one line when it is ready
//!      └──────────────────────┘ stderr: its log, a line each
//! ```

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::error::{Exit, Failure};
use crate::start::ENDS_WITH_PARENT;
use steward_node::config::{VARIABLE_PREFIX, peer_port_of};

/// Lines that wait to be shown; the host waits when there are more.
const LINES_MAX: usize = 1024;

/// How long the host's requests under way may go on after it was told to stop.
const GRACE: &str = "2s";

/// How long the host may take to stop before it is ended.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What it logs: of guests everything.
const LOG_LEVEL: &str = "info,steward_node::imports=trace";

/// Its author may want to know what a handler saw.
const RECORDS: &str = "--record-requests";

/// Which hosts are started.
pub(super) struct Wanted<'a> {
    /// Their folders.
    pub(super) folders: &'a Folders,
    /// How many, at least one.
    pub(super) nodes: u16,
    /// Their clocks may be moved; they keep nothing then.
    pub(super) is_virtual: bool,
    /// Port of the first one, the others follow it; 0: the system picks.
    pub(super) port: u16,
    /// Further flags of each.
    pub(super) more: &'a [OsString],
}

/// Where a host keeps what it has.
pub(super) struct Folders {
    /// Its state; none: in a temporary folder.
    pub(super) data: Option<PathBuf>,
    /// Compiled code, also that of hosts before it.
    pub(super) code: Option<PathBuf>,
}

/// What a host has said.
pub(super) struct Said {
    /// Which one, from 0.
    pub(super) node: usize,
    /// A line of its log; none: it has ended.
    pub(super) line: Option<String>,
}

/// The hosts that run for this command alone.
pub(super) struct Hosts {
    nodes: Vec<Node>,
    said: Receiver<Said>,
    /// Their addresses.
    pub(super) apis: Vec<String>,
}

/// One process.
struct Node {
    child: Child,
    readers: Vec<JoinHandle<()>>,
    /// One line, when it is ready.
    announced: Receiver<Said>,
}

impl Hosts {
    /// Starts hosts and waits until all are ready.
    ///
    /// # Errors
    /// A failure with what a host said if it does not become ready.
    pub(super) async fn start(wanted: &Wanted<'_>) -> Result<Hosts, Failure> {
        let (says, said) = channel(LINES_MAX);
        let mut hosts = Hosts { nodes: Vec::new(), said, apis: Vec::new() };
        for (number, command) in commands(wanted)?.into_iter().enumerate() {
            hosts.nodes.push(Node::spawn(number, command, says.clone()).map_err(|error| broken(&error))?);
        }
        drop(says);
        match hosts.all_ready().await {
            Ok(apis) => {
                hosts.apis = apis;
                Ok(hosts)
            }
            Err(number) => Err(hosts.not_started(number).await),
        }
    }

    /// Returns the addresses of the hosts once all are ready, or the first of them that does not become so.
    async fn all_ready(&mut self) -> Result<Vec<String>, usize> {
        // All at once: one that has ended leaves the others waiting for it.
        let ready = self.nodes.iter_mut().enumerate().map(|(number, node)| node.ready(number));
        futures_util::future::try_join_all(ready).await
    }

    async fn not_started(mut self, number: usize) -> Failure {
        let mut failure = Failure::new(Exit::Failed, "host-not-started", "the host for this project did not start");
        // The others would wait for it.
        self.nodes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != number)
            .for_each(|(_, node)| node.signal(Signal::KILL));
        while let Some(Said { node, line }) = self.said.recv().await {
            // Its log is of no use to whoever wants a port; what it says at its end is.
            match line {
                Some(line) if node == number && serde_json::from_str::<Value>(&line).is_err() => {
                    failure = failure.detail(line);
                }
                Some(_) | None => {}
            }
        }
        self.end();
        failure
    }

    /// Returns what a host says next.
    pub(super) async fn say(&mut self) -> Said {
        match self.said.recv().await {
            Some(said) => said,
            // All have said that they have ended.
            None => std::future::pending().await,
        }
    }

    /// Asks the hosts to stop, and ends those that do not.
    pub(super) async fn stop(mut self) {
        self.nodes.iter().for_each(|node| node.signal(Signal::TERM));
        let silent = async { while self.said.recv().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, silent).await.is_err() {
            self.nodes.iter().for_each(|node| node.signal(Signal::KILL));
        }
        self.end();
    }

    fn end(&mut self) {
        self.said.close();
        for mut node in self.nodes.drain(..) {
            node.announced.close();
            // Nobody asks how a host that was told to stop has ended.
            let _ = node.child.wait();
            for reader in node.readers {
                // It has nothing to tell but that the stream ended.
                let _ = reader.join();
            }
        }
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.nodes.iter().for_each(|node| node.signal(Signal::KILL));
        self.end();
    }
}

impl Node {
    fn spawn(number: usize, mut command: Command, says: Sender<Said>) -> std::io::Result<Node> {
        let (announces, announced) = channel(1);
        let child = command.spawn()?;
        let mut node = Node { child, readers: Vec::new(), announced };
        if let (Some(stdout), Some(stderr)) = (node.child.stdout.take(), node.child.stderr.take()) {
            node.readers.push(reader("dev-host-ready", number, stdout, announces)?);
            node.readers.push(reader("dev-host-log", number, stderr, says)?);
        }
        Ok(node)
    }

    /// Returns its address once it is ready, or `number` if it ends before.
    async fn ready(&mut self, number: usize) -> Result<String, usize> {
        let line = self.announced.recv().await.and_then(|said| said.line);
        let ready = line.and_then(|line| serde_json::from_str::<Value>(&line).ok());
        let api = ready.as_ref().and_then(|ready| ready["api"].as_str());
        api.map(str::to_owned).ok_or(number)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself a moment ago.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Returns the commands that start the hosts.
fn commands(wanted: &Wanted<'_>) -> Result<Vec<Command>, Failure> {
    let Wanted { folders, nodes, is_virtual, port, more } = *wanted;
    let command = |port| -> Result<Command, Failure> {
        let mut command = command(folders, port, more)?;
        if is_virtual {
            command.args(["--clock", "virtual"]);
        }
        Ok(command)
    };
    if nodes == 1 {
        return Ok(vec![command(port)?]);
    }
    let ports = ports(port, nodes)?;
    let list: Vec<String> = ports.iter().map(|port| format!("http://127.0.0.1:{port}")).collect();
    let of_group = |(number, port): (usize, &u16)| {
        let mut command = command(*port)?;
        command.args(["--id", &node_name(number), "--peerNodes", &list.join(",")]);
        Ok(command)
    };
    ports.iter().enumerate().map(of_group).collect()
}

/// Returns the name of a node of a group, counted from 0.
pub(super) fn node_name(number: usize) -> String {
    format!("dev-{}", number + 1)
}

/// Returns ports for the APIs of several hosts, beside which those for peers are free as well.
fn ports(first: u16, count: u16) -> Result<Vec<u16>, Failure> {
    if first > 0 {
        let ports = (0..count).map(|number| first.checked_add(number)).collect::<Option<Vec<_>>>();
        return ports.ok_or_else(|| {
            let summary = format!("--port {first} leaves no room for {count} nodes, which have ports in a row");
            Failure::new(Exit::Usage, "usage", summary)
        });
    }
    let picked = || -> std::io::Result<Vec<u16>> {
        let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        // Held until all are picked, so that none comes twice.
        let (mut held, mut ports) = (Vec::new(), Vec::new());
        while ports.len() < usize::from(count) {
            let api = listen(0)?;
            let port = api.local_addr()?.port();
            if let Ok(peers) = listen(peer_port_of(port)) {
                ports.push(port);
                held.push(peers);
            }
            held.push(api);
        }
        Ok(ports)
    };
    picked().map_err(|error| broken(&error))
}

fn command(folders: &Folders, port: u16, more: &[OsString]) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| broken(&error))?);
    // Settings of another host, which this one must not join or overwrite.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(VARIABLE_PREFIX)) {
        command.env_remove(name);
    }
    command.args(["start", "--port", &port.to_string(), "--announce", "-", "--log-format", "json"]);
    command.arg(format!("--{ENDS_WITH_PARENT}"));
    match &folders.data {
        Some(data) => command.arg("--data").arg(data),
        None => command.arg("--ephemeral"),
    };
    let is_said = |flag: &str| more.iter().any(|word| word.to_string_lossy().starts_with(flag));
    if let Some(code) = folders.code.as_ref().filter(|_| !is_said("--code-cache")) {
        command.arg("--code-cache").arg(code);
    }
    for (flag, value) in [("--log-level", LOG_LEVEL), ("--shutdown-grace", GRACE)] {
        if !is_said(flag) {
            command.args([flag, value]);
        }
    }
    if !is_said(RECORDS) {
        command.arg(RECORDS);
    }
    command.args(more).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // The keys of a terminal are for this command, which ends the host in its own time.
    command.process_group(0);
    Ok(command)
}

/// Hands lines of a stream on until it ends or nobody listens, and says that it has ended; reads on then, so that the writer is not held up.
fn reader(
    name: &str,
    node: usize,
    stream: impl Read + Send + 'static,
    says: Sender<Said>,
) -> std::io::Result<JoinHandle<()>> {
    let work = move || {
        let mut listens = true;
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = Some(String::from_utf8_lossy(&line).into_owned());
            listens = listens && says.blocking_send(Said { node, line }).is_ok();
        }
        // Nobody may listen any more.
        let _ = says.blocking_send(Said { node, line: None });
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, "host-not-started", "cannot start a host for this project").detail(error.to_string())
}
