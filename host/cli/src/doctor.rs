//! `doctor`: what on this machine would keep a node or an author from working, and whether a node answers.
//!
//! It only looks: nothing is started, written or opened.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal};
use super::table::Table;
use crate::project::{self, Language};
use steward_node::config::quantity::show_size;
use steward_node::config::{Given, Options, gather};
use steward_node::descriptors;

/// A node wants this much room beside its data: a segment of the log, and what is under way.
const FREE_BYTES: u64 = 256 << 20;

/// Looks for what keeps a node or an author from working
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code 0 if nothing fails, 8 otherwise; a warning is no failure.

Examples:
  steward doctor
  steward doctor -H http://10.0.0.1:8000
  steward doctor -o json | jq '.checks[] | select(.state != \"ok\")'")]
pub(super) struct Args {
    /// TOML file with the settings of the node
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

struct Check {
    name: &'static str,
    state: State,
    detail: String,
}

fn check(name: &'static str, state: State, detail: impl Into<String>) -> Check {
    Check { name, state, detail: detail.into() }
}

/// Runs `doctor`.
///
/// # Errors
/// None of its own: what is wrong is in the table, and in the exit code.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut checks = vec![settings(args)];
    let data = options(args).map_or_else(|_| PathBuf::from("./steward-data"), |options| options.data);
    checks.push(folder(&data));
    checks.push(room(&data));
    checks.push(files());
    checks.push(clock(terminal));
    checks.push(node(client).await);
    checks.extend(Language::ALL.map(tool));
    let failed = checks.iter().any(|check| check.state == State::Fail);
    if terminal.format == Format::Json {
        let shown = |check: &Check| json!({"name": check.name, "state": word(check.state), "detail": check.detail});
        let checks: Vec<_> = checks.iter().map(shown).collect();
        terminal.print_json(&json!({"type": "doctor", "schema": 1, "ok": !failed, "checks": checks}));
    } else {
        let mut table = Table::new(["check", "state", "detail"]).standing(1);
        checks.iter().for_each(|check| {
            table.row(vec![check.name.to_owned(), word(check.state).to_owned(), check.detail.clone()])
        });
        terminal.print_table(&table);
    }
    Ok(if failed { Exit::NotReady } else { Exit::Done })
}

fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Warn => "warn",
        State::Fail => "FAIL",
    }
}

fn options(args: &Args) -> Result<Options, steward_node::config::Error> {
    let given = Given { file: args.config.clone(), ..Given::default() };
    Options::from_effective(&gather(&given, std::env::vars())?)
}

fn settings(args: &Args) -> Check {
    match options(args) {
        Ok(_) => check("settings", State::Ok, "variables and file are understood; steward config show lists them"),
        Err(error) => check("settings", State::Fail, error.to_string()),
    }
}

/// Returns the folder, or the nearest above it that is there.
fn existing(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    whole.ancestors().find(|folder| folder.exists()).map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

fn folder(data: &Path) -> Check {
    let place = existing(data);
    let writable = rustix::fs::access(&place, rustix::fs::Access::WRITE_OK).is_ok();
    let shown = data.display();
    match (place.is_dir(), writable) {
        (false, _) => check("data folder", State::Fail, format!("{} is no folder", place.display())),
        (true, false) => check("data folder", State::Fail, format!("{} cannot be written", place.display())),
        (true, true) if data.join("format.json").exists() => {
            check("data folder", State::Ok, format!("{shown} holds a node"))
        }
        (true, true) => check("data folder", State::Ok, format!("{shown} is not there yet and can be made")),
    }
}

fn room(data: &Path) -> Check {
    let Ok(disk) = rustix::fs::statvfs(existing(data)) else {
        return check("disk", State::Warn, "its free space cannot be read");
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let state = if free < FREE_BYTES { State::Fail } else { State::Ok };
    check("disk", state, format!("{} free, a node needs {} beside its data", show_size(free), show_size(FREE_BYTES)))
}

fn files() -> Check {
    match descriptors::Descriptors::claim() {
        Ok(found) => check("file descriptors", State::Ok, format!("{} allowed", found.limit)),
        Err(error) => check("file descriptors", State::Fail, error.to_string()),
    }
}

fn clock(terminal: &Terminal) -> Check {
    match jiff::Timestamp::from_microsecond(terminal.now.0) {
        Ok(now) if terminal.now.0 > 0 => check("clock", State::Ok, format!("shows {now:.0}")),
        Ok(_) | Err(_) => check("clock", State::Fail, "shows a time before 1970 or after 9999: a node does not start"),
    }
}

async fn node(client: &Client) -> Check {
    let host = client.host().to_owned();
    match client.send(&Call::get("/health/ready")).await {
        Ok(answer) if answer.status.is_success() => check("node", State::Ok, format!("{host} answers and is ready")),
        Ok(answer) => {
            let said = answer
                .json()
                .ok()
                .and_then(|body| body.get("detail").and_then(|said| said.as_str()).map(str::to_owned));
            check(
                "node",
                State::Fail,
                format!("{host} answers {}: {}", answer.status.as_u16(), said.unwrap_or_default()),
            )
        }
        Err(failure) => check("node", State::Warn, format!("{}; steward start starts one", failure.message)),
    }
}

/// Looks for the tool of a language; what it lacks hinders nobody who writes in another one.
fn tool(language: Language) -> Check {
    let serves = match language {
        Language::Rust | Language::Go | Language::C => "services in it can be built",
        Language::Python | Language::JavaScript | Language::TypeScript => {
            "scripts need no tool, and their tests have theirs"
        }
    };
    match project::look_for(language, Path::new(".")) {
        Ok(()) => check(language.name(), State::Ok, serves),
        Err(project::Error::Missing { missing, install }) => {
            check(language.name(), State::Warn, format!("{missing}; whoever writes services in it: {install}"))
        }
        Err(error) => check(language.name(), State::Warn, error.to_string()),
    }
}
