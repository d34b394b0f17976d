//! What the host tells people about itself: log lines and metrics.

pub(crate) mod group;
mod lines;
pub(crate) mod metrics;
mod process;
pub(crate) mod queues;

use lines::OneLine;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The filter is not of the form that is understood.
    #[error("log level {given:?} is not understood: {source}; write info, or info,steward_node=debug")]
    Filter {
        /// The filter as given.
        given: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else in this process has set up logging.
    #[error("logging is set up already: {0}")]
    Twice(#[from] TryInitError),
}

/// Sets up log lines on stderr.
///
/// # Errors
/// [`Error`] if the filter is wrong or logging is set up already.
pub(crate) fn init(filter: &str, format: LogFormat) -> Result<(), Error> {
    // The consensus library warns of every call that a node out of reach does not answer, many times a second; what comes of it the
    // host says itself. `openraft=info` in the filter brings it back.
    let parsed = EnvFilter::try_new(format!("openraft=off,{filter}"));
    let filter = parsed.map_err(|source| Error::Filter { given: filter.to_owned(), source })?;
    let registry = tracing_subscriber::registry().with(filter);
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::io::IsTerminal::is_terminal(&std::io::stderr());
    match format {
        LogFormat::Text => {
            let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_target(false);
            registry.with(lines.fmt_fields(OneLine)).try_init()?;
        }
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init()?,
    }
    Ok(())
}
