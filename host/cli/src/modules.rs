//! `modules`: the guest modules that a host keeps.

use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal};
use super::table::Table;
use super::views::{self, Module, short_digest};
use steward_node::config::quantity::show_size;

/// Lists guest modules by name, the newest first, or shows one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward modules
  steward modules show counter              all versions of it
  steward modules show 9f2c81aa             by the first digits of its digest")]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Lists modules (also without this word)
    #[command(visible_alias = "ls")]
    List,
    /// Shows the modules of one name or digest
    #[command(visible_alias = "info")]
    Show {
        /// Name, or first digits of the digest
        module: String,
    },
}

/// Runs `modules`.
///
/// # Errors
/// A failure if there is no answer, or no such module.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let answer = client.ask(&Call::get("/core/modules").query("expand", "")).await?.json()?;
    let mut modules: Vec<(Module, Value)> = Vec::new();
    for document in views::entries::<Value>(&answer, "documents")? {
        modules.push((views::one(document.clone())?, document));
    }
    // The versions of a service stand together, the newest first.
    modules.sort_by(|(one, _), (other, _)| {
        one.name.cmp(&other.name).then_with(|| other.installed_time_micros.cmp(&one.installed_time_micros))
    });
    if let Some(Action::Show { module }) = &args.action {
        let digits = module.strip_prefix("sha256:").unwrap_or(module);
        modules.retain(|(one, _)| one.name == *module || (digits.len() >= 4 && one.digest.starts_with(digits)));
        if modules.is_empty() {
            return Err(Failure::new(Exit::NotFound, "no-such-module", format!("there is no module {module}"))
                .hint("all modules: steward modules"));
        }
    }
    if terminal.format == Format::Json {
        let documents: Vec<_> = modules.into_iter().map(|(_, document)| document).collect();
        terminal.print_json(&json!({"type": "modules", "schema": 1, "modules": documents}));
        return Ok(Exit::Done);
    }
    if terminal.quiet {
        modules.iter().for_each(|(module, _)| terminal.print(&module.digest));
        return Ok(Exit::Done);
    }
    show(&modules, terminal);
    Ok(Exit::Done)
}

fn show(modules: &[(Module, Value)], terminal: &mut Terminal) {
    if modules.is_empty() {
        return terminal.say("no modules: deploy one with `steward deploy FILE.wasm`");
    }
    let mut table = Table::new(["module", "version", "digest", "size", "installed", "by", "factories"]);
    for (module, _) in modules {
        let or_dash = |text: String| if text.is_empty() { "–".to_owned() } else { text };
        table.row(vec![
            module.name.clone(),
            module.version.clone(),
            short_digest(&module.digest),
            show_size(module.size_bytes),
            terminal.time(Some(module.installed_time_micros)),
            or_dash(module.installed_by.clone()),
            or_dash(module.factories.join(" ")),
        ]);
    }
    terminal.print_table(&table);
}
