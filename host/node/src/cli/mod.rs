//! The command line of steward.
//!
//! Data goes to standard output and talk to standard error; a terminal decides about decoration, never about content;
//! every failure has an exit code ([`error::Exit`]) and says how to mend it. Flags alone mean `start`.

mod argv;
mod client;
mod config;
mod deploy;
mod documents;
pub mod error;
mod fields;
mod help;
mod history;
mod inspect;
mod log;
mod log_frames;
mod modules;
mod output;
mod progress;
mod query;
mod rollback;
mod services;
mod start;
mod status;
mod views;

use std::process::ExitCode;
use std::time::Duration;

use clap::{FromArgMatches, Parser, Subcommand};
use steward_model::Timestamp;

use crate::config::Options;
use client::Client;
use error::{Exit, Failure};
use output::{Colour, Format, Terminal, Times};

/// How long a command waits for an answer unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The same for commands that compile a module or read many documents.
const TIMEOUT_LONG: Duration = Duration::from_secs(600);

/// Small REST services with replicated state, written as WebAssembly components
#[derive(Debug, Parser)]
#[command(name = "steward", bin_name = "steward", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Verb,
}

/// Flags of every command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Host [default: 127.0.0.1:8000]
    #[arg(
        short = 'H',
        long,
        global = true,
        env = "STEWARD_URL",
        hide_env_values = true,
        hide_default_value = true,
        value_name = "URL",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:8000"
    )]
    host: Vec<String>,
    /// table for people, json for programs
    #[arg(
        short,
        long,
        global = true,
        env = "STEWARD_OUTPUT",
        hide_env = true,
        value_name = "FORMAT",
        default_value = "table",
        hide_possible_values = true
    )]
    output: Format,
    /// Only links, paths, digests; no talk
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Longest wait [default: 30s; 10m for deploy and query]
    #[arg(long, global = true, env = "STEWARD_TIMEOUT", hide_env = true, value_name = "TIME", value_parser = span)]
    timeout: Option<Duration>,
    /// auto (heeds NO_COLOR), always or never
    #[arg(
        long,
        global = true,
        env = "STEWARD_COLOR",
        hide_env = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    color: Colour,
    /// human (3m ago) or iso (RFC 3339)
    #[arg(
        long,
        global = true,
        env = "STEWARD_TIME",
        hide_env = true,
        value_name = "STYLE",
        default_value = "human",
        hide_possible_values = true
    )]
    time: Times,
}

fn span(text: &str) -> Result<Duration, String> {
    crate::config::quantity::parse_duration(text)
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs a node (flags alone mean this)
    #[command(after_help = help::START)]
    Start(Box<start::StartArgs>),
    #[command(flatten)]
    Command(Command),
}

/// What ends by itself.
#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Args),
    Config(Box<config::Args>),
    Deploy(deploy::Args),
    Rollback(rollback::Args),
    Services(services::Args),
    Modules(modules::Args),
    Inspect(inspect::Args),
    Log(log::Args),
    Get(documents::GetArgs),
    Post(documents::PostArgs),
    Put(documents::PutArgs),
    Patch(documents::PatchArgs),
    Delete(documents::DeleteArgs),
    Query(query::Args),
    History(history::Args),
}

impl Command {
    fn timeout(&self) -> Duration {
        match self {
            Command::Deploy(_) | Command::Rollback(_) | Command::Query(_) => TIMEOUT_LONG,
            Command::Status(_) | Command::Config(_) | Command::Services(_) | Command::Modules(_) => TIMEOUT,
            Command::Inspect(_) | Command::Get(_) | Command::Post(_) | Command::Put(_) | Command::Patch(_) => TIMEOUT,
            Command::Delete(_) | Command::History(_) | Command::Log(_) => TIMEOUT,
        }
    }
}

/// Runs the command line of this process; `now` is the time of day, `node` runs a node until it is stopped.
///
/// `node` may return a [`Failure`] of its own as the error to choose code, hints and exit code.
pub fn main(now: Timestamp, node: impl FnOnce(Options) -> anyhow::Result<ExitCode>) -> ExitCode {
    let words = argv::with_start(std::env::args_os());
    let parsed = help::command(argv::colour(&words)).try_get_matches_from(words);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is no failure of ours: `steward --help | head -1`.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8));
        }
    };
    let mut terminal = Terminal::of_process(now);
    cli.global.configure(&mut terminal);
    let ended = match &cli.command {
        Verb::Start(args) => start::run(args, &mut terminal, node),
        Verb::Command(command) => run(command, &cli.global, &mut terminal).map(|exit| ExitCode::from(exit as u8)),
    };
    ended.unwrap_or_else(|failure| {
        terminal.show_failure(&failure);
        ExitCode::from(failure.exit as u8)
    })
}

impl Global {
    fn configure(&self, terminal: &mut Terminal) {
        terminal.format = self.output;
        terminal.times = self.time;
        terminal.quiet = self.quiet;
        terminal.coloured = output::use_colour(self.color);
    }
}

fn run(command: &Command, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, "failed", format!("cannot start the runtime: {error}")))?;
    runtime.block_on(dispatch(command, global, terminal))
}

async fn dispatch(command: &Command, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let timeout = global.timeout.unwrap_or_else(|| command.timeout());
    let client = &Client::new(&global.host, timeout)?;
    let files = &mut fields::Files;
    match command {
        Command::Status(args) => status::run(args, client, terminal).await,
        Command::Config(args) => config::run(args, std::env::vars(), terminal),
        Command::Deploy(args) => deploy::run(args, client, terminal).await,
        Command::Rollback(args) => rollback::run(args, client, terminal).await,
        Command::Services(args) => services::run(args, client, terminal).await,
        Command::Modules(args) => modules::run(args, client, terminal).await,
        Command::Inspect(args) => inspect::run(args, terminal),
        Command::Log(args) => log::run(args, terminal),
        Command::Get(args) => documents::get(args, client, terminal).await,
        Command::Post(args) => documents::post(args, files, client, terminal).await,
        Command::Put(args) => documents::put(args, files, client, terminal).await,
        Command::Patch(args) => documents::patch(args, files, client, terminal).await,
        Command::Delete(args) => documents::delete(args, client, terminal).await,
        Command::Query(args) => query::run(args, client, terminal).await,
        Command::History(args) => history::run(args, client, terminal).await,
    }
}

#[cfg(test)]
mod tests;
