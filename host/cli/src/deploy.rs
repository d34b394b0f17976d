//! `deploy`: installs a guest module, shows what would change, and makes the module answer.
//!
//! ```text
//! read FILE or build DIR → POST /core/modules → plan → (confirm) → POST or PATCH /core/factories → what to try next
//!             stores, compiles            --check and --dry-run end here
//! ```
//!
//! Storing a module changes nothing that clients see; only the last step does. That step names the revision for which
//! the plan was made. If two people deploy at once, the second is refused and does not overwrite the first unseen.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use steward_model::line::one_line;
use steward_sandbox::Language;

use super::author::{build, script};
use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::example;
use super::output::{Format, Terminal, thousands};
use super::prepare::work_on;
use super::progress;
use super::reading;
use super::table::Table;
use super::views::short_digest;
use steward_node::config::quantity::show_size;

/// Brings a guest module in and makes it answer
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward deploy counter.ts               asks before it activates
  steward deploy counter.wasm -y -m \"add reset\"
  steward deploy counter.wasm --factory /core/counters-v2
  steward deploy counter.wasm --check     exit 0 nothing, 20 changes, 21 breaks
  steward deploy .                        builds the project that is here
  cat counter.wasm | steward deploy - -y -o json")]
pub(super) struct Args {
    /// Script (.js, .ts, .py), component (.wasm), or folder of a project; - is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Path of the factory [default: what the module says]
    #[arg(long, value_name = "PATH")]
    factory: Option<String>,
    /// Why; kept with the revision
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
    /// Only the plan, and an exit code that says what it is
    #[arg(long)]
    check: bool,
    /// Only the plan
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,
    /// Activate without asking
    #[arg(short, long, env = "STEWARD_YES", hide_env = true, value_parser = clap::builder::FalseyValueParser::new())]
    yes: bool,
}

/// What an activation would do to one factory.
#[derive(Debug, Clone, PartialEq)]
struct Plan {
    factory: String,
    change: Change,
    detail: String,
    /// Revision that answers now.
    from: Option<u64>,
    /// Once the new module has written a state, the one of now cannot read it.
    no_way_back: bool,
    /// Fields of stored states that the new module does not have.
    left_out: Vec<String>,
    /// Documents live in memory, and are gone with the process.
    volatile: bool,
    /// Why the host would refuse.
    refusal: Option<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Create,
    Update,
    Nothing,
}

impl Change {
    fn as_str(self) -> &'static str {
        match self {
            Change::Create => "create",
            Change::Update => "update",
            Change::Nothing => "none",
        }
    }
}

/// Runs `deploy`.
///
/// # Errors
/// A failure if the file cannot be read, the host refuses the module or the change, or nobody confirms.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let installed = install(args, client, terminal).await?;
    let plan = plan(&installed)?;
    show_plan(&installed, &plan, terminal);
    if args.check {
        return Ok(match (plan.change, &plan.refusal) {
            (_, Some(_)) => Exit::BreakingPending,
            (Change::Nothing, None) => Exit::Done,
            (Change::Create | Change::Update, None) => Exit::ChangesPending,
        });
    }
    if args.dry_run {
        return Ok(Exit::Done);
    }
    if let Some(refusal) = plan.refusal {
        return Err(refusal);
    }
    let revision = if plan.change == Change::Nothing {
        plan.from
    } else {
        terminal.confirm(&format!("Activate on {}?", client.host()), args.yes)?;
        activate(args, &installed, &plan, client, terminal).await?
    };
    show_result(&installed, &plan, revision, terminal);
    Ok(Exit::Done)
}

