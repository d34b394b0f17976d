//! The command line of steward.
//!
//! Data goes to standard output, messages to standard error. A terminal decides about decoration, never about content.
//! Every failure has an exit code (`error::Exit`) and says how to mend it. If there are only flags, the command is
//! `start`.

mod argv;
mod author;
mod client;
mod config;
mod deploy;
mod doctor;
mod documents;
mod effects;
pub(crate) mod error;
mod example;
mod fields;
mod help;
mod history;
mod inspect;
mod log;
mod log_frames;
mod migrate;
mod modules;
mod nodes;
mod openapi;
mod output;
mod owner;
mod prepare;
mod progress;
mod project;
mod query;
mod quorum;
mod reading;
mod replay;
mod rollback;
mod services;
mod shell;
mod start;
mod status;
mod stop;
mod table;
mod undeploy;
mod views;
mod words;

use std::process::ExitCode;

use clap::{ColorChoice, FromArgMatches};
use steward_model::Timestamp;

use client::Client;
use error::{Exit, Failure};
use output::Terminal;
use steward_node::config::Options;
use words::{Cli, Command, Global, Verb};

/// Runs the command line of this process; what is not a command of its own runs a node until it is stopped.
pub fn main() -> ExitCode {
    // A process that compiles a module for a host is no command line, and has to begin in milliseconds.
    if let Some(ended) = steward_sandbox::serve_as_compiler(std::env::args_os()) {
        return ended;
    }
    run_words(steward_node::wall_time(), steward_node::run)
}

/// `now` is the time of day, `node` runs a node until it is stopped.
///
/// `node` may return a [`Failure`] of its own as the error to choose code, hints and exit code.
fn run_words(now: Timestamp, node: impl FnOnce(Options) -> anyhow::Result<ExitCode>) -> ExitCode {
    let words = argv::with_start(std::env::args_os());
    let colour = argv::colour(&words);
    let parsed = help::command(colour).try_get_matches_from(words);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(mut error) => {
            help::suggest(&mut error);
            help::plain_usage(&mut error, &mut help::command(colour));
            let printed = error.print();
            return match Terminal::of_process(now).wrote(printed) {
                Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8)),
                Err(failure) => ExitCode::from(failure.exit as u8),
            };
        }
    };
    let mut terminal = Terminal::of_process(now);
    cli.global.configure(&mut terminal);
    let ended = match &cli.command {
        Verb::Start(args) => start::run(args, &mut terminal, node),
        Verb::Command(command) => run(command, &cli.global, &mut terminal).map(|exit| ExitCode::from(exit as u8)),
    };
    // What was asked for may be done, but who asked has not read the answer.
    ended.and_then(|code| terminal.written().map(|()| code)).unwrap_or_else(|failure| {
        terminal.show_failure(&failure);
        ExitCode::from(failure.exit as u8)
    })
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
        Command::Nodes(args) => nodes::run(args, client, terminal).await,
        Command::Owner(args) => owner::run(args, client, terminal).await,
        Command::Quorum(args) => quorum::run(args, client, terminal).await,
        Command::Config(args) => config::run(args, std::env::vars(), terminal),
        Command::New(args) => author::new::run(args, terminal),
        Command::Build(args) => author::build::run(args, terminal).await,
        Command::Test(args) => author::test::run(args, terminal),
        Command::Dev(args) => author::dev::run(args, timeout, terminal).await,
        Command::Deploy(args) => deploy::run(args, client, terminal).await,
        Command::Migrate(args) => migrate::run(args, client, terminal).await,
        Command::Rollback(args) => rollback::run(args, client, terminal).await,
        Command::Services(args) => services::run(args, client, terminal).await,
        Command::Modules(args) => modules::run(args, client, terminal).await,
        Command::Openapi(args) => openapi::run(args, client, terminal).await,
        Command::Inspect(args) => inspect::run(args, terminal).await,
        Command::Log(args) => log::run(args, terminal),
        Command::Get(args) => documents::get(args, client, terminal).await,
        Command::Post(args) => documents::post(args, files, client, terminal).await,
        Command::Put(args) => documents::put(args, files, client, terminal).await,
        Command::Patch(args) => documents::patch(args, files, client, terminal).await,
        Command::Delete(args) => documents::delete(args, client, terminal).await,
        Command::Query(args) => query::run(args, client, terminal).await,
        Command::History(args) => history::run(args, client, terminal).await,
        Command::Replay(args) => replay::run(args, client, terminal).await,
        Command::Effects(args) => effects::run(args, client, terminal).await,
        Command::Stop(args) => stop::run(args, client, terminal).await,
        Command::Undeploy(args) => undeploy::run(args, client, terminal).await,
        Command::Doctor(args) => doctor::run(args, client, terminal).await,
        Command::Completions(args) => Ok(shell::completions(args, help::command(ColorChoice::Never), terminal)),
        Command::Man(args) => shell::man(args, help::command(ColorChoice::Never), terminal),
    }
}

#[cfg(test)]
mod tests;
