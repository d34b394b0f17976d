//! A group of etcd members on this machine, built with Go out of `tests/bench/etcd`; and their clients.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Deserialize;
use steward_tests::port::Reserved;
use tempfile::TempDir;

use crate::footprint;
use crate::rest::DOCUMENTS;

/// Bytes of a value, about those of a state with what the host keeps of it.
const VALUE_BYTES: usize = 300;

/// How long a group may take to elect.
const ELECTED_WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Etcd {
    program: PathBuf,
    members: std::cell::RefCell<Vec<Child>>,
    folder: TempDir,
    /// For clients and for peers.
    ports: Vec<(Reserved, Reserved)>,
}

/// What a run of puts reached.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Put {
    /// Puts per second.
    pub(crate) per_second: f64,
    answers: u64,
    /// At the median, at 99 of 100 and at 999 of 1,000.
    pub(crate) millis: [f64; 3],
    /// Processor time of all members per put.
    #[serde(default)]
    pub(crate) cpu_micros: f64,
}

impl Etcd {
    /// Starts three members below `ground`, each with etcd's own settings; none if it cannot be built here.
    ///
    /// # Errors
    /// If they are built and do not start.
    pub(crate) fn start(tests: &Path, ground: &Path) -> anyhow::Result<Option<Etcd>> {
        let program = ground.join("etcd");
        eprintln!("group: building etcd");
        let built = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(tests.join("bench/etcd"))
            .status();
        if !built.is_ok_and(|status| status.success()) {
            eprintln!("group: etcd is not here: it takes Go, and its modules");
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("etcd-").tempdir_in(ground)?;
        let ports = (0..3).map(|_| Ok((Reserved::any()?, Reserved::any()?))).collect::<std::io::Result<Vec<_>>>()?;
        let etcd = Etcd { program, members: Default::default(), folder, ports };
        for at in 0..3 {
            let member = etcd.spawn(at)?;
            etcd.members.borrow_mut().push(member);
        }
        etcd.until_it_puts()?;
        Ok(Some(etcd))
    }

    fn spawn(&self, at: usize) -> anyhow::Result<Child> {
        let peer = |at: usize| format!("http://127.0.0.1:{}", self.ports[at].1.number());
        let client = format!("http://127.0.0.1:{}", self.ports[at].0.number());
        let cluster: Vec<String> = (0..3).map(|at| format!("m{at}={}", peer(at))).collect();
        let mut command = Command::new(&self.program);
        command.args(["serve", "--name", &format!("m{at}"), "--log-level", "error", "--data-dir"]);
        command.arg(self.folder.path().join(format!("m{at}")));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer(at), "--initial-advertise-peer-urls", &peer(at)]);
        command.args(["--initial-cluster", &cluster.join(","), "--initial-cluster-state", "new"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("start a member of etcd")
    }

    fn endpoints(&self, of: impl Iterator<Item = usize>) -> String {
        of.map(|at| format!("127.0.0.1:{}", self.ports[at].0.number())).collect::<Vec<_>>().join(",")
    }

    fn until_it_puts(&self) -> anyhow::Result<()> {
        let mut gap = Gap::begin(self, &self.endpoints(0..3))?;
        gap.next(ELECTED_WITHIN).context("etcd takes no put")?;
        Ok(())
    }

    /// Puts for `span`.
    ///
    /// # Errors
    /// If a put fails.
    pub(crate) fn put(&self, connections: usize, span: Duration) -> anyhow::Result<Put> {
        let before = self.cpu()?;
        let numbers =
            [connections as u64, span.as_secs(), DOCUMENTS, VALUE_BYTES as u64].map(|number| number.to_string());
        let told = Command::new(&self.program).args(["put", &self.endpoints(0..3)]).args(numbers).output()?;
        ensure!(told.status.success(), "etcd: {}", String::from_utf8_lossy(&told.stderr));
        let mut put: Put = serde_json::from_slice(&told.stdout).context("read what was put")?;
        put.cpu_micros = self.cpu()?.saturating_sub(before).as_secs_f64() * 1e6 / put.answers as f64;
        Ok(put)
    }

    fn cpu(&self) -> anyhow::Result<Duration> {
        self.members.borrow().iter().map(|member| footprint::cpu(member.id())).sum()
    }

    /// Kills the leader again and again; returns how long a client of the others waited each time, the shortest first.
    ///
    /// # Errors
    /// If a group does not elect again.
    pub(crate) fn fail_overs(&self, rounds: usize) -> anyhow::Result<Vec<Duration>> {
        let mut waited = Vec::new();
        while waited.len() < rounds {
            // Whoever leads is the one without whom nothing goes on for longer than a heartbeat.
            for victim in 0..3 {
                let mut gap = Gap::begin(self, &self.endpoints((0..3).filter(|at| *at != victim)))?;
                gap.next(ELECTED_WITHIN)?;
                gap.drain();
                self.members.borrow_mut()[victim].kill()?;
                self.members.borrow_mut()[victim].wait()?;
                let killed = Instant::now();
                // The first may have been under way.
                gap.next(ELECTED_WITHIN)?;
                gap.next(ELECTED_WITHIN)?;
                let took = killed.elapsed();
                drop(gap);
                self.members.borrow_mut()[victim] = self.spawn(victim)?;
                self.until_it_puts()?;
                std::thread::sleep(Duration::from_secs(1));
                if took > Duration::from_millis(150) {
                    waited.push(took);
                }
            }
        }
        waited.sort_unstable();
        Ok(waited)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for member in self.members.get_mut() {
            // It may have ended already.
            let _ = member.kill();
            let _ = member.wait();
        }
    }
}

/// A client that puts one value after the other.
struct Gap {
    child: Child,
    puts: Receiver<()>,
}

impl Gap {
    fn begin(etcd: &Etcd, endpoints: &str) -> anyhow::Result<Gap> {
        let mut child = Command::new(&etcd.program)
            .args(["gap", endpoints])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("start a client of etcd")?;
        let output = BufReader::new(child.stdout.take().context("a client has an output")?);
        let (put, puts) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|_| put.send(())));
        Ok(Gap { child, puts })
    }

    fn next(&mut self, within: Duration) -> anyhow::Result<()> {
        self.puts.recv_timeout(within).context("no put was acknowledged in time")
    }

    fn drain(&mut self) {
        while self.puts.try_recv().is_ok() {}
    }
}

impl Drop for Gap {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
