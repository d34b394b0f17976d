//! `services`: lists the factories of a host, or the revisions of one factory.

use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal, thousands};
use super::table::Table;
use super::views::{self, Factory, short_digest};

/// Where factories are listed.
pub(super) const FACTORIES: &str = "/core/factories";

/// Lists factories, or shows one with its revisions
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward services
  steward services /core/counters
  steward services -o json | jq '.factories[].documentSelfLink'

Letters: P persistence  R replication  O owner selection  M maintenance
         I idempotent POST  S strict update checking  X immutable
         L stateless  T instrumentation")]
pub(super) struct Args {
    /// Shows this one with its revisions: path of a factory, or name of its module
    factory: Option<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Lists factories (also without this word)
    #[command(visible_alias = "ls")]
    List,
    /// Shows a factory with its revisions (also without this word)
    #[command(visible_alias = "info")]
    Show {
        /// Path of the factory, or name of its module
        factory: String,
    },
}

/// Runs `services`.
///
/// # Errors
/// A failure if there is no answer, or no such factory.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let wanted = match (&args.action, &args.factory) {
        (None | Some(Action::List), None) => None,
        (None, Some(factory)) | (Some(Action::Show { factory }), None) => Some(factory),
        (Some(_), Some(factory)) => {
            return Err(Failure::usage(format!("{factory:?} and a further word"))
                .hint(format!("show one: steward services {factory}"))
                .hint("list all: steward services"));
        }
    };
    let answer = client.ask(&Call::get(FACTORIES).query("expand", "")).await?.json()?;
    match wanted {
        None => list(&answer, terminal),
        Some(factory) => show(&answer, factory, terminal),
    }
}

/// Asks a host for its factories.
///
/// # Errors
/// A failure if there is no answer.
pub(super) async fn factories(client: &Client) -> Result<Vec<Factory>, Failure> {
    let answer = client.ask(&Call::get(FACTORIES).query("expand", "")).await?.json()?;
    views::entries(&answer, "documents")
}

/// Finds a factory by its path, or by the name of its module if that names one factory only.
///
/// # Errors
/// A failure that lists what there is.
pub(super) fn find(all: Vec<Factory>, wanted: &str) -> Result<Factory, Failure> {
    let path = if wanted.len() > 1 { wanted.trim_end_matches('/') } else { wanted };
    let names: Vec<_> = all.iter().map(|factory| factory.document_self_link.clone()).collect();
    let matches = |factory: &Factory| factory.document_self_link == path || factory.module_name == wanted;
    let mut found: Vec<_> = all.into_iter().filter(matches).collect();
    match (found.pop(), found.is_empty()) {
        (Some(factory), true) => Ok(factory),
        (Some(last), false) => {
            found.push(last);
            let runs: Vec<&str> = found.iter().map(|factory| factory.document_self_link.as_str()).collect();
            Err(Failure::usage(format!("several factories run {wanted}"))
                .hint(format!("name one by its path: {}", runs.join(", "))))
        }
        (None, _) => {
            let failure = Failure::new(Exit::NotFound, "no-such-factory", format!("there is no factory {wanted}"));
            Err(match names.is_empty() {
                true => failure.hint("deploy one: steward deploy FILE.wasm"),
                false => failure.hint(format!("there are: {}", names.join(", "))),
            })
        }
    }
}

fn list(answer: &Value, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if terminal.format == Format::Json {
        let documents = views::entries::<Value>(answer, "documents")?;
        terminal.print_json(&json!({"type": "services", "schema": 1, "factories": documents}));
        return Ok(Exit::Done);
    }
    let factories: Vec<Factory> = views::entries(answer, "documents")?;
    if terminal.quiet {
        factories.iter().for_each(|factory| terminal.print(&factory.document_self_link));
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["factory", "module", "version", "rev", "state", "docs", "options"]).standing(4);
    for factory in &factories {
        table.row(vec![
            factory.document_self_link.clone(),
            or_dash(&factory.module_name),
            or_dash(&factory.module_version),
            factory.revision.to_string(),
            if factory.available { "AVAILABLE" } else { "UNAVAILABLE" }.to_owned(),
            factory.document_count.map_or_else(|| "–".to_owned(), thousands),
            letters(&factory.options),
        ]);
    }
    if factories.is_empty() {
        terminal.say("no factories: deploy one with `steward deploy FILE.wasm`");
    } else {
        terminal.print_table(&table);
    }
    Ok(Exit::Done)
}

fn show(answer: &Value, wanted: &str, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let factory = find(views::entries(answer, "documents")?, wanted)?;
    if terminal.format == Format::Json {
        let document = answer.get("documents").and_then(|all| all.get(&factory.document_self_link));
        terminal.print_json(&json!({"type": "service", "schema": 1, "factory": document}));
        return Ok(Exit::Done);
    }
    terminal.print(&format!("factory  {}", factory.document_self_link));
    terminal.print(&format!("module   {} {}", factory.module_name, factory.module_version));
    terminal.print(&format!("digest   sha256:{}", factory.module_digest));
    terminal.print(&format!("options  {}\n", factory.options.join(" ")));
    let mut table = Table::new(["rev", "state", "version", "digest", "activated", "by", "message"]).standing(1);
    for revision in factory.revisions.iter().rev() {
        table.row(vec![
            revision.revision.to_string(),
            if revision.revision == factory.revision { "ACTIVE" } else { "stored" }.to_owned(),
            or_dash(&revision.version),
            short_digest(&revision.digest),
            terminal.time(Some(revision.at_micros)),
            or_dash(&revision.by),
            or_dash(&revision.message),
        ]);
    }
    terminal.print_table(&table);
    Ok(Exit::Done)
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "–".to_owned() } else { text.to_owned() }
}

/// Returns one letter for each option; the long help of the command explains them.
fn letters(options: &[String]) -> String {
    let letter = |option: &String| match option.as_str() {
        "PERSISTENCE" => Some('P'),
        "REPLICATION" => Some('R'),
        "OWNER_SELECTION" => Some('O'),
        "PERIODIC_MAINTENANCE" => Some('M'),
        "IDEMPOTENT_POST" => Some('I'),
        "STRICT_UPDATE_CHECKING" => Some('S'),
        "IMMUTABLE" => Some('X'),
        "STATELESS" => Some('L'),
        "INSTRUMENTATION" => Some('T'),
        _ => None,
    };
    let text: String = options.iter().filter_map(letter).collect();
    or_dash(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factory(link: &str, module: &str) -> Factory {
        Factory { document_self_link: link.to_owned(), module_name: module.to_owned(), ..Factory::default() }
    }

    #[test]
    fn factory_is_found_by_path_or_by_module() {
        let all = vec![factory("/core/counters", "counter"), factory("/core/a", "x"), factory("/core/b", "x")];
        for wanted in ["/core/counters", "/core/counters/", "counter"] {
            assert_eq!(find(all.clone(), wanted).expect("is there").document_self_link, "/core/counters");
        }
        let several = find(all.clone(), "x").expect_err("two of them");
        assert_eq!(
            (several.exit, several.hints),
            (Exit::Usage, vec!["name one by its path: /core/a, /core/b".to_owned()])
        );
        let missing = find(all, "/core/c").expect_err("is not there");
        assert_eq!(missing.exit, Exit::NotFound);
        assert_eq!(missing.hints, ["there are: /core/counters, /core/a, /core/b"]);
    }
}
