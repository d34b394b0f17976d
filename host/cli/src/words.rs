//! The command line as clap reads it: the commands, and the flags of each.

use std::time::Duration;

use clap::{Parser, Subcommand};

use super::author::{build, dev, new, test};
use super::output::{self, Colour, Format, Terminal, Times};
use super::{
    client, config, deploy, doctor, documents, effects, history, inspect, log, migrate, modules, nodes, openapi, owner,
    query, quorum, replay, rollback, services, shell, start, status, stop, undeploy,
};

/// How long a command waits for an answer unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The same for commands that compile a module or read many documents.
const TIMEOUT_LONG: Duration = Duration::from_secs(600);

/// Small REST services with replicated state, written as WebAssembly components
#[derive(Debug, Parser)]
#[command(name = "steward", bin_name = "steward", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Verb,
}

/// Flags of every command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Host
    #[arg(
        short = 'H',
        long,
        global = true,
        env = "STEWARD_URL",
        hide_env_values = true,
        value_name = "URL",
        value_delimiter = ',',
        default_value = client::USUAL_HOST
    )]
    pub(super) host: Vec<String>,
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
    pub(super) output: Format,
    /// Only links, paths, digests; no talk
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Longest wait [default: 30s; 10m for deploy and query]
    #[arg(long, global = true, env = "STEWARD_TIMEOUT", hide_env = true, value_name = "TIME", value_parser = span)]
    pub(super) timeout: Option<Duration>,
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
    pub(super) color: Colour,
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
    pub(super) time: Times,
}

fn span(text: &str) -> Result<Duration, String> {
    steward_node::config::quantity::parse_duration(text)
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Runs a node (flags alone mean this)
    #[command(after_help = start::HELP)]
    Start(Box<start::StartArgs>),
    #[command(flatten)]
    Command(Command),
}

/// What ends by itself.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Status(status::Args),
    Nodes(nodes::Args),
    Owner(owner::Args),
    Quorum(quorum::Args),
    Config(Box<config::Args>),
    New(new::Args),
    Build(build::Args),
    Test(test::Args),
    Dev(dev::Args),
    Deploy(deploy::Args),
    Rollback(rollback::Args),
    Migrate(migrate::Args),
    Services(services::Args),
    Modules(modules::Args),
    Openapi(openapi::Args),
    Inspect(inspect::Args),
    Log(log::Args),
    Get(documents::GetArgs),
    Post(documents::PostArgs),
    Put(documents::PutArgs),
    Patch(documents::PatchArgs),
    Delete(documents::DeleteArgs),
    Query(query::Args),
    History(history::Args),
    Replay(replay::Args),
    Effects(effects::Args),
    Stop(stop::Args),
    Undeploy(undeploy::Args),
    Doctor(doctor::Args),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

impl Command {
    pub(super) fn timeout(&self) -> Duration {
        match self {
            Command::Deploy(_) | Command::Dev(_) | Command::Rollback(_) | Command::Query(_) => TIMEOUT_LONG,
            Command::Status(_) | Command::Config(_) | Command::Services(_) | Command::Modules(_) => TIMEOUT,
            Command::Nodes(_)
            | Command::Owner(_)
            | Command::Quorum(_)
            | Command::Openapi(_)
            | Command::Inspect(_)
            | Command::Get(_)
            | Command::Post(_)
            | Command::Put(_)
            | Command::Patch(_) => TIMEOUT,
            Command::New(_) | Command::Build(_) | Command::Test(_) => TIMEOUT,
            Command::Delete(_) | Command::History(_) | Command::Log(_) => TIMEOUT,
            // A node may end what is under way first, for as long as its --shutdown-grace.
            Command::Stop(_) | Command::Migrate(_) => TIMEOUT_LONG,
            // A module may have to be compiled.
            Command::Replay(_) => TIMEOUT_LONG,
            Command::Effects(_) => TIMEOUT,
            Command::Undeploy(_) | Command::Doctor(_) | Command::Completions(_) | Command::Man(_) => TIMEOUT,
        }
    }
}

impl Global {
    pub(super) fn configure(&self, terminal: &mut Terminal) {
        terminal.format = self.output;
        terminal.times = self.time;
        terminal.quiet = self.quiet;
        terminal.coloured = output::use_colour(self.color, &std::io::stderr());
        terminal.coloured_data = output::use_colour(self.color, &std::io::stdout());
    }
}
