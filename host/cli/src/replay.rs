//! `replay`: runs the request once more that made a version, and shows both outcomes beside one another.
//!
//! The host runs it and commits nothing. A module of a file is taken in as `deploy` takes it in, and not mounted.

use std::ops::ControlFlow;

use http::Method;
use serde_json::{Value, json};
use steward_model::Exact;
use steward_model::leaves::{Leaf, Order, leaves};

use super::client::{Call, Client};
use super::deploy;
use super::error::{Exit, Failure};
use super::output::{Format, Terminal, cell};
use super::table::Table;
use super::views::short_digest;

/// Rows of values that are the same in both outcomes, at the most.
const SAME_MAX: usize = 20;

/// Marks what differs.
const DIFFERS: &str = "≠";

/// Runs the request once more that made a version, and compares
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Needs a host that records requests: steward dev, or steward start
--record-requests. Nothing is committed and nothing is sent. What the handler
reads of other documents it reads as they are now. What it logged at first
stands in the log of the host. Values that differ are marked; -q prints only
where they are.

Examples:
  steward replay /core/counters/clicks@3                  by the mounted module
  steward replay /core/counters/clicks@3 --module counter.ts  by another one
  steward replay /core/counters/clicks@3 --recorded -o json")]
pub(super) struct Args {
    /// Path of the document, and the version whose request is to run once more
    #[arg(value_name = "LINK@VERSION", value_parser = parse_version)]
    version: Wanted,
    /// Script, component, or folder of a project that runs it [default: what is mounted]
    #[arg(long, value_name = "FILE")]
    module: Option<String>,
    /// The module that made the version runs it
    #[arg(long, conflicts_with = "module")]
    recorded: bool,
}

/// A version of a document, as it is written on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    link: String,
    version: u64,
}

fn parse_version(text: &str) -> Result<Wanted, String> {
    let parts = text.rsplit_once('@').and_then(|(link, version)| Some((link, version.parse().ok()?)));
    let (link, version) =
        parts.ok_or("has no version: write LINK@VERSION; steward history LINK shows which there are")?;
    Ok(Wanted { link: link.trim_end_matches('/').to_owned(), version })
}

/// Runs `replay`.
///
/// # Errors
/// A failure if the module is refused, there is no answer, or the host cannot run the request.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let Wanted { link, version } = &args.version;
    let ask = async |module: &str| {
        let body = json!({ "documentSelfLink": link, "version": version, "module": module });
        client.ask(&Call::new(Method::POST, "/core/replays")?.json(&body)).await?.exact()
    };
    let answer = match &args.module {
        Some(file) => {
            let factory = link.rsplit_once('/').map_or("", |(factory, _)| factory);
            let guest = deploy::take_in(file, factory, client, terminal).await?;
            let answer = ask(&guest.digest).await;
            // Also after a failure: nobody is to find modules that were only tried.
            guest.give_back(client).await;
            answer?
        }
        None if args.recorded => ask("recorded").await?,
        None => ask("mounted").await?,
    };
    if terminal.format == Format::Json {
        let mut shown = Exact::from(json!({ "type": "replay", "schema": 1 }));
        if let (Exact::Object(shown), Exact::Object(answer)) = (&mut shown, answer) {
            shown.extend(answer);
        }
        terminal.print_exact(&shown);
        return Ok(Exit::Done);
    }
    let answer = answer.to_value();
    if terminal.quiet {
        let differences = answer.get("differences").and_then(Value::as_array).into_iter().flatten();
        differences.for_each(|pointer| terminal.print(&cell(pointer)));
    } else {
        show(&answer, terminal);
    }
    Ok(Exit::Done)
}

fn show(answer: &Value, terminal: &mut Terminal) {
    let at = |pointer: &str| answer.pointer(pointer).unwrap_or(&Value::Null);
    let text = |pointer: &str| cell(at(pointer));
    terminal.print_parts(&[
        format!("{}@{}", text("/documentSelfLink"), text("/version")),
        format!("{} by {}", text("/request/asked"), text("/request/cause")),
        terminal.time(at("/request/nowMicros").as_i64()),
        format!("seed {}", text("/request/seed")),
    ]);
    for (name, pointer) in [("query", "/request/query"), ("body", "/request/body"), ("answer", "/request/answer")] {
        if !at(pointer).is_null() && at(pointer) != "" {
            terminal.print(&format!("{name:<8} {}", text(pointer)));
        }
    }
    match at("/before") {
        Value::Null => terminal.print("before   nothing: the document was created"),
        before => terminal.print(&format!("before   {}", before.get("state").map(cell).unwrap_or_default())),
    }
    terminal.print("");
    let compared = Compared::of(answer);
    terminal.print_table(&compared.table);
    if let Some(problem) = answer.pointer("/replayed/problem") {
        let of = |name: &str| problem.get(name).map(cell).unwrap_or_default();
        terminal.print(&format!("\nreplayed: error[{}] {}", of("code"), of("detail")));
    }
    for (place, line) in at("/replayed/log").as_array().into_iter().flatten().enumerate() {
        let of = |name: &str| line.get(name).filter(|value| !value.is_null()).map(cell).unwrap_or_default();
        let head = if place == 0 { "\nlog      " } else { "         " };
        terminal.print(format!("{head}{:<5} {} {}", of("level"), of("message"), of("fields")).trim_end());
    }
    say_notes(answer, compared.left_out, terminal);
}

