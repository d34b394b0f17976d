//! `openapi`: what can be asked of a host, as a document of OpenAPI.

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::Terminal;

/// Prints what can be asked of a host as OpenAPI
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward openapi
  steward openapi --factory /core/counters       one service alone
  steward openapi --v 3.2 | jq '.paths | keys'   with the method QUERY")]
pub(super) struct Args {
    /// Path of one factory or service; without it the whole host
    #[arg(long, value_name = "PATH")]
    factory: Option<String>,
    /// Version of OpenAPI: 3.1 or 3.2
    #[arg(long = "v", value_name = "VERSION", default_value = "3.1")]
    version: String,
}

/// Runs `openapi`.
///
/// # Errors
/// A failure if there is no answer, or the host has no such factory or version.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut call = Call::get("/openapi.json").query("v", &args.version);
    if let Some(factory) = &args.factory {
        call = call.query("factory", factory.trim_end_matches('/'));
    }
    let document = client.ask(&call).await?.json()?;
    terminal.print_json(&document);
    Ok(Exit::Done)
}