async fn install(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Value, Failure> {
    if std::path::Path::new(&args.file).is_dir() {
        // A build may take minutes: nobody should wait for it in vain.
        client.send(&Call::get("/health/live")).await?;
    }
    let component = read_component(&args.file, terminal).await?;
    let bar = progress::upload(component.len() as u64, work_on(&component));
    let mut call = upload(component)?;
    if let Some(factory) = &args.factory {
        call = call.query("factory", factory);
    }
    if args.check || args.dry_run {
        call = call.query("dryRun", "true");
    }
    progress::watch(terminal, &bar, client.send_watched(&call, &bar)).await?.accept()?.json()
}

/// A module that is installed to be tried, and not mounted.
pub(super) struct Tried {
    /// Its name.
    pub(super) digest: String,
    /// It was there before.
    was_there: bool,
}

impl Tried {
    /// Removes the module if nobody had it before. If it cannot be removed, or is mounted meanwhile, it stays.
    pub(super) async fn give_back(self, client: &Client) {
        if self.was_there {
            return;
        }
        if let Ok(call) = Call::new(Method::DELETE, &format!("/core/modules/{}", self.digest)) {
            let _ = client.ask(&call).await;
        }
    }
}

/// Takes a module in without mounting it, for a factory.
///
/// # Errors
/// A failure if the file cannot be read, or the host refuses the module.
pub(super) async fn take_in(
    file: &str,
    factory: &str,
    client: &Client,
    terminal: &mut Terminal,
) -> Result<Tried, Failure> {
    let before = client.ask(&Call::new(Method::GET, "/core/modules")?).await?.json()?;
    let call = upload(read_component(file, terminal).await?)?.query("factory", factory);
    let installed = client.ask(&call).await?.json()?;
    let digest = text(&installed, "digest").to_owned();
    let link = format!("/core/modules/{digest}");
    let was_there = before.get("documentLinks").and_then(Value::as_array).is_some_and(|all| all.contains(&json!(link)));
    Ok(Tried { digest, was_there })
}

fn upload(component: Bytes) -> Result<Call, Failure> {
    Ok(Call::new(Method::POST, "/core/modules")?.bytes(component, "application/wasm"))
}

/// What answers after a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deployed {
    /// The path at which it answers.
    pub(super) factory: String,
    /// The digest of the module.
    pub(super) digest: String,
    /// The revision of the factory.
    pub(super) revision: u64,
    /// False: it answered there before.
    pub(super) is_new: bool,
}

/// Deploys a module without a question, at its own path.
///
/// # Errors
/// A failure if the host refuses the module or the change; nothing has changed then.
pub(super) async fn at_once(module: Bytes, client: &Client) -> Result<Deployed, Failure> {
    let installed = client.ask(&upload(module)?).await?.json()?;
    let plan = plan(&installed)?;
    if let Some(refusal) = plan.refusal {
        return Err(refusal);
    }
    let is_new = plan.change != Change::Nothing;
    let revision = if is_new {
        let answer = client.ask(&activation("", &installed, &plan)?).await?.json()?;
        answer.get("revision").and_then(Value::as_u64)
    } else {
        plan.from
    };
    let digest = text(&installed, "digest").to_owned();
    Ok(Deployed { factory: plan.factory, digest, revision: revision.unwrap_or_default(), is_new })
}

