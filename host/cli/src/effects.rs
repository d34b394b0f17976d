//! `effects`: what documents still have to send: effects on their way, and timers; and the end of that, on wish.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal, cell, thousands};
use super::services::FACTORIES;
use super::table::Table;
use super::views;

/// Shows effects on their way, and timers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
WAITING: its time has not come. DUE: it is sent, or tried again. HELD: a factory
that it needs is undeployed; it goes on when a module is deployed there.

Examples:
  steward effects                          of all factories
  steward effects /core/counters
  steward effects /core/counters/clicks -n 5
  steward effects /core/counters/clicks --drop   of one document
  steward effects /core/counters --drop          of all documents of a factory")]
pub(super) struct Args {
    /// Path of a document or a factory [default: all factories]
    path: Option<String>,
    /// How many of each at the most
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// Give up what a document, or all documents of a factory, have to send
    #[arg(long, requires = "path", conflicts_with = "limit")]
    drop: bool,
    /// Do it without asking
    #[arg(short, long, env = "STEWARD_YES", hide_env = true, value_parser = clap::builder::FalseyValueParser::new())]
    yes: bool,
}

/// Runs `effects`.
///
/// # Errors
/// A failure if there is no answer, or the host refuses.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if let (Some(path), true) = (&args.path, args.drop) {
        return drop_all(path.trim_end_matches('/'), args.yes, client, terminal).await;
    }
    let paths = match &args.path {
        Some(path) => vec![path.trim_end_matches('/').to_owned()],
        None => {
            let stateful =
                |factory: &super::views::Factory| !factory.options.iter().any(|option| option == "STATELESS");
            let answer = client.ask(&Call::get(FACTORIES).query("expand", "")).await?.json()?;
            let factories: Vec<super::views::Factory> = views::entries(&answer, "documents")?;
            let mounted = factories.into_iter().filter(stateful).map(|factory| factory.document_self_link);
            // What was undeployed may have left effects behind.
            mounted.chain(views::texts(&answer, "undeployedLinks")).collect()
        }
    };
    let mut effects = Vec::new();
    let mut pending = 0;
    for path in paths {
        let call = Call::new(Method::GET, &format!("{path}/effects"))?.query("limit", &args.limit.to_string());
        let answer = client.ask(&call).await?.json()?;
        pending += answer.get("pendingCount").and_then(Value::as_u64).unwrap_or(0);
        effects.extend(answer.get("effects").and_then(Value::as_array).cloned().unwrap_or_default());
    }
    if terminal.format == Format::Json {
        terminal.print_json(&json!({"type": "effects", "schema": 1, "pendingCount": pending, "effects": effects}));
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["document", "stage", "due", "action", "to", "tag"]);
    for effect in &effects {
        let text = |key: &str| effect.get(key).map_or_else(|| "–".to_owned(), cell);
        table.row(vec![
            text("link"),
            text("stage"),
            due(effect.get("dueInMillis").and_then(Value::as_i64).unwrap_or(0)),
            text("action"),
            text("to"),
            Some(text("replyTag")).filter(|tag| !tag.is_empty()).unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    match effects.is_empty() {
        true => terminal.say("nothing waits to be sent"),
        false => terminal.print_table(&table),
    }
    let reasons: BTreeSet<&str> = effects.iter().filter_map(|effect| effect.get("reason")?.as_str()).collect();
    reasons.into_iter().for_each(|reason| terminal.say(&format!("HELD: {reason}")));
    if pending > effects.len() as u64 {
        terminal.say(&format!("{} of {} shown: -n {pending}", effects.len(), thousands(pending)));
    }
    Ok(Exit::Done)
}

/// Asks once, and gives up what a document, or all documents of a factory, have to send.
async fn drop_all(path: &str, yes: bool, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let effects = format!("{path}/effects");
    let shown = client.ask(&Call::new(Method::GET, &effects)?).await?.json()?;
    let pending = shown.get("pendingCount").and_then(Value::as_u64).unwrap_or(0);
    // Of very many the host counts a part.
    let more = if shown.get("isWhole") == Some(&Value::Bool(false)) { "at least " } else { "" };
    terminal.say(&format!("{path} has {more}{} to send; there is no way back", thousands(pending)));
    terminal.confirm(&format!("Give them up on {}?", client.host()), yes)?;
    let dropped = client.ask(&Call::new(Method::DELETE, &effects)?).await?.json()?;
    let dropped = dropped.get("givenUpCount").and_then(Value::as_u64).unwrap_or(0);
    match terminal.format {
        Format::Json => {
            terminal.print_json(&json!({"type": "effects.dropped", "schema": 1, "document": path, "dropped": dropped}));
        }
        Format::Table => terminal.print(&format!("Gave up {} of {path}", thousands(dropped))),
    }
    Ok(Exit::Done)
}

fn due(millis: i64) -> String {
    if millis <= 0 { "now".to_owned() } else { format!("in {:.1}s", millis as f64 / 1000.0) }
}
