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
//! Left out: several nodes, and a clock that somebody moves. A deployment that the last two saves have replaced is removed from the
//! host, so there is nothing older to roll back to.

mod host;
mod keys;
mod news;
mod rounds;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::super::client::Client;
use super::super::error::{Exit, Failure};
use super::super::output::Terminal;
use super::failure;
use crate::project::{FOLDER, Project, Tools, Voice};
use host::{Folders, Host};
use keys::{Key, Keys};
use news::News;
use rounds::Rounds;
use watch::Watch;

/// How long sources must be left alone before they are built: one save of an editor is several changes.
const QUIET: Duration = Duration::from_millis(50);

/// Serves a service and follows every save
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Starts a host of its own, builds, deploys, and does so again on every save. The
documents stay; what does not build or cannot read them leaves the old code
serving. Shows what guests log. State is kept in .steward/ of the first DIR.
With -o json, one object a line.

Examples:
  steward dev
  steward dev --fresh --port 0
  steward dev orders stock -- --outbound-allow api.example.com")]
pub(in super::super) struct Args {
    /// Folders of projects
    #[arg(value_name = "DIR", default_value = ".")]
    folders: Vec<PathBuf>,
    /// Port of the host; 0 lets the system pick one
    #[arg(long, value_name = "N", default_value_t = 8000)]
    port: u16,
    /// Begin without documents, and keep none
    #[arg(long)]
    fresh: bool,
    /// Further flags of the host, see `steward start --help`
    #[arg(value_name = "FLAGS", last = true)]
    more: Vec<OsString>,
}

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
    Said(Option<String>),
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
    let data = projects.first().filter(|_| !args.fresh).map(|project| project.folder().join(FOLDER).join("data"));
    // Also for a host whose state is kept nowhere: the runner of a script takes longer to compile than all the rest.
    let folders = Folders { data, code: projects.first().map(Project::cache) };
    let mut signals = Signals::listen()?;
    // Watched from before the first build on, so that no save is missed.
    let watch = Watch::start(&projects)?;
    let host = tokio::select! {
        host = Host::start(&folders, args.port, &args.more) => host?,
        () = signals.come() => return Ok(Exit::Done),
    };
    let client = Client::new(std::slice::from_ref(&host.api), timeout)?;
    let keys = if terminal.interactive { Keys::of_terminal() } else { None };
    let tools = Arc::new(Tools::new(Voice::Kept { coloured: terminal.coloured }));
    let mut news = News::on(terminal);
    news.ready(&host.api, folders.data.as_deref());
    if keys.is_some() {
        news.keys();
    }
    let rounds = Rounds::new(projects, Arc::clone(&tools), client);
    let mut desk = Desk { host, watch, keys, rounds, quiet: None };
    let ended = tokio::select! {
        ended = desk.work(&mut news) => ended,
        () = signals.come() => Ok(()),
    };
    news.stops();
    tools.stop();
    let Desk { host, rounds, .. } = desk;
    rounds.finish().await;
    host.stop().await;
    ended.map(|()| Exit::Done)
}

/// Everything that has something to say.
struct Desk {
    host: Host,
    watch: Watch,
    keys: Option<Keys>,
    rounds: Rounds,
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
                Event::Asked(Key::Rebuild) => self.rounds.all_due(),
                Event::Changed(change) => {
                    self.rounds.due(change);
                    self.quiet = Some(Instant::now() + QUIET);
                }
                Event::IsQuiet => self.quiet = None,
                Event::Said(Some(line)) => news.line(&line),
                Event::Said(None) => {
                    return Err(Failure::new(
                        Exit::Failed,
                        "host-ended",
                        "the host of this command has ended by itself",
                    ));
                }
                Event::Ended(ended) => self.rounds.ended(ended, &self.host.api, news).await,
            }
        }
    }

    async fn next(&mut self) -> Event {
        let Desk { host, watch, keys, rounds, quiet } = self;
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
            line = host.line() => Event::Said(line),
            ended = rounds.next() => Event::Ended(ended),
        }
    }
}
