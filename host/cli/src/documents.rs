//! `get post put patch delete`: one document, one request. The answer of the host is printed as it is.

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderName, Method};
use steward_model::{Exact, Link};

use super::client::{Answer, Call, Client};
use super::error::{Exit, Failure};
use super::fields::{self, Source};
use super::output::{Terminal, exact_cell};

/// Reads a document, or lists a factory
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward get /core/counters/clicks
  steward get /core/counters/clicks --select count     a field, bare
  steward get /core/counters/clicks --version 3        an older version
  steward get /core/counters --expand              children with their states")]
pub(super) struct GetArgs {
    /// Path of a document, factory or utility; may have a query part
    path: String,
    /// Only these fields, one a line: a,b.c
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    select: Vec<String>,
    /// An older version
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    /// Children of a factory with their states
    #[arg(long)]
    expand: bool,
    /// Answer 304 if the document still has this ETag
    #[arg(long, value_name = "ETAG")]
    if_none_match: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// Flags of all five about what is printed.
#[derive(Debug, clap::Args)]
struct Shown {
    /// Status and headers before the body
    #[arg(short, long)]
    include: bool,
}

/// Flags of all updates.
#[derive(Debug, clap::Args)]
struct Update {
    /// Only if the document has this ETag, or * for any
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    /// Make a repeat harmless; `auto` makes a key up
    #[arg(long, value_name = "KEY|auto")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// Creates a child of a factory, or asks a service
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Fields:
  name=text   count:=3   tags:='[\"a\"]'   a.b=nested   note=@file   spec:=@file
  @body.json  the whole body    -  the whole body from standard input

Examples:
  steward post /core/counters step:=5
  steward post /core/counters --id mine            under a name of its own
  steward post /core/counters @counter.json --idempotency-key auto")]
pub(super) struct PostArgs {
    /// Path of the factory or document
    path: String,
    /// name=text, count:=3 (JSON), a.b=x, note=@file, @file, - (stdin)
    #[arg(value_name = "FIELD")]
    fields: Vec<String>,
    /// Name of the child under the factory
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// The `kind` of the request, where the service tells requests apart by it
    #[arg(long, value_name = "NAME")]
    kind: Option<String>,
    #[command(flatten)]
    update: Update,
}

/// Replaces a document
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward put /core/counters/clicks count:=0 step:=1
  steward get /core/counters/clicks > clicks.json; edit clicks.json
  steward put /core/counters/clicks @clicks.json --if-match 1-7")]
pub(super) struct PutArgs {
    #[command(flatten)]
    change: ChangeArgs,
}

/// Changes a document
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward patch /core/counters/clicks by:=3
  steward patch /core/counters/clicks '{}'             no fields at all
  steward patch /core/counters/clicks by:=1 --if-match 1-7")]
pub(super) struct PatchArgs {
    #[command(flatten)]
    change: ChangeArgs,
}

/// Arguments of PUT and PATCH.
#[derive(Debug, clap::Args)]
struct ChangeArgs {
    /// Path of the document
    path: String,
    /// name=text, count:=3 (JSON), a.b=x, note=@file, @file, - (stdin)
    #[arg(value_name = "FIELD", required_unless_present = "kind")]
    fields: Vec<String>,
    /// The `kind` of the request, where the service tells requests apart by it
    #[arg(long, value_name = "NAME")]
    kind: Option<String>,
    #[command(flatten)]
    update: Update,
}

/// Deletes a document; its versions are kept
#[derive(Debug, clap::Args)]
#[command(after_help = "\
At a path of the host itself DELETE does more: it takes a factory away, or stops
the node. Then it is asked whether that is meant.

Examples:
  steward delete /core/counters/clicks
  steward delete /core/counters/clicks --if-match 1-7")]
pub(super) struct DeleteArgs {
    /// Path of the document
    path: String,
    /// Do it without asking, at paths of the host itself
    #[arg(short, long, env = "STEWARD_YES", hide_env = true, value_parser = clap::builder::FalseyValueParser::new())]
    yes: bool,
    #[command(flatten)]
    update: Update,
}

/// Runs `get`.
///
/// # Errors
/// A failure if there is no answer, the host refuses, or a selected field is absent.
pub(super) async fn get(args: &GetArgs, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut call = Call::new(Method::GET, &args.path)?;
    if let Some(version) = args.version {
        call = call.query("documentVersion", &version.to_string());
    }
    if args.expand {
        call = call.query("expand", "");
    }
    if let Some(etag) = &args.if_none_match {
        call = call.header(IF_NONE_MATCH, &quoted(etag))?;
    }
    let answer = client.send(&call).await?;
    let answer = if answer.status == http::StatusCode::NOT_MODIFIED { answer } else { answer.accept()? };
    if args.shown.include {
        print_head(&answer, terminal);
    }
    if args.select.is_empty() || answer.body.is_empty() {
        print_body(&answer, terminal);
        return Ok(Exit::Done);
    }
    let document = answer.exact()?;
    for name in &args.select {
        let value = fields::segments(name).iter().try_fold(&document, |value, segment| value.get(segment));
        let missing = || Failure::new(Exit::NotFound, "no-such-field", format!("{} has no field {name:?}", args.path));
        match value.ok_or_else(missing)? {
            Exact::Text(text) => terminal.print(text),
            other => terminal.print(&other.to_string()),
        }
    }
    Ok(Exit::Done)
}

/// Runs `post`.
///
/// # Errors
/// A failure if a field is wrong, there is no answer, or the host refuses.
pub(super) async fn post(
    args: &PostArgs,
    source: &mut dyn Source,
    client: &Client,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let mut body = with_kind(fields::body(&args.fields, source)?, args.kind.as_deref())?;
    if let Some(id) = &args.id {
        let path = args.path.split('?').next().unwrap_or_default().trim_end_matches('/');
        let link = Exact::Text(format!("{path}/{id}"));
        let fields = body.get_or_insert_with(Exact::empty);
        let fields = fields.as_object_mut().ok_or_else(|| Failure::usage("--id needs a body that is an object"))?;
        fields.insert("documentSelfLink", link);
    }
    update(Method::POST, &args.path, body, &args.update, client, terminal).await
}

/// Runs `put`.
///
/// # Errors
/// As [`post`].
pub(super) async fn put(
    args: &PutArgs,
    source: &mut dyn Source,
    client: &Client,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    change(Method::PUT, &args.change, source, client, terminal).await
}

/// Runs `patch`.
///
/// # Errors
/// As [`post`].
pub(super) async fn patch(
    args: &PatchArgs,
    source: &mut dyn Source,
    client: &Client,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    change(Method::PATCH, &args.change, source, client, terminal).await
}

/// Runs `delete`.
///
/// # Errors
/// A failure if there is no answer, the host refuses, or nobody confirms.
pub(super) async fn delete(args: &DeleteArgs, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if is_of_host(&args.path) {
        let question = format!("{} is no document, but the host's own: DELETE it on {}?", args.path, client.host());
        terminal.confirm(&question, args.yes)?;
    }
    match update(Method::DELETE, &args.path, None, &args.update, client, terminal).await {
        Err(failure) if failure.code == "method-not-allowed" && is_mounted(&args.path, client).await => {
            Err(failure.hint(format!("take it away: steward undeploy {}; its documents stay", args.path)))
        }
        other => other,
    }
}

/// Returns true if a module is mounted at the path, so that it is no document.
async fn is_mounted(path: &str, client: &Client) -> bool {
    let Ok(call) = Call::new(Method::GET, &format!("/core/factories{}", path.trim_end_matches('/'))) else {
        return false;
    };
    client.ask(&call).await.is_ok()
}

fn is_of_host(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    Link::parse(if path.is_empty() { "/" } else { path }).is_ok_and(|link| steward_node::answers_itself(&link))
}

async fn change(
    method: Method,
    args: &ChangeArgs,
    source: &mut dyn Source,
    client: &Client,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let body = with_kind(fields::body(&args.fields, source)?, args.kind.as_deref())?;
    update(method, &args.path, body, &args.update, client, terminal).await
}

fn with_kind(body: Option<Exact>, kind: Option<&str>) -> Result<Option<Exact>, Failure> {
    let Some(kind) = kind else { return Ok(body) };
    let mut body = body.unwrap_or_else(Exact::empty);
    match body.as_object_mut() {
        Some(fields) => fields.insert("kind", Exact::Text(kind.to_owned())),
        None => return Err(Failure::usage("--kind needs a body that is an object")),
    }
    Ok(Some(body))
}

async fn update(
    method: Method,
    path: &str,
    body: Option<Exact>,
    flags: &Update,
    client: &Client,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let mut call = Call::new(method, path)?;
    if let Some(body) = &body {
        call = call.exact(body);
    }
    if let Some(etag) = &flags.if_match {
        call = call.header(IF_MATCH, &quoted(etag))?;
    }
    if let Some(key) = &flags.idempotency_key {
        let key = if key == "auto" { uuid::Uuid::new_v4().to_string() } else { key.clone() };
        call = call.header(HeaderName::from_static("idempotency-key"), &key)?;
    }
    // The host gives up a little before this program does, and can then say whether the update happened.
    let patience = client.timeout().as_secs().saturating_sub(1).max(1);
    call = call.header(HeaderName::from_static("prefer"), &format!("wait={patience}"))?;
    let answer = client.ask(&call).await.map_err(|failure| match (failure.code.as_str(), &flags.idempotency_key) {
        ("timeout" | "connection-lost", None) => {
            failure.hint("give --idempotency-key next time: a repeat is harmless then")
        }
        _ => failure,
    })?;
    show_update(&answer, path, flags.shown.include, terminal);
    Ok(Exit::Done)
}

fn show_update(answer: &Answer, path: &str, include: bool, terminal: &mut Terminal) {
    let state = Exact::read(&answer.body).unwrap_or(Exact::Null);
    let link = state.get("documentSelfLink").and_then(Exact::as_str);
    let link = link.or(Some(answer.header("location")).filter(|link| !link.is_empty())).unwrap_or(path).to_owned();
    if include {
        print_head(answer, terminal);
    }
    if terminal.quiet && !include {
        return terminal.print(&link);
    }
    let mut parts = vec![format!("{} {link}", answer.status.as_u16())];
    parts.extend(state.get("documentVersion").map(|version| format!("v{}", exact_cell(version))));
    let owner = answer.header("x-steward-owner");
    if !owner.is_empty() {
        parts.push(format!("owner {owner}"));
    }
    if !answer.header("idempotency-replayed").is_empty() {
        parts.push("answered before under the same key".to_owned());
    }
    terminal.say(&parts.join("   "));
    print_body(answer, terminal);
}

fn print_head(answer: &Answer, terminal: &mut Terminal) {
    let reason = answer.status.canonical_reason().unwrap_or_default();
    terminal.print(format!("HTTP/1.1 {} {reason}", answer.status.as_u16()).trim_end());
    for (name, value) in &answer.headers {
        terminal.print(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    }
    terminal.print("");
}

fn print_body(answer: &Answer, terminal: &mut Terminal) {
    if answer.body.is_empty() {
        return;
    }
    match Exact::read(&answer.body) {
        Ok(document) => terminal.print_exact(&document),
        Err(_) => terminal.print(String::from_utf8_lossy(&answer.body).trim_end()),
    }
}

/// Returns an ETag with the quotes that HTTP wants, which people leave out.
fn quoted(etag: &str) -> String {
    if etag == "*" || etag.starts_with(['"', 'W']) { etag.to_owned() } else { format!("\"{etag}\"") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn etags_get_their_quotes() {
        assert_eq!(["1-7", "\"1-7\"", "*", "W/\"1\""].map(quoted), ["\"1-7\"", "\"1-7\"", "*", "W/\"1\""]);
    }

    #[test]
    fn kind_is_a_field_of_the_body() {
        let exact = |value: serde_json::Value| Some(Exact::from(value));
        assert_eq!(with_kind(None, Some("Reset")), Ok(exact(json!({"kind": "Reset"}))));
        assert_eq!(with_kind(exact(json!({"by": 3})), Some("Add")), Ok(exact(json!({"by": 3, "kind": "Add"}))));
        assert!(with_kind(exact(json!([1])), Some("Add")).is_err());
    }
}
