//! `status`: whether this node is well, which nodes belong to its group, and what is missing.

use std::time::Duration;

use serde_json::{Value, json};
use steward_model::{Epoch, json};

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::nodes;
use super::output::{Format, Terminal};
use super::progress;

/// Pause between two questions whether the node is ready.
const POLL: Duration = Duration::from_millis(200);

/// Shows the node and its group
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code 0 if the node is ready, 8 if it is not.

Examples:
  steward status
  steward status --wait --timeout 30s && echo go
  steward status -o json | jq .ready")]
pub(super) struct Args {
    /// Wait until the node is ready, as long as --timeout allows
    #[arg(long)]
    wait: bool,
}

/// What `/health/ready` says.
#[derive(Debug, Clone, PartialEq)]
struct Ready {
    ready: bool,
    /// Checks that failed, as lines.
    problems: Vec<String>,
}

/// Runs `status`.
///
/// # Errors
/// A failure if there is no answer, or the node is not ready in time.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let ready = if args.wait { wait(client, terminal).await? } else { ready(client).await? };
    let answer = client.send(&Call::get("/core/management")).await?;
    if !ready.ready && !answer.status.is_success() {
        // It waits for its group, and has nothing to tell yet but what for.
        return Ok(told(&ready, terminal));
    }
    let management = answer.accept()?.json()?;
    let group = client.ask(&Call::get("/core/node-groups/default")).await?.json()?;
    if terminal.format == Format::Json {
        terminal.print_json(&json!({
            "type": "status", "schema": 1, "ready": ready.ready, "problems": ready.problems,
            "management": management, "group": group,
        }));
    } else if !terminal.quiet {
        show(&management, &group, &ready, terminal)?;
    }
    Ok(if ready.ready { Exit::Done } else { Exit::NotReady })
}

/// Tells of a node that does not tell of itself yet.
fn told(ready: &Ready, terminal: &mut Terminal) -> Exit {
    if terminal.format == Format::Json {
        terminal.print_json(
            &json!({"type": "status", "schema": 1, "ready": false, "problems": ready.problems, "management": null, "group": null}),
        );
    } else if !terminal.quiet {
        terminal.print("NOT READY");
        ready.problems.iter().for_each(|problem| terminal.print(&format!("problem  {problem}")));
    }
    Exit::NotReady
}

async fn ready(client: &Client) -> Result<Ready, Failure> {
    let answer = client.send(&Call::get("/health/ready").query("verbose", "")).await?;
    let body: Value = json::plain(&answer.body).unwrap_or(Value::Null);
    Ok(Ready { ready: answer.status.is_success(), problems: problems(&body) })
}

/// Reads the failed checks out of an answer: `checks` as a list or a map, or the sentence of a problem document.
fn problems(body: &Value) -> Vec<String> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let failed = |check: &Value| check.get("ok") == Some(&Value::Bool(false));
    let line = |name: &str, check: &Value| {
        format!("{name}: {}", text(check, "detail")).trim_end_matches([':', ' ']).to_owned()
    };
    let listed: Vec<String> = match body.get("checks") {
        Some(Value::Array(checks)) => {
            checks.iter().filter(|check| failed(check)).map(|check| line(&text(check, "name"), check)).collect()
        }
        Some(Value::Object(checks)) => {
            checks.iter().filter(|(_, check)| failed(check)).map(|(name, check)| line(name, check)).collect()
        }
        Some(_) | None => Vec::new(),
    };
    match (listed.is_empty(), body.get("detail").and_then(Value::as_str)) {
        (true, Some(detail)) => vec![detail.to_owned()],
        (true, None) | (false, _) => listed,
    }
}

async fn wait(client: &Client, terminal: &mut Terminal) -> Result<Ready, Failure> {
    let until_ready = async {
        loop {
            match ready(client).await {
                Ok(state) if state.ready => return state,
                // A node that starts does not listen yet; that is what the wait is for.
                Ok(_) | Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    };
    let bar = progress::waiting("wait until ready");
    match tokio::time::timeout(client.timeout(), progress::watch(terminal, &bar, until_ready)).await {
        Ok(state) => Ok(state),
        Err(_) => {
            let state = ready(client).await?;
            let mut failure = Failure::new(Exit::NotReady, "not-ready", format!("{} is not ready", client.host()));
            failure.details = state.problems;
            Err(failure.hint("wait longer: --timeout 2m"))
        }
    }
}

fn show(management: &Value, group: &Value, ready: &Ready, terminal: &mut Terminal) -> Result<(), Failure> {
    let nodes = nodes::of(group)?;
    let available = nodes.iter().filter(|node| nodes::is_available(node)).count();
    let own = management.get("id").and_then(Value::as_str).unwrap_or_default();
    let quorum = nodes.iter().find(|node| node.id == own).or(nodes.first()).and_then(|node| node.membership_quorum);
    let version = management.get("version").and_then(Value::as_str).unwrap_or("–");
    let state = if ready.ready { "ready" } else { "NOT READY" };
    let quorum = quorum.map_or_else(|| "–".to_owned(), |members| members.to_string());
    let epoch = group.get("highestEpoch").and_then(Value::as_u64).map(Epoch::from_u64);
    let epoch = epoch.map_or_else(|| "–".to_owned(), |epoch| epoch.to_string());
    terminal.print_parts(&[
        "group default".to_owned(),
        format!("{available}/{} AVAILABLE", nodes.len()),
        format!("quorum {quorum}"),
        format!("epoch {epoch}"),
        state.to_owned(),
        format!("steward {version}"),
    ]);
    terminal.print("");
    terminal.print_table(&nodes::table(&nodes, own, terminal));
    terminal.say("* answered this request");
    // What a check says of the group the group says too, one problem a line.
    let listed = group.get("problems").and_then(Value::as_array).cloned().unwrap_or_default();
    let listed: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
    let others = ready.problems.iter().filter(|problem| !problem.starts_with("system group:")).map(String::as_str);
    others.chain(listed).for_each(|problem| terminal.print(&format!("problem  {problem}")));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_checks_are_told_in_either_shape() {
        let list =
            json!({"checks": [{"name": "log", "ok": true}, {"name": "quorum", "ok": false, "detail": "1 of 2"}]});
        assert_eq!(problems(&list), ["quorum: 1 of 2"]);
        let map = json!({"checks": {"log": {"ok": true}, "modules": {"ok": false}}});
        assert_eq!(problems(&map), ["modules"]);
        assert_eq!(problems(&json!({"detail": "draining"})), ["draining"]);
        assert!(problems(&Value::Null).is_empty());
    }
}
