//! `effects`: what documents still have to send: effects on their way, and timers.

use http::Method;
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Table, Terminal, cell, thousands};
use super::services;

/// Shows effects on their way, and timers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
WAITING: its time has not come. DUE: it is sent, or tried again.

Examples:
  steward effects                          of all factories
  steward effects /core/diaries
  steward effects /core/diaries/d -n 5")]
pub(super) struct Args {
    /// Path of a document or a factory [default: all factories]
    path: Option<String>,
    /// How many of each at the most
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: u32,
}

/// Runs `effects`.
///
/// # Errors
/// A failure if there is no answer, or the host refuses.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let paths = match &args.path {
        Some(path) => vec![path.trim_end_matches('/').to_owned()],
        None => {
            let stateful =
                |factory: &super::views::Factory| !factory.options.iter().any(|option| option == "STATELESS");
            let factories = services::factories(client).await?;
            factories.into_iter().filter(stateful).map(|factory| factory.document_self_link).collect()
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
        false => terminal.print(&table.render()),
    }
    if pending > effects.len() as u64 {
        terminal.say(&format!("{} of {} shown: -n {pending}", effects.len(), thousands(pending)));
    }
    Ok(Exit::Done)
}

fn due(millis: i64) -> String {
    if millis <= 0 { "now".to_owned() } else { format!("in {:.1}s", millis as f64 / 1000.0) }
}