fn say_notes(answer: &Value, left_out: usize, terminal: &mut Terminal) {
    if left_out > 0 {
        terminal.say(&format!("{left_out} more values are the same; -o json shows all"));
    }
    let unknown = answer.pointer("/recorded/unknown").and_then(Value::as_object).into_iter().flatten();
    // That the first lines are in the log of the host is said by the help.
    for (pointer, reason) in unknown.filter(|(pointer, _)| *pointer != "/log") {
        terminal.say(&format!("not known of the first outcome: {pointer}: {}", cell(reason)));
    }
    let read = answer.pointer("/replayed/readNow").and_then(Value::as_array).into_iter().flatten();
    let read: Vec<String> = read.map(cell).collect();
    if !read.is_empty() {
        terminal.say(&format!("read as it is now, not as it was then: {}", read.join(" ")));
    }
    match answer.get("differences").and_then(Value::as_array).map_or(0, Vec::len) {
        0 => terminal.say("the same outcome"),
        1 => terminal.say("1 difference"),
        many => terminal.say(&format!("{many} differences")),
    }
}

/// Both outcomes, value by value.
struct Compared {
    table: Table,
    /// The second run has no outcome: nothing can differ from it.
    failed: bool,
    /// How many values are the same and could tell something.
    same: usize,
    /// How many of them are not shown.
    left_out: usize,
}

impl Compared {
    fn of(answer: &Value) -> Compared {
        let none = Value::Null;
        let side = |name: &str| answer.get(name).unwrap_or(&none);
        let (recorded, replayed) = (side("recorded"), side("replayed"));
        let (table, failed) = (Table::new(["", "recorded", "replayed"]), replayed.get("problem").is_some());
        let mut compared = Compared { table, failed, same: 0, left_out: 0 };
        compared.table.row(vec!["  module".to_owned(), module(recorded), module(replayed)]);
        for name in ["status", "state", "reply", "effects", "expirationTimeMicros", "makesVersion", "stateVersion"] {
            let both = (recorded.get(name), replayed.get(name));
            // It never breaks off: those that are left out are counted.
            let _ = leaves(name, both, Order::AsWritten, |leaf| {
                compared.add(leaf);
                ControlFlow::Continue(())
            });
        }
        compared
    }

    fn add(&mut self, leaf: Leaf<'_, '_>) {
        let name = leaf.path.join("/");
        let differs = leaf.one != leaf.other && !self.failed;
        if !differs && is_plain(&name, leaf.one) {
            return;
        }
        self.same += usize::from(!differs);
        if !differs && self.same > SAME_MAX {
            self.left_out += 1;
            return;
        }
        let mark = if differs { DIFFERS } else { " " };
        let other = if self.failed { String::new() } else { shown(leaf.other) };
        self.table.row(vec![format!("{mark} {name}"), shown(leaf.one), other]);
    }
}

fn module(side: &Value) -> String {
    let at = |pointer: &str| side.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let named = format!("{} {}", at("/module/name"), at("/module/version"));
    format!("{} {}", named.trim(), short_digest(at("/module/digest"))).trim().to_owned()
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "–".to_owned(), cell)
}

/// Returns true if a value tells nothing as long as it is the same: what nearly every outcome has.
fn is_plain(name: &str, value: Option<&Value>) -> bool {
    match value {
        Some(Value::String(text)) => text.is_empty() && name.starts_with("effects/"),
        Some(Value::Number(number)) => match name {
            "expirationTimeMicros" => number.as_i64() == Some(0),
            "stateVersion" => true,
            _ => name.starts_with("effects/") && name.ends_with("/delayMillis") && number.as_i64() == Some(0),
        },
        Some(Value::Bool(makes)) => name == "makesVersion" && *makes,
        Some(Value::Array(headers)) => name.starts_with("effects") && headers.is_empty(),
        Some(Value::Null | Value::Object(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stands_behind_the_link() {
        let wanted = |link: &str, version| Ok(Wanted { link: link.to_owned(), version });
        assert_eq!(parse_version("/core/counters/a@3"), wanted("/core/counters/a", 3));
        assert_eq!(parse_version("/core/people/a@b.c@0"), wanted("/core/people/a@b.c", 0));
        assert!(parse_version("/core/counters/a").is_err() && parse_version("/core/people/a@b.c").is_err());
    }

    #[test]
    fn what_differs_is_marked_and_what_is_the_same_has_an_end() {
        let state: serde_json::Map<String, Value> = (0..30).map(|n| (format!("f{n:02}"), json!(n))).collect();
        let mut other = state.clone();
        other.insert("f29".to_owned(), json!("new"));
        let answer = json!({
            "recorded": { "status": 200, "state": state, "effects": [] },
            "replayed": { "status": 200, "state": other, "effects": [{ "to": "/a" }] },
        });
        let compared = Compared::of(&answer);
        let table = compared.table.render(Some(80));
        let marked: Vec<&str> = table.lines().filter(|line| line.starts_with(DIFFERS)).map(str::trim_end).collect();
        assert_eq!(marked.len(), 2, "{table}");
        assert!(marked[0].contains("state/f29") && marked[0].ends_with("new"), "{table}");
        assert!(marked[1].contains("effects/0") && marked[1].contains("–"), "{table}");
        assert_eq!(compared.left_out, 10, "{table}");
    }
}
