//! The state store is lost or damaged: the host makes it anew out of the commit log, and nothing acknowledged is
//! missing.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::host::Host;

use crate::host_with;

const COUNTERS: u64 = 40;

async fn fill(client: &Client) -> Vec<Value> {
    let mut states = Vec::new();
    for n in 0..COUNTERS {
        let link = format!("c{n:02}");
        client.post("/core/counters", &json!({ "documentSelfLink": link, "step": n + 1 })).await.expect(201);
        for _ in 0..3 {
            client.patch(&format!("/core/counters/{link}"), &json!({})).await.expect(200);
        }
        states.push(client.get(&format!("/core/counters/{link}")).await.expect(200).json());
    }
    states
}

async fn check(host: &Host, states: &[Value]) {
    for state in states {
        let link = state["documentSelfLink"].as_str().expect("a link");
        assert_eq!(host.client().get(link).await.expect(200).json(), *state);
        let old = host.client().get(&format!("{link}?documentVersion=1")).await.expect(200).json();
        assert_eq!(old["documentVersion"], 1);
    }
    let listed = host.client().get("/core/counters").await.expect(200).json();
    assert_eq!(listed["documentCount"], COUNTERS);
    let partitions = host.client().get("/core/partitions?verify=true").await.expect(200).json();
    assert_eq!(partitions["digestsAgree"], true);
}

/// Returns the largest file below a folder.
fn largest(folder: &Path) -> Option<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut found: Option<(u64, PathBuf)> = None;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if found.as_ref().is_none_or(|(bytes, _)| metadata.len() > *bytes) {
                found = Some((metadata.len(), entry.path()));
            }
        }
    }
    found.map(|(_, path)| path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_state_store_is_made_anew_out_of_the_log() {
    let mut host = host_with(&["counter"], &[]).await;
    let states = fill(host.client()).await;
    host.kill();
    std::fs::remove_dir_all(host.data().join("state")).expect("the state store can be removed");
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    check(&host, &states).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_store_is_put_aside_or_repaired() {
    let mut host = host_with(&["counter"], &[]).await;
    let states = fill(host.client()).await;
    host.kill();
    let path = largest(&host.data().join("state")).expect("the state store has files");
    let mut file = std::fs::File::options().write(true).open(path).expect("a file of the state store");
    file.seek(SeekFrom::Start(200)).and_then(|_| file.write_all(&[0xa5; 4000])).expect("the file can be damaged");
    drop(file);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    check(&host, &states).await;
}
