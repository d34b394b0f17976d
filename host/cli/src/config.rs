//! `config show`: the settings that `start` would use here, and where each comes from.

use serde_json::json;

use super::error::{Exit, Failure};
use super::output::{Format, Terminal};
use super::start::SettingsArgs;
use super::table::Table;
use steward_node::config::{Effective, Options, gather};

/// Shows settings of a node and where they come from
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Shows what `start` would use here
    #[command(after_help = "\
Takes every flag of `steward start`, to see what it would change.
A flag wins over a variable, that over the file, that over the default.

Examples:
  steward config show
  STEWARD_PORT=9000 steward config show
  steward config show --config node.toml --port 8001")]
    Show {
        #[command(flatten)]
        settings: SettingsArgs,
    },
}

/// Runs `config`.
///
/// # Errors
/// A failure of usage if a setting is wrong.
pub(super) fn run(
    args: &Args,
    variables: impl Iterator<Item = (String, String)>,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let Action::Show { settings } = &args.action;
    let effective = gather(&settings.given, variables)?;
    Options::from_effective(&effective)?;
    if terminal.format == Format::Json {
        let settings: Vec<_> = effective.iter().map(as_json).collect();
        terminal.print_json(&json!({"type": "config", "schema": 1, "settings": settings}));
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["setting", "value", "origin"]);
    for one in &effective {
        let value = if one.text.is_empty() { "–".to_owned() } else { one.text.clone() };
        table.row(vec![one.setting.key.to_owned(), value, one.origin.layer()]);
    }
    terminal.print_table(&table);
    Ok(Exit::Done)
}

fn as_json(one: &Effective) -> serde_json::Value {
    let value = (!one.text.is_empty()).then_some(&one.text);
    json!({"key": one.setting.key, "value": value, "origin": one.origin.layer()})
}
