//! `undeploy`: lets nothing answer at a factory any more. Its documents stay, and answer again when a module is deployed there.

use http::Method;
use serde_json::json;

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal, thousands};
use super::services;

/// Takes a factory away; its documents stay
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The documents stay on disk, and effects for them wait: see `steward effects`.
They answer again when a module is deployed at the same path.

Examples:
  steward undeploy /core/counters
  steward undeploy counter -y -m \"not used\"
  steward deploy counter.wasm --factory /core/counters      brings it back")]
pub(super) struct Args {
    /// Path of the factory, or name of its module
    factory: String,
    /// Why; kept with the revision
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
    /// Do it without asking
    #[arg(short, long, env = "STEWARD_YES", hide_env = true, value_parser = clap::builder::FalseyValueParser::new())]
    yes: bool,
}

/// Runs `undeploy`.
///
/// # Errors
/// A failure if there is no such factory, the host refuses, or nobody confirms.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let factory = services::find(services::factories(client).await?, &args.factory)?;
    let (path, documents) = (&factory.document_self_link, factory.document_count.unwrap_or(0));
    let kept = format!("documents that stay: {}", thousands(documents));
    terminal.say(&format!("{path}: {} {} answers; {kept}", factory.module_name, factory.module_version));
    terminal.confirm(&format!("Let nothing answer at {path} on {}?", client.host()), args.yes)?;
    let call = Call::new(Method::DELETE, &format!("/core/factories{path}"))?
        .query("expectedRevision", &factory.revision.to_string());
    let call = if args.message.is_empty() { call } else { call.query("message", &args.message) };
    client.ask(&call).await?;
    match terminal.format {
        Format::Json => terminal.print_json(&json!({
            "type": "undeploy.result", "schema": 1, "factory": path, "documents": documents,
            "digest": factory.module_digest,
        })),
        Format::Table => {
            terminal.print(&format!("Undeployed {path}; {kept}"));
            let digest = &factory.module_digest;
            terminal
                .hint("undo:", &format!("steward post /core/factories documentSelfLink={path} moduleDigest={digest}"));
        }
    }
    Ok(Exit::Done)
}
