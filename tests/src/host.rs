//! A host under test: the real binary, in a process of its own, with its data in a temporary folder.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::build;
use crate::client::Client;
use crate::port::Reserved;

/// How long a host may take to become ready, on a machine that is busy with other tests.
pub const READY_WITHIN: Duration = Duration::from_secs(120);

/// Flags of a host that keeps compiled code in its data folder, and not where all hosts under test have theirs.
pub const OWN_CODE: [&str; 2] = ["--code-cache", ""];

/// What a host meets that others do not.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// How many file descriptors its process may have; none: as many as the process of the test.
    pub descriptors: Option<u32>,
    /// Further variables of its environment.
    pub environment: Vec<(String, String)>,
    /// The network namespace that it runs in; none: that of the test.
    pub namespace: Option<String>,
}

impl Circumstances {
    fn command(&self, program: PathBuf) -> Command {
        // Each of them becomes the next, so that signals reach the program.
        let mut words: Vec<OsString> = Vec::new();
        if let Some(namespace) = &self.namespace {
            words.extend(["ip", "netns", "exec", namespace].map(OsString::from));
        }
        if let Some(descriptors) = self.descriptors {
            let limit = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
            words.extend(["sh", "-c", &limit].map(OsString::from));
        }
        words.push(program.into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command.envs(build::code_cache());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A running host. Its process ends, and its folder goes, with this value.
pub struct Host {
    /// What it says is kept here, and its data as well unless they lie on a disk of the tests.
    folder: TempDir,
    place: PathBuf,
    flags: Vec<String>,
    circumstances: Circumstances,
    port: u16,
    /// Keeps the port while the process is not there. None: the host has an address of its own.
    _reserved: Option<Reserved>,
    child: Option<Child>,
    /// Kept open, so that the host never writes into a closed pipe.
    output: Option<BufReader<ChildStdout>>,
    client: Client,
}

impl Host {
    /// Starts a host on an empty folder, with further flags.
    ///
    /// # Errors
    /// If it does not become ready; its log lines are in the text.
    pub fn start(flags: &[&str]) -> anyhow::Result<Host> {
        Host::start_in(&std::env::temp_dir(), flags)
    }

    /// Starts a host on an empty folder below `place`.
    ///
    /// # Errors
    /// If it does not become ready; its log lines are in the text.
    pub fn start_in(place: &Path, flags: &[&str]) -> anyhow::Result<Host> {
        Host::start_under(Circumstances::default(), place, flags)
    }

    /// Starts a host on an empty folder below `place`, in circumstances of its own.
    ///
    /// # Errors
    /// If it does not become ready; its log lines are in the text.
    pub fn start_under(circumstances: Circumstances, place: &Path, flags: &[&str]) -> anyhow::Result<Host> {
        let folder = tempfile::Builder::new().prefix("steward-test-").tempdir_in(place)?;
        let (place, port) = (folder.path().to_owned(), Reserved::any()?);
        let mut host = Host::new(port.number(), Some(port), folder, place, flags);
        host.circumstances = circumstances;
        host.launch()?;
        Ok(host)
    }

    /// Returns a host that keeps its data below `place`, and is not started: [`Host::restart`] does, or
    /// [`Host::spawn`].
    ///
    /// # Errors
    /// Those of the system.
    pub fn prepared(place: &Path, flags: &[&str]) -> anyhow::Result<Host> {
        Host::prepared_at(Reserved::any()?, place, flags)
    }

    /// Returns what [`Host::prepared`] does, at a port that is known already.
    ///
    /// # Errors
    /// Those of the system.
    pub fn prepared_at(port: Reserved, place: &Path, flags: &[&str]) -> anyhow::Result<Host> {
        Ok(Host::new(port.number(), Some(port), Host::quarters()?, place.to_owned(), flags))
    }

    /// Returns what [`Host::prepared_at`] does, in a network namespace of its own, where all ports are free.
    ///
    /// # Errors
    /// Those of the system.
    pub fn prepared_apart(port: u16, namespace: &str, place: &Path, flags: &[&str]) -> anyhow::Result<Host> {
        let mut host = Host::new(port, None, Host::quarters()?, place.to_owned(), flags);
        host.circumstances.namespace = Some(namespace.to_owned());
        Ok(host)
    }

    /// Returns a folder for what a host says.
    fn quarters() -> std::io::Result<TempDir> {
        tempfile::Builder::new().prefix("steward-test-").tempdir()
    }

    fn new(port: u16, reserved: Option<Reserved>, folder: TempDir, place: PathBuf, flags: &[&str]) -> Host {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let client = Client::new(&format!("http://127.0.0.1:{port}"));
        let circumstances = Circumstances::default();
        Host { folder, place, flags, circumstances, port, _reserved: reserved, child: None, output: None, client }
    }

    fn launch(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        self.ready()
    }

    /// Starts the process, and does not wait until it is ready.
    ///
    /// # Errors
    /// Those of the system.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        let errors = File::options().create(true).append(true).open(self.log_file())?;
        let mut command = self.circumstances.command(build::steward()?);
        command.arg("start").arg("--port").arg(self.port.to_string()).arg("--data").arg(self.data());
        command.args(["--announce", "-"]).args(&self.flags);
        if !self.flags.iter().any(|flag| flag == "--log-level") {
            command.args(["--log-level", "info"]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().context("start steward")?;
        self.output = Some(BufReader::new(child.stdout.take().context("the host has an output")?));
        self.child = Some(child);
        Ok(())
    }

    /// Waits until the host is ready.
    ///
    /// # Errors
    /// If it ends before, or takes longer than [`READY_WITHIN`] and is killed; its log lines are in the text.
    pub fn ready(&mut self) -> anyhow::Result<()> {
        let mut line = String::new();
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("the host has a process")?;
        let (done, is_done) = channel::<()>();
        let watch = std::thread::spawn(move || {
            if is_done.recv_timeout(READY_WITHIN) == Err(RecvTimeoutError::Timeout) {
                // It may have ended by itself a moment ago.
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let read = self.output.as_mut().context("the host was started")?.read_line(&mut line);
        drop(done);
        watch.join().map_err(|_| anyhow!("the watch of the start panicked"))?;
        read?;
        let Ok(ready) = serde_json::from_str::<serde_json::Value>(&line) else {
            bail!("the host did not become ready, it said {line:?} and\n{}", self.log());
        };
        let base = ready["api"].as_str().context("the announcement names the address")?.to_owned();
        self.client = Client::new(&base);
        Ok(())
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("stderr.log")
    }

    /// Returns what the host has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Returns a client of the host.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the host's data folder.
    pub fn data(&self) -> PathBuf {
        self.place.join("data")
    }

    /// Returns the folder in which the host keeps everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the number of the host's process.
    ///
    /// # Panics
    /// If it is not running.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the host is running").id()
    }

    /// Kills the host as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A process that has ended by itself cannot be killed any more.
            let _ = child.kill();
            let _ = child.wait();
        }
        self.output = None;
    }

    /// Sends the signal that ends the process at once, and does not wait for it: [`Host::kill`] must follow.
    pub fn strike(&mut self) {
        if let Some(child) = &mut self.child {
            // A process that has ended by itself cannot be killed any more.
            let _ = child.kill();
        }
    }

    /// Sends the signal that asks the process to stop in order, and does not wait for it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn ask_to_stop(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Holds the process up, as a machine that hangs would.
    ///
    /// # Errors
    /// Those of the system.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a process go on that was held up.
    ///
    /// # Errors
    /// Those of the system.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid())?).context("a process has a number")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Returns whether the process runs.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Asks the host to stop in order, and returns whether it did.
    ///
    /// # Errors
    /// Those of the system.
    pub fn stop(&mut self) -> anyhow::Result<bool> {
        let Some(mut child) = self.child.take() else { return Ok(true) };
        let pid = Pid::from_raw(i32::try_from(child.id())?).context("a process has a number")?;
        kill_process(pid, Signal::TERM)?;
        let status = child.wait()?;
        self.output = None;
        Ok(status.success())
    }

    /// Waits until the host has ended because somebody told it to, and returns whether it did so in order.
    ///
    /// # Errors
    /// Those of the system.
    pub fn ended(&mut self) -> anyhow::Result<bool> {
        let Some(mut child) = self.child.take() else { return Ok(true) };
        let status = child.wait()?;
        self.output = None;
        Ok(status.success())
    }

    /// Starts the host again on the same folder and port.
    ///
    /// # Errors
    /// If it does not become ready.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.launch()
    }

    /// Replaces the flags used from the next start on.
    pub fn set_flags(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let last = log.len().saturating_sub(8000);
            eprintln!("--- the host's last words ---\n{}", log.get(last..).unwrap_or(&log));
        }
        self.kill();
    }
}
