//! `new`: writes a service that works into a folder of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};
use serde_json::json;

use super::super::error::{Exit, Failure};
use super::super::output::{Format, Terminal};
use crate::project::create::{Error, create};
use crate::project::{Language, Name};

/// Makes a folder with a new service
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The folder holds a service that works, its tests and the SDK: it needs the tools
of its language and this program, and nothing else of ours. Scripts need none.

Examples:
  steward new counters && cd counters && steward dev
  steward new services/orders --lang typescript")]
pub(in super::super) struct Args {
    /// Name of the service, or a path that ends with it
    #[arg(value_name = "NAME")]
    place: PathBuf,
    /// Language: rust, go, c, python, javascript, typescript (or rs, golang, py, js, ts)
    #[arg(short, long, value_name = "LANGUAGE", default_value = "rust", value_parser = Languages, hide_possible_values = true)]
    lang: Language,
}

/// Reads the name of a language, and tells shells which names there are.
#[derive(Clone)]
struct Languages;

impl TypedValueParser for Languages {
    type Value = Language;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<Language, clap::Error> {
        Language::parse.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Language::ALL.into_iter().map(|language| PossibleValue::new(language.name()))))
    }
}

/// Runs `new`.
///
/// # Errors
/// A failure if the name can be none, something is there already, or the folder cannot be written.
pub(in super::super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let name = create(&args.place, args.lang).map_err(|error| refused(&args.place, &error))?;
    let place = args.place.display().to_string();
    if terminal.format == Format::Json {
        terminal.print_json(&json!({
            "type": "project", "schema": 1, "name": name.as_str(), "language": args.lang.name(), "folder": place,
        }));
        return Ok(Exit::Done);
    }
    terminal.print(&place);
    terminal.hint("next:", &format!("cd {place} && steward dev"));
    Ok(Exit::Done)
}

fn refused(place: &Path, error: &Error) -> Failure {
    let message = error.to_string();
    match error {
        Error::Name(_) => {
            let last = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let failure = Failure::usage(message);
            match Name::like(&last) {
                Some(name) => failure.hint(format!("steward new {}", place.with_file_name(name.as_str()).display())),
                None => failure.hint("steward new counters"),
            }
        }
        Error::Occupied { .. } => {
            Failure::new(Exit::Conflict, "exists", message).hint("choose another name, or remove what is there")
        }
        Error::NoFolder { above, is_other } => {
            let failure = Failure::new(Exit::NotFound, "no-folder", message);
            match is_other {
                true => failure.hint("name a folder"),
                false => failure.hint(format!("mkdir -p {}", above.display())),
            }
        }
        Error::Io { source, .. } => Failure::new(Exit::Failed, "unwritable", message).detail(source.to_string()),
    }
}
