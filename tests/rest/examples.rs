//! The examples in the help of every command are typed as they stand, against a host that has what the demo has.

use std::process::{Command, Output, Stdio};

use serde_json::json;
use steward_tests::build;

use crate::{component, host_with_flags};

/// Commands whose examples have other tests, or need what a test must not do.
const ELSEWHERE: [&str; 7] = ["start", "stop", "new", "build", "test", "dev", "log"];

/// What an example may need that a machine, or this host, does not have, or that would leave too little for the next.
const NEEDS: [&str; 11] = [
    "counter.ts",
    "xargs",
    "quorum 2",
    "10.0.0.",
    "> ~/",
    "> \"$",
    "> /usr",
    "man -l",
    "edit ",
    "nodes remove",
    "9f2c81aa",
];

/// How an example may end besides well, because of what it finds: nothing left to change, changes that a check found, a precondition.
const ENDS_OTHERWISE: [(&str, i32); 5] =
    [("--if-match", 6), ("--check", 20), ("rollback", 5), ("rollback", 6), ("doctor", 1)];

fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// Returns the examples in the help of a command, without what is said beside them.
fn examples(help: &str) -> Vec<String> {
    let behind = help.split_once("Examples:\n").map_or("", |(_, behind)| behind);
    let lines = behind.lines().take_while(|line| line.starts_with("  "));
    lines.map(|line| line.trim().split("   ").next().unwrap_or_default().to_owned()).collect()
}

fn steward(words: &[&str]) -> Output {
    Command::new(build::steward().expect("steward builds")).args(words).output().expect("steward runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_in_the_help_works() {
    let host = host_with_flags(&["counter", "examples"], &["--record-requests"]).await;
    let client = host.client();
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("counter.wasm"), component("counter").await).expect("written");
    std::fs::write(folder.path().join("counter.json"), "{\"step\":2}").expect("written");
    std::fs::write(folder.path().join("clicks.json"), "{\"step\":2}").expect("written");
    std::fs::write(folder.path().join("node.toml"), "port = 8001\n").expect("written");
    let binary = build::steward().expect("steward builds");
    let path =
        format!("{}:{}", binary.parent().expect("a folder").display(), std::env::var("PATH").unwrap_or_default());
    let listed = String::from_utf8(steward(&["--help"]).stdout).expect("text");
    let commands: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let commands = commands
        .iter()
        .filter_map(|line| line.split("  ").next())
        .filter(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()) && !ELSEWHERE.contains(word));
    // What takes something away comes last.
    let mut commands: Vec<&str> = commands.collect();
    commands.sort_by_key(|command| ["delete", "undeploy"].contains(command));
    let (mut ran, mut failed) = (0, Vec::new());
    for command in commands {
        for example in examples(&String::from_utf8(steward(&[command, "--help"]).stdout).expect("text")) {
            let lacks_jq = example.contains("jq") && !has("jq");
            if lacks_jq
                || NEEDS.iter().any(|need| example.contains(need))
                || ["steward deploy .", "steward inspect ."].contains(&example.as_str())
            {
                continue;
            }
            // As the demo leaves it, whatever the example before did.
            let back = [("pragma", "xn-force-index-update"), ("content-type", "application/json")];
            client.delete("/core/factories/core/counters-v2").await;
            if client.get("/core/counters").await.status != 200 {
                client.deploy(&component("counter").await, None).await;
            }
            let clicks = json!({ "documentSelfLink": "clicks" }).to_string();
            let _there = client.send(http::Method::POST, "/core/counters", &back, clicks).await.expect("an answer");
            for _ in 0..4 {
                client.patch("/core/counters/clicks", &json!({})).await.expect(200);
            }
            let mut shell = Command::new("sh");
            shell.args(["-c", &example]).env("PATH", &path).env("STEWARD_YES", "1").env("STEWARD_URL", client.base());
            shell.current_dir(folder.path()).stdin(Stdio::null());
            let output = tokio::task::spawn_blocking(move || shell.output()).await.expect("no panic").expect("sh runs");
            let code = output.status.code().unwrap_or(-1);
            ran += 1;
            if code != 0 && !ENDS_OTHERWISE.iter().any(|(part, end)| example.contains(part) && code == *end) {
                failed.push(format!("{example}: {code}\n{}", String::from_utf8_lossy(&output.stderr)));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(ran > 30, "only {ran} examples were found");
}
