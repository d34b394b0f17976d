//! What `steward log` shows of the folder of a killed host: every acknowledged update is there, nothing in the folder
//! is changed, and a running host is left alone.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use steward_tests::build;
use steward_tests::host::Host;

use crate::host_with;

fn steward_log(host: &Host, flags: &[&str]) -> Output {
    let mut command = Command::new(build::steward().expect("the host is built"));
    command.arg("log").arg(host.data()).args(flags).env("NO_COLOR", "1");
    command.output().expect("the command runs")
}

/// Returns the objects that the command prints.
fn objects(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect()
}

/// Returns every file below `folder`, with a hash of what it holds.
fn files(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            let bytes = std::fs::read(entry.path()).expect("a file");
            let mut hasher = DefaultHasher::new();
            hasher.write(&bytes);
            found.insert(entry.path(), hasher.finish());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_killed_host_holds_what_was_acknowledged() {
    let mut host = host_with(&["counter"], &[]).await;
    host.client().post("/core/counters", &json!({ "documentSelfLink": "clicks" })).await.expect(201);
    for _ in 0..5 {
        host.client().patch("/core/counters/clicks", &json!({})).await.expect(200);
    }
    let refused = steward_log(&host, &[]);
    assert_eq!(refused.status.code(), Some(8), "a running host is left alone");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another steward uses the folder"));

    host.kill();
    let before = files(&host.data());
    let found = objects(&steward_log(&host, &["--link", "/core/counters/clicks", "-o", "json"]));
    let versions: Vec<u64> = found.iter().filter_map(|object| object["says"]["version"].as_u64()).collect();
    assert_eq!(versions, (0..=5).collect::<Vec<_>>());
    assert!(found.iter().filter(|object| object["type"] == "segment").all(|object| object["state"] != "damaged"));
    let decided = objects(&steward_log(&host, &["--system", "--frames", "-o", "json"]));
    let commands: Vec<&str> = decided.iter().filter_map(|object| object["says"]["command"].as_str()).collect();
    assert!(commands.contains(&"RegisterNode") && commands.contains(&"MountFactory"), "{commands:?}");
    assert_eq!(before, files(&host.data()), "nothing was changed");
    tokio::task::block_in_place(|| host.restart()).expect("the host starts as if nobody had looked");
}
