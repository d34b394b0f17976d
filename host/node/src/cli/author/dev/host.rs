//! The host of `dev`: a process of its own that ends with this one.
//!
//! ```text
//! steward dev ──spawns──▶ steward start --announce - --log-format json
//!      ▲                      │ stdout: one line when it is ready
//!      └──────────────────────┘ stderr: its log, a line each
//! ```

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::cli::error::{Exit, Failure};
use crate::cli::start::ENDS_WITH_PARENT;
use crate::config::VARIABLE_PREFIX;

/// Lines that wait to be shown; the host waits when there are more.
const LINES_MAX: usize = 1024;

/// How long the host's requests under way may go on after it was told to stop.
const GRACE: &str = "2s";

/// How long the host may take to stop before it is ended.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What it logs: of guests everything.
const LOG_LEVEL: &str = "info,steward_node::imports=trace";

/// A host that runs for this command alone.
pub(super) struct Host {
    child: Child,
    lines: Receiver<String>,
    readers: Vec<JoinHandle<()>>,
    /// Its address.
    pub(super) api: String,
}

/// Where a host keeps what it has.
pub(super) struct Folders {
    /// Its state; none: in a temporary folder.
    pub(super) data: Option<PathBuf>,
    /// Compiled code, also that of hosts before it.
    pub(super) code: Option<PathBuf>,
}

impl Host {
    /// Starts a host and waits until it is ready.
    ///
    /// # Errors
    /// A failure with what the host said if it does not become ready.
    pub(super) async fn start(folders: &Folders, port: u16, more: &[OsString]) -> Result<Host, Failure> {
        let mut child = command(folders, port, more)?.spawn().map_err(|error| broken(&error))?;
        let (announces, mut announced) = channel(1);
        let (says, lines) = channel(LINES_MAX);
        let mut readers = Vec::new();
        if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
            readers.push(reader("dev-host-ready", stdout, announces).map_err(|error| broken(&error))?);
            readers.push(reader("dev-host-log", stderr, says).map_err(|error| broken(&error))?);
        }
        let mut host = Host { child, lines, readers, api: String::new() };
        let ready = announced.recv().await.and_then(|line| serde_json::from_str::<Value>(&line).ok());
        match ready.as_ref().and_then(|ready| ready["api"].as_str()) {
            Some(api) => {
                api.clone_into(&mut host.api);
                Ok(host)
            }
            None => Err(host.not_started().await),
        }
    }

    async fn not_started(mut self) -> Failure {
        let mut failure = Failure::new(Exit::Failed, "host-not-started", "the host for this project did not start");
        while let Some(line) = self.line().await {
            // Its log is of no use to whoever wants a port; what it says at its end is.
            if serde_json::from_str::<Value>(&line).is_err() {
                failure = failure.detail(line);
            }
        }
        self.end();
        failure
    }

    /// Returns the next line of its log; none once it has ended.
    pub(super) async fn line(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// Asks the host to stop, and ends it if it does not.
    pub(super) async fn stop(mut self) {
        self.signal(Signal::TERM);
        let silent = async { while self.lines.recv().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, silent).await.is_err() {
            self.signal(Signal::KILL);
        }
        self.end();
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself a moment ago.
            let _ = kill_process(pid, signal);
        }
    }

    fn end(&mut self) {
        self.lines.close();
        // Nobody asks how a host that was told to stop has ended.
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            // It has nothing to tell but that the stream ended.
            let _ = reader.join();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if !self.readers.is_empty() {
            self.signal(Signal::KILL);
            self.end();
        }
    }
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
    command.args(more).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // The keys of a terminal are for this command, which ends the host in its own time.
    command.process_group(0);
    Ok(command)
}

/// Hands lines of a stream on until it ends or nobody listens; reads on then, so that the writer is not held up.
fn reader(name: &str, stream: impl Read + Send + 'static, lines: Sender<String>) -> std::io::Result<JoinHandle<()>> {
    let work = move || {
        let mut listens = true;
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            listens = listens && lines.blocking_send(String::from_utf8_lossy(&line).into_owned()).is_ok();
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, "host-not-started", "cannot start a host for this project").detail(error.to_string())
}
