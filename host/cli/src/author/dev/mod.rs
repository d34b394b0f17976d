//! `dev`: edit, save, look. A host of its own serves the projects, and follows every save.
//!
//! ```text
//! save ─► (quiet for a moment) ─► build ─► deploy ─► first request answered
//!                                   └─ failed: what was built before still serves
//! ```
//!
//! **Promise.** Documents outlive a save, as they outlive a deployment anywhere: states of another shape come in through the
//! service's own migration, or the save is refused and the old code serves on. When the command ends, however it is asked to, no
//! process of it is left.
//!
//! Several nodes are one group whose documents live as long as the command: nodes of a group that comes back must all come back, which a folder
//! of somebody who tries things does not promise.
//!
//! Nor does a host keep anything whose clock may be moved: its documents have times that never were.
//!
//! Left out: what the last two saves have replaced is removed from the host, so there is nothing older to roll back to.

mod host;
mod keys;
mod news;
mod rounds;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use steward_model::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::super::client::{Call, Client};
use super::super::error::{Exit, Failure};
use super::super::output::Terminal;
use super::failure;
use crate::project::{FOLDER, Project, Tools, Voice};
use host::{Folders, Hosts, Said, Wanted};
use keys::{Key, Keys};
use news::News;
use rounds::Rounds;
use watch::Watch;

/// How long sources must be left alone before they are built: one save of an editor is several changes.
const QUIET: Duration = Duration::from_millis(50);

/// Nodes that one machine still runs with pleasure.
const NODES_MAX: i64 = 9;

/// Serves a service and follows every save
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Starts a host of its own, builds, deploys, and does so again on every save. The
documents stay; what does not build or cannot read them leaves the old code
serving. Shows what guests log. State is kept in .steward/ of the first DIR.
With -o json, one object a line. There is no debugger to attach (wasmtime 48 has
no stub for one): steward replay runs what was recorded again.

Examples:
  steward dev
  steward dev --fresh --port 0
  steward dev --nodes 3 --clock virtual
  steward dev orders stock -- --outbound-allow api.example.com")]
pub(in super::super) struct Args {
    /// Folders of projects
    #[arg(value_name = "DIR", default_value = ".")]
    folders: Vec<PathBuf>,
    /// Port of the host, those of further nodes follow it; 0 lets the system pick
    #[arg(long, value_name = "N", default_value_t = 8000)]
    port: u16,
    /// Nodes of the group that serves; more than one keep no documents
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=NODES_MAX))]
    nodes: u16,
    /// Clock of the host; a virtual one is moved ahead by the key t, and no documents are kept
    #[arg(long, value_enum, value_name = "CLOCK", default_value_t = Time::Real)]
    clock: Time,
    /// Begin without documents, and keep none
    #[arg(long)]
    fresh: bool,
    /// Further flags of the host, see `steward start --help`
    #[arg(value_name = "FLAGS", last = true)]
    more: Vec<OsString>,
}

/// Which clock a host goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Time {
    Real,
    Virtual,
}

/// By how much the key for later moves the clock.
const LATER: Duration = Duration::from_secs(3600);

/// The signals that end the command.
struct Signals([Signal; 3]);

