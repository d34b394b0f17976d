//! `query`: lists the children of a factory that match a filter.

use http::Method;
use serde_json::json;
use steward_model::Exact;
use steward_model::exact::Members;

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::fields;
use super::output::{Format, Terminal, exact_cell, thousands};
use super::progress;
use super::table::Table;

/// Columns of state shown when none are selected.
const COLUMNS_MAX: usize = 5;

/// Finds documents of a factory
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Filter:
  count gt 100 and step eq 1            eq ne lt le gt ge, and or not, ( )
  name eq 'exam*'   taskInfo.stage ne 'FINISHED'

Examples:
  steward query /core/counters
  steward query /core/counters \"count gt 100\" --orderby \"count desc\" --top 10
  steward query /core/counters \"step eq 1\" --count
  steward query /core/counters -q | xargs -n1 steward delete")]
pub(super) struct Args {
    /// Path of the factory
    factory: String,
    /// What the documents must satisfy [default: all]
    filter: Option<String>,
    /// Field to sort by, and `desc` if descending
    #[arg(long, value_name = "FIELD [desc]")]
    orderby: Option<String>,
    /// How many at the most; 0 for all [default: 100; with --quiet all]
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Fields to show: a,b.c
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    select: Vec<String>,
    /// Only how many there are
    #[arg(long, conflicts_with_all = ["all_versions", "select", "orderby"])]
    count: bool,
    /// Every kept version of every document, newest first
    #[arg(long, conflicts_with_all = ["filter", "orderby"])]
    all_versions: bool,
}

/// Documents that a host puts on a page unless told otherwise.
const PAGE_DOCUMENTS: usize = 1000;

/// Documents that are shown unless the command line says otherwise.
const SHOWN_DOCUMENTS: usize = 100;

/// Documents that were found, and whether there are more.
struct Found {
    documents: Vec<(String, Exact)>,
    more: bool,
}

/// Runs `query`.
///
/// # Errors
/// A failure if there is no answer, or the host refuses the filter.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if args.count {
        return count(args, client, terminal).await;
    }
    let bar = progress::waiting("query");
    let wanted = wanted(args.top, terminal.quiet);
    let search = async {
        if args.all_versions { all_versions(args, wanted, client).await } else { newest(args, wanted, client).await }
    };
    let found = progress::watch(terminal, &bar, search).await?;
    if terminal.format == Format::Json {
        let documents: Members = found.documents.into_iter().collect();
        let links: Vec<&str> = documents.iter().map(|(link, _)| link).collect();
        let mut shown = Exact::from(json!({
            "type": "query", "schema": 1, "factory": args.factory, "count": links.len(), "more": found.more,
            "documentLinks": links,
        }));
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("documents", Exact::Object(documents));
        }
        terminal.print_exact(&shown);
        return Ok(Exit::Done);
    }
    if terminal.quiet {
        found.documents.iter().for_each(|(link, _)| terminal.print(link));
        return Ok(Exit::Done);
    }
    show(args, &found, terminal);
    Ok(Exit::Done)
}

async fn count(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let answer = client.ask(&request(args)?.query("$count", "true")).await?.json()?;
    let count = answer.get("documentCount").cloned().unwrap_or_else(|| json!(0));
    match terminal.format {
        Format::Json => {
            terminal.print_json(&json!({"type": "count", "schema": 1, "factory": args.factory, "count": count}));
        }
        Format::Table => terminal.print(&count.to_string()),
    }
    Ok(Exit::Done)
}

fn request(args: &Args) -> Result<Call, Failure> {
    let call = Call::new(Method::GET, &args.factory)?;
    Ok(match &args.filter {
        Some(filter) => call.query("$filter", filter),
        None => call,
    })
}

/// Returns how many documents are shown at the most. Links alone are for another program, which is not to take the first ones for all.
fn wanted(top: Option<usize>, quiet: bool) -> usize {
    match top {
        Some(0) => usize::MAX,
        Some(top) => top,
        None if quiet => usize::MAX,
        None => SHOWN_DOCUMENTS,
    }
}

async fn newest(args: &Args, wanted: usize, client: &Client) -> Result<Found, Failure> {
    let mut call = request(args)?.query("expand", "");
    if let Some(order) = &args.orderby {
        call = call.query("$orderby", order);
    }
    if let Some(fields) = whole_fields(&args.select) {
        call = call.query("$select", &fields);
    }
    if wanted < PAGE_DOCUMENTS {
        call = call.query("$limit", &wanted.to_string());
    }
    collect(wanted, client, call).await
}

