//! Says that the node is ready: to people on stderr, and to machines in the place that they asked for.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use steward_model::node::HostId;

use crate::config::{Announce, LogFormat, Options};

/// Tells everybody that requests are served.
///
/// # Errors
/// Those of writing the announcement.
pub(super) fn ready(options: &Options, id: &HostId, api: &str, folder: &Path, took: Duration) -> anyhow::Result<()> {
    match options.log_format {
        LogFormat::Json => {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(%id, api, folder = %folder.display(), millis, "ready");
        }
        LogFormat::Text => {
            let banner = format!(
                "steward {version}  node {id}\n  api      {api}\n  metrics  {api}/metrics\n  data     {folder}\nready in {took:.2?}, stop with Ctrl-C\n",
                version = env!("CARGO_PKG_VERSION"),
                folder = folder.display(),
            );
            // Nobody reads it if stderr is closed; the node runs all the same.
            let _ = std::io::stderr().write_all(banner.as_bytes());
        }
    }
    let line = serde_json::json!({
        "type": "steward.ready", "schema": 1, "id": id.as_str(), "api": api, "pid": std::process::id(),
    });
    match &options.announce {
        None => Ok(()),
        Some(Announce::Stdout) => {
            let mut output = std::io::stdout();
            writeln!(output, "{line}").and_then(|()| output.flush()).context("announce on standard output")
        }
        Some(Announce::File(path)) => {
            // Whoever waits for the file must not read half of it.
            let temporary = path.with_extension("part");
            let context = || format!("announce in {}", path.display());
            std::fs::write(&temporary, format!("{line}\n")).with_context(context)?;
            std::fs::rename(&temporary, path).with_context(context)
        }
    }
}