impl Signals {
    fn listen() -> Result<Signals, Failure> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let listen = |kind| signal(kind).map_err(|error| Failure::new(Exit::Failed, "failed", error.to_string()));
        let [interrupt, terminate, hangup] = kinds.map(listen);
        Ok(Signals([interrupt?, terminate?, hangup?]))
    }

    async fn come(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// What happens next.
enum Event {
    Asked(Key),
    Changed(watch::Change),
    Said(Said),
    IsQuiet,
    Ended(rounds::Ended),
}

/// Runs `dev` until somebody ends it.
///
/// # Errors
/// A failure if there is no project, or its host does not start or ends by itself.
pub(in super::super) async fn run(args: &Args, timeout: Duration, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let open = |folder: &PathBuf| Project::open(folder).map_err(|error| failure(&error));
    let projects: Arc<Vec<Project>> = Arc::new(args.folders.iter().map(open).collect::<Result<_, _>>()?);
    let is_virtual = args.clock == Time::Virtual;
    let is_kept = !args.fresh && args.nodes == 1 && !is_virtual;
    let data = projects.first().filter(|_| is_kept).map(|project| project.folder().join(FOLDER).join("data"));
    // Also for a host whose state is kept nowhere: the runner of a script takes longer to compile than all the rest.
    let folders = Folders { data, code: projects.first().map(Project::cache) };
    let mut signals = Signals::listen()?;
    // Watched from before the first build on, so that no save is missed.
    let watch = Watch::start(&projects)?;
    let wanted = Wanted { folders: &folders, nodes: args.nodes, is_virtual, port: args.port, more: &args.more };
    let hosts = tokio::select! {
        hosts = Hosts::start(&wanted) => hosts?,
        () = signals.come() => return Ok(Exit::Done),
    };
    let client = Client::new(&hosts.apis, timeout)?;
    let keys = if terminal.interactive { Keys::of_terminal() } else { None };
    let tools = Arc::new(Tools::new(Voice::Kept { coloured: terminal.coloured }));
    let mut news = News::on(terminal);
    news.ready(&hosts.apis, folders.data.as_deref());
    if keys.is_some() {
        news.keys(is_virtual);
    }
    let rounds = Rounds::new(projects, Arc::clone(&tools), client);
    let mut desk = Desk { hosts, watch, keys, rounds, timeout, quiet: None };
    let ended = tokio::select! {
        ended = desk.work(&mut news) => ended,
        () = signals.come() => Ok(()),
    };
    news.stops();
    tools.stop();
    let Desk { hosts, rounds, .. } = desk;
    rounds.finish().await;
    hosts.stop().await;
    ended.map(|()| Exit::Done)
}

/// Everything that has something to say.
struct Desk {
    hosts: Hosts,
    watch: Watch,
    keys: Option<Keys>,
    rounds: Rounds,
    /// How long a host may take to answer.
    timeout: Duration,
    /// When sources that have changed are to be built.
    quiet: Option<Instant>,
}

impl Desk {
    /// Works until somebody quits.
    async fn work(&mut self, news: &mut News<'_>) -> Result<(), Failure> {
        self.rounds.all_due();
        loop {
            if self.quiet.is_none() {
                self.rounds.begin(news);
            }
            match self.next().await {
                Event::Asked(Key::Quit) => return Ok(()),
                Event::Asked(Key::Clear) => news.clear(),
                Event::Asked(Key::Later) => match self.later().await {
                    Ok(now) => news.later(now),
                    Err(failure) => news.refused(&failure),
                },
                Event::Asked(Key::Rebuild) => self.rounds.all_due(),
                Event::Changed(change) => {
                    self.rounds.due(change);
                    self.quiet = Some(Instant::now() + QUIET);
                }
                Event::IsQuiet => self.quiet = None,
                Event::Said(Said { node, line: Some(line) }) => news.line(node, &line),
                Event::Said(Said { line: None, .. }) => {
                    return Err(Failure::new(Exit::Failed, "host-ended", "a host of this command has ended by itself"));
                }
                Event::Ended(ended) => self.rounds.ended(ended, &self.hosts.apis[0], news).await,
            }
        }
    }

    /// Moves the clocks of all hosts ahead, and returns the time of day after that.
    async fn later(&self) -> Result<Timestamp, Failure> {
        let mut now = Timestamp(0);
        for api in &self.hosts.apis {
            let by = u64::try_from(LATER.as_micros()).unwrap_or(u64::MAX);
            let wish = serde_json::json!({ "kind": "AdvanceClockRequest", "advanceMicros": by });
            let call = Call::new(Method::PATCH, "/core/management")?.json(&wish);
            let told = Client::new(std::slice::from_ref(api), self.timeout)?.ask(&call).await?.json()?;
            now = now.max(Timestamp(told["timeMicros"].as_i64().unwrap_or_default()));
        }
        Ok(now)
    }

    async fn next(&mut self) -> Event {
        let Desk { hosts, watch, keys, rounds, quiet, .. } = self;
        let asked = async {
            match keys {
                Some(keys) => keys.next().await,
                None => std::future::pending().await,
            }
        };
        let is_quiet = async {
            match quiet {
                Some(at) => tokio::time::sleep_until(*at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            key = asked => Event::Asked(key),
            change = watch.changed() => Event::Changed(change),
            () = is_quiet => Event::IsQuiet,
            said = hosts.say() => Event::Said(said),
            ended = rounds.next() => Event::Ended(ended),
        }
    }
}