async fn read_component(file: &str, terminal: &mut Terminal) -> Result<Bytes, Failure> {
    if std::path::Path::new(file).is_dir() {
        return Ok(Bytes::from(build::build(file.as_ref(), terminal).await?.component));
    }
    if file != "-" && Language::of_file(file).is_some() {
        return Ok(script(file.as_ref())?.module().into());
    }
    let bytes = reading::bytes(file).map_err(|failure| match failure.code == "unreadable" {
        true => failure.hint("name a .wasm file, or - for standard input"),
        false => failure,
    })?;
    if !bytes.starts_with(b"\0asm") {
        return Err(Failure::new(Exit::Guest, "module-not-wasm", format!("{file} is not a WebAssembly file"))
            .hint("build one: steward build"));
    }
    Ok(Bytes::from(bytes))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn plan(installed: &Value) -> Result<Plan, Failure> {
    let plan = installed.get("plan").unwrap_or(&Value::Null);
    let change = match text(plan, "change") {
        "create" => Change::Create,
        "update" => Change::Update,
        "none" => Change::Nothing,
        other => {
            return Err(Failure::new(
                Exit::Failed,
                "unexpected-answer",
                format!("the host plans an unknown change {other:?}"),
            )
            .hint("compare versions: steward --version, steward status"));
        }
    };
    let revision = |end: &Value| end.as_u64().or_else(|| end.get("revision").and_then(Value::as_u64));
    Ok(Plan {
        factory: text(plan, "factory").to_owned(),
        change,
        detail: detail(installed, plan),
        from: plan.get("from").and_then(revision),
        no_way_back: plan.get("noWayBack").and_then(Value::as_bool).unwrap_or(false),
        left_out: plan.get("leftOut").map(words).unwrap_or_default(),
        volatile: text(plan, "lane") == "volatile" && !is_stateless(installed),
        refusal: plan.get("refusal").filter(|refusal| !refusal.is_null()).map(planned_refusal),
    })
}

fn words(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn is_stateless(installed: &Value) -> bool {
    example::lists(installed, "/descriptor/options", "STATELESS")
}

/// Says in a line what happens to code, state and documents.
fn detail(installed: &Value, plan: &Value) -> String {
    let mut parts = Vec::new();
    let before = plan.get("from").map(|from| text(from, "version")).unwrap_or_default();
    let after = text(installed, "version");
    let is_new = !before.is_empty() && before != after;
    parts.push(if is_new { format!("{before} → {after}") } else { after.to_owned() });
    let digests = (plan.get("from").map(|from| text(from, "digest")).unwrap_or_default(), text(installed, "digest"));
    if !digests.0.is_empty() && digests.0 != digests.1 {
        let same = plan.get("sameDescriptor") == Some(&Value::Bool(true));
        let what = if same { "same descriptor, other code:" } else { "code" };
        parts.push(format!("{what} {} → {}", short_digest(digests.0), short_digest(digests.1)));
    }
    let versions = plan.get("stateVersions").and_then(Value::as_array);
    let versions: Vec<_> = versions.into_iter().flatten().filter_map(Value::as_u64).map(|v| format!("v{v}")).collect();
    if !versions.is_empty() {
        parts.push(format!("state {}", versions.join(" → ")));
    }
    if let Some(documents) = plan.get("documents").and_then(Value::as_u64) {
        parts.push(format!("{} {}", thousands(documents), if documents == 1 { "document" } else { "documents" }));
    }
    parts.join("   ")
}

fn planned_refusal(refusal: &Value) -> Failure {
    let own = |key: &str| Some(text(refusal, key)).filter(|text| !text.is_empty());
    let message = refusal.as_str().or(own("detail")).or(own("message")).unwrap_or("the host would refuse this");
    let code = own("code").unwrap_or("deploy-breaking-state");
    let mut failure = Failure::new(Exit::Conflict, code, message);
    failure.hints = match refusal.get("hints").and_then(Value::as_array) {
        Some(hints) => hints.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        None => vec![
            "let the module read the stored state: list its version in readsStateVersions and export migrate"
                .to_owned(),
            "or keep both: steward deploy FILE.wasm --factory /core/another".to_owned(),
        ],
    };
    failure
}

fn show_plan(installed: &Value, plan: &Plan, terminal: &mut Terminal) {
    if terminal.format == Format::Json {
        let refusal = plan.refusal.as_ref().map(Failure::as_json);
        return terminal.print_json(&json!({
            "type": "deploy.plan", "schema": 1, "module": installed.get("name"), "version": installed.get("version"),
            "digest": installed.get("digest"), "size": installed.get("size"), "imports": installed.get("imports"),
            "factories": [{"path": plan.factory, "change": plan.change.as_str(), "detail": plan.detail,
                           "revision": plan.from, "volatile": plan.volatile, "noWayBack": plan.no_way_back, "leftOut": plan.left_out,
                           "refusal": refusal}],
        }));
    }
    let size = installed.get("size").and_then(Value::as_u64).map(show_size).unwrap_or_default();
    let digest = short_digest(text(installed, "digest"));
    terminal.say(&format!(
        "module   {} {}   {size}   sha256:{digest}…",
        one_line(text(installed, "name")),
        one_line(text(installed, "version"))
    ));
    let imports = installed.get("imports").map(words).unwrap_or_default();
    if !imports.is_empty() {
        terminal.say_listed("imports", &imports);
    }
    terminal.say("");
    let mut table = Table::new(["factory", "change", "detail"]);
    table.row(vec![plan.factory.clone(), plan.change.as_str().to_owned(), plan.detail.clone()]);
    if !terminal.quiet {
        terminal.print_table(&table);
    }
    if plan.no_way_back {
        terminal.say("no way back: once this module has written a state, a rollback is refused, for the one of now cannot read it");
    }
    if !plan.left_out.is_empty() {
        let fields = one_line(&plan.left_out.join(", "));
        terminal.say(&format!(
            "left out: states have no {fields} any more; a document loses what it has there at its next update, unless the module \
             raises its state version and a migration carries it over"
        ));
    }
    if let Some(refusal) = &plan.refusal {
        terminal.say(&format!("refused: {}", one_line(&refusal.message)));
    }
    if plan.volatile {
        terminal.say(&format!(
            "note: documents of {} live in memory and are gone when the node ends: the options have no PERSISTENCE",
            plan.factory
        ));
    }
}

async fn activate(
    args: &Args,
    installed: &Value,
    plan: &Plan,
    client: &Client,
    terminal: &mut Terminal,
) -> Result<Option<u64>, Failure> {
    let bar = progress::waiting("activate");
    let call = activation(&args.message, installed, plan)?;
    let answer = progress::watch(terminal, &bar, client.ask(&call)).await?.json()?;
    Ok(answer.get("revision").and_then(Value::as_u64))
}

/// Returns the request that makes a module answer.
fn activation(message: &str, installed: &Value, plan: &Plan) -> Result<Call, Failure> {
    let mut body = json!({"moduleDigest": installed.get("digest"), "message": message});
    let call = match plan.from {
        Some(revision) => {
            body["expectedRevision"] = json!(revision);
            Call::new(Method::PATCH, &format!("/core/factories{}", plan.factory))?
        }
        None => {
            body["documentSelfLink"] = json!(plan.factory);
            Call::new(Method::POST, "/core/factories")?
        }
    };
    Ok(call.json(&body))
}

fn show_result(installed: &Value, plan: &Plan, revision: Option<u64>, terminal: &mut Terminal) {
    let name = text(installed, "name");
    if terminal.format == Format::Json {
        return terminal.print_json(&json!({
            "type": "deploy.result", "schema": 1, "module": name, "version": installed.get("version"),
            "digest": installed.get("digest"), "revision": revision, "previous": plan.from,
            "factories": [{"path": plan.factory, "change": plan.change.as_str()}],
        }));
    }
    if terminal.quiet {
        return terminal.print(&plan.factory);
    }
    let revision = revision.map_or_else(String::new, |number| format!("revision {number} "));
    if plan.change == Change::Nothing {
        return terminal
            .print(format!("Nothing to do: {} runs this module already as {revision}", plan.factory).trim_end());
    }
    terminal.print(&format!("Deployed {revision}of {name} at {}", plan.factory));
    terminal.hint("try: ", &example::first_command(installed, &plan.factory));
    if plan.change == Change::Update && !plan.no_way_back {
        terminal.hint("undo:", &format!("steward rollback {}", plan.factory));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_says_what_happens_to_code_and_state() {
        let installed = json!({"version": "0.3.0", "plan": {
            "factory": "/core/counters", "change": "update", "from": {"revision": 7, "version": "0.2.4"},
            "stateVersions": [2, 3], "documents": 1204, "refusal": null,
        }});
        let plan = plan(&installed).expect("a plan");
        assert_eq!((plan.change, plan.from, plan.refusal), (Change::Update, Some(7), None));
        assert_eq!(plan.detail, "0.2.4 → 0.3.0   state v2 → v3   1,204 documents");
    }

    #[test]
    fn a_plan_that_changes_only_code_says_so() {
        let installed = |same: bool| {
            json!({"version": "1", "digest": "bbbbbbbbbbbbbbbb", "plan": {
                "change": "update", "sameDescriptor": same, "from": {"version": "1", "digest": "aaaaaaaaaaaaaaaa"},
            }})
        };
        let detail = |same| plan(&installed(same)).expect("a plan").detail;
        assert_eq!(detail(true), "1   same descriptor, other code: aaaaaaaaaaaa → bbbbbbbbbbbb");
        assert_eq!(detail(false), "1   code aaaaaaaaaaaa → bbbbbbbbbbbb");
    }

    #[test]
    fn refusal_in_the_plan_is_a_conflict() {
        let refusal = planned_refusal(&json!({"code": "deploy-breaking-state", "detail": "cannot read v1"}));
        assert_eq!((refusal.exit, refusal.message.as_str()), (Exit::Conflict, "cannot read v1"));
        assert_eq!(planned_refusal(&json!("no")).message, "no");
    }

    #[tokio::test]
    async fn file_that_is_no_wasm_is_refused_before_it_is_sent() {
        let mut terminal = Terminal::of_process(steward_model::Timestamp(0));
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "hello").expect("a written file");
        let path = file.path().to_str().expect("UTF-8");
        let refused = read_component(path, &mut terminal).await.expect_err("must be refused");
        assert_eq!((refused.exit, refused.code.as_str()), (Exit::Guest, "module-not-wasm"));
        let missing = read_component("/nowhere.wasm", &mut terminal).await.expect_err("is not there");
        assert_eq!(missing.exit, Exit::Usage);
    }
}