/// Returns the whole fields that have what is to be shown, and what is shown of every document, as the host selects them; none if
/// nothing is selected, or not as the host can say it.
fn whole_fields(select: &[String]) -> Option<String> {
    let mut names: Vec<String> = select.iter().filter_map(|name| fields::segments(name).into_iter().next()).collect();
    if names.is_empty() || names.iter().any(|name| name.contains(['.', ','])) {
        return None;
    }
    names.extend(["documentVersion", "documentUpdateTimeMicros"].map(str::to_owned));
    Some(names.join(","))
}

async fn all_versions(args: &Args, wanted: usize, client: &Client) -> Result<Found, Failure> {
    let factory = args.factory.trim_end_matches('/');
    let term = json!({
        "propertyName": "documentSelfLink", "matchType": "WILDCARD", "matchValue": format!("{factory}/*"),
    });
    let options = ["INCLUDE_ALL_VERSIONS", "EXPAND_CONTENT"];
    let task = json!({
        "taskInfo": {"isDirect": true}, "querySpec": {"query": {"term": term}, "options": options},
    });
    collect(wanted, client, Call::new(Method::POST, "/core/query-tasks")?.json(&task)).await
}

/// Takes page after page until there are enough documents or no more pages.
async fn collect(wanted: usize, client: &Client, first: Call) -> Result<Found, Failure> {
    let mut documents = Vec::new();
    let mut call = first;
    loop {
        let answer = client.ask(&call).await?.exact()?;
        // A query task wraps its page; the listing of a factory is one.
        let page = answer.get("results").unwrap_or(&answer);
        take(page, &mut documents);
        let next = page.get("nextPageLink").and_then(Exact::as_str).filter(|link| !link.is_empty());
        if documents.len() >= wanted {
            let more = next.is_some() || documents.len() > wanted;
            documents.truncate(wanted);
            return Ok(Found { documents, more });
        }
        match next {
            Some(next) => call = Call::new(Method::GET, next)?,
            None => return Ok(Found { documents, more: false }),
        }
    }
}

/// Adds the documents of one page, in the order of its links.
fn take(page: &Exact, documents: &mut Vec<(String, Exact)>) {
    let links = page.get("documentLinks").and_then(Exact::as_list).unwrap_or_default();
    for link in links.iter().filter_map(Exact::as_str) {
        let state = page.get("documents").and_then(|all| all.get(link)).cloned();
        documents.push((link.to_owned(), state.unwrap_or(Exact::Null)));
    }
}

fn show(args: &Args, found: &Found, terminal: &mut Terminal) {
    let columns = if args.select.is_empty() { usual_columns(&found.documents) } else { args.select.clone() };
    let heads = ["link"].into_iter().chain(columns.iter().map(String::as_str)).chain(["version", "updated"]);
    let mut table = Table::new(heads);
    for (link, state) in &found.documents {
        let mut cells = vec![link.clone()];
        cells.extend(columns.iter().map(|column| shown(state, column).map_or_else(|| "–".to_owned(), exact_cell)));
        cells.push(state.get("documentVersion").map_or_else(|| "–".to_owned(), exact_cell));
        cells.push(terminal.time(state.get("documentUpdateTimeMicros").and_then(Exact::as_i64)));
        table.row(cells);
    }
    if !found.documents.is_empty() {
        terminal.print_table(&table);
        for column in
            columns.iter().filter(|column| found.documents.iter().all(|(_, state)| shown(state, column).is_none()))
        {
            terminal.say(&format!("no document has the field {column}"));
        }
    }
    let count = thousands(found.documents.len() as u64);
    terminal.say(&match (found.documents.is_empty(), found.more) {
        (true, _) => "no documents match".to_owned(),
        (false, true) => format!("the first {count}, there are more: --top N, or --top 0 for all"),
        (false, false) => format!("{count} found"),
    });
}

/// Returns the value of a field, `a.b` for one of an object.
fn shown<'a>(state: &'a Exact, column: &str) -> Option<&'a Exact> {
    fields::segments(column).iter().try_fold(state, |value, segment| value.get(segment))
}

/// Returns the first scalar fields that the states have, without what the host adds.
fn usual_columns(documents: &[(String, Exact)]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for (name, value) in documents.iter().filter_map(|(_, state)| state.as_object()).flat_map(Members::iter) {
        let scalar = value.as_object().is_none() && value.as_list().is_none();
        if scalar
            && !name.starts_with("document")
            && columns.iter().all(|column| column != name)
            && columns.len() < COLUMNS_MAX
        {
            columns.push(name.to_owned());
        }
    }
    // A dot within a name is no step into an object.
    columns.into_iter().map(|name| name.replace('.', "\\.")).collect()
}
