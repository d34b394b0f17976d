//! `migrate`: brings all documents of a factory to the newest shape, so that no module to come has to read older ones.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal, thousands};
use super::progress;
use super::services;
use super::table::Table;

/// Documents of one request.
const PORTION: u64 = 100;

/// Refused documents that are shown; all of them are counted.
const SHOWN_MAX: usize = 20;

/// Brings stored documents to the newest shape
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each document of an older shape gets a new version with its state migrated, as
its next change would have done. Requests go on being answered meanwhile.

Examples:
  steward migrate /core/counters
  steward migrate counter --rate 50        50 documents a second
  steward migrate counter --check          only counts them")]
pub(super) struct Args {
    /// Path of the factory, or name of its module
    factory: String,
    /// Most documents in a second
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Count what is left to migrate, and change nothing
    #[arg(long)]
    check: bool,
}

/// What came of all portions.
#[derive(Default)]
struct Total {
    migrated: u64,
    refused: Vec<Value>,
}

/// Runs `migrate`.
///
/// # Errors
/// A failure if there is no such factory, there is no answer, or some documents could not be migrated.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let factory = services::find(services::factories(client).await?, &args.factory)?;
    let path = factory.document_self_link;
    let migrations = format!("/core/migrations{path}");
    let stored = client.ask(&Call::new(Method::GET, &migrations)?).await?.json()?;
    let count = |name: &str| stored.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (older, newest) = (count("olderCount"), count("stateVersion"));
    if args.check || older == 0 {
        show_check(&path, older, newest, &stored, terminal);
        return Ok(Exit::Done);
    }
    terminal.say(&format!("{path}: {} of an older shape than version {newest}", documents(older)));
    let total = all_portions(args, &migrations, older, client, terminal).await?;
    finish(&path, newest, &total, terminal)
}

fn documents(count: u64) -> String {
    format!("{} document{}", thousands(count), if count == 1 { "" } else { "s" })
}

fn show_check(path: &str, older: u64, newest: u64, stored: &Value, terminal: &mut Terminal) {
    match terminal.format {
        Format::Json => terminal.print_json(&json!({
            "type": "migration.check", "schema": 1, "factory": path, "stateVersion": newest, "older": older,
            "stored": stored.get("stored"),
        })),
        Format::Table if older == 0 => {
            terminal.print(&format!("All documents of {path} have the shape of version {newest}"))
        }
        Format::Table => {
            let have = if older == 1 { "has" } else { "have" };
            terminal.print(&format!("{} of {path} {have} an older shape than version {newest}", documents(older)))
        }
    }
}

async fn all_portions(
    args: &Args,
    migrations: &str,
    older: u64,
    client: &Client,
    terminal: &mut Terminal,
) -> Result<Total, Failure> {
    let bar = progress::counted("migrate", older);
    let work = async {
        let (mut total, mut from) = (Total::default(), Value::Null);
        loop {
            let due = Instant::now() + Duration::from_secs_f64(PORTION.min(args.rate) as f64 / args.rate as f64);
            let body = json!({ "limit": PORTION.min(args.rate), "from": from });
            let answer = client.ask(&Call::new(Method::POST, migrations)?.json(&body)).await?.json()?;
            total.migrated += answer.get("migratedCount").and_then(Value::as_u64).unwrap_or(0);
            total.refused.extend(answer.get("refused").and_then(Value::as_array).cloned().unwrap_or_default());
            bar.set_position(total.migrated + total.refused.len() as u64);
            from = answer.get("next").cloned().unwrap_or(Value::Null);
            if from.is_null() {
                return Ok(total);
            }
            tokio::time::sleep_until(due).await;
        }
    };
    progress::watch(terminal, &bar, work).await
}

fn finish(path: &str, newest: u64, total: &Total, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let refused = total.refused.len() as u64;
    match terminal.format {
        Format::Json => terminal.print_json(&json!({
            "type": "migration.result", "schema": 1, "factory": path, "stateVersion": newest,
            "migrated": total.migrated, "refused": total.refused,
        })),
        Format::Table => {
            if refused > 0 {
                let mut table = Table::new(["document", "code", "why"]);
                for one in total.refused.iter().take(SHOWN_MAX) {
                    let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                    table.row(vec![text("link"), text("code"), text("detail")]);
                }
                terminal.print_table(&table);
            }
            terminal.print(&format!("Migrated {} of {path} to version {newest}", documents(total.migrated)));
        }
    }
    if refused == 0 {
        return Ok(Exit::Done);
    }
    let stay = if refused == 1 { "stays as it is" } else { "stay as they are" };
    let message = format!("{} could not be migrated and {stay}", documents(refused));
    Err(Failure::new(Exit::Failed, "not-migrated", message)
        .hint("mend migrate in the module, deploy it, and run the command once more: it goes on with what is left"))
}
