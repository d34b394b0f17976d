//! `stop`: asks a node to stop in order, and waits until it has.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal};
use super::progress;

/// Pause between two questions whether the node still listens.
const POLL: Duration = Duration::from_millis(100);

/// Stops a node in order
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The node takes no new clients, ends what is under way (--shutdown-grace of the
node at the longest) and closes its stores. SIGTERM does the same.

Examples:
  steward stop
  steward stop -H http://10.0.0.2:8000 --yes
  steward stop --yes --timeout 2m && cp -r steward-data backup")]
pub(super) struct Args {
    /// Stop without asking
    #[arg(short, long, env = "STEWARD_YES", hide_env = true, value_parser = clap::builder::FalseyValueParser::new())]
    yes: bool,
}

/// Runs `stop`.
///
/// # Errors
/// A failure if there is no answer, nobody confirms, or the node still listens when the time is over.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let management = client.ask(&Call::get("/core/management")).await?.json()?;
    let id = management.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
    terminal.confirm(&format!("Stop node {id} at {}?", client.host()), args.yes)?;
    client.ask(&Call::new(Method::DELETE, "/core/management")?).await?;
    let bar = progress::waiting("stop");
    let ended = tokio::time::timeout(client.timeout(), progress::watch(terminal, &bar, gone(client))).await;
    if ended.is_err() {
        return Err(Failure::new(Exit::NotReady, "timeout", format!("{} still listens", client.host()))
            .hint("it may still end what is under way: wait longer with --timeout 2m, or see its log"));
    }
    match terminal.format {
        Format::Json => terminal.print_json(&json!({"type": "stop.result", "schema": 1, "node": id, "stopped": true})),
        Format::Table => terminal.say(&format!("Stopped: node {id} does not listen any more")),
    }
    Ok(Exit::Done)
}

/// Returns once nothing listens there any more.
async fn gone(client: &Client) {
    let live = Call::get("/health/live");
    while !matches!(client.send(&live).await, Err(failure) if failure.exit == Exit::Unreachable && failure.code == "unreachable")
    {
        tokio::time::sleep(POLL).await;
    }
}
