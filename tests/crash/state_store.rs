//! The state store is lost or damaged: the host makes it anew out of the commit log, and nothing acknowledged is
//! missing.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::host::Host;

use crate::{Random, host_with};

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

/// Returns the files below a folder that hold something, the largest first.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the state store").flatten() {
            let metadata = entry.metadata().expect("a file of the state store");
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.len() > 0 {
                found.push((std::cmp::Reverse(metadata.len()), entry.path()));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
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
    let path = files(&host.data().join("state")).remove(0);
    let mut file = std::fs::File::options().write(true).open(path).expect("a file of the state store");
    file.seek(SeekFrom::Start(200)).and_then(|_| file.write_all(&[0xa5; 4000])).expect("the file can be damaged");
    drop(file);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    check(&host, &states).await;
}

/// Damages a file of the state store: cuts it at `at` thousandths of its length, or overwrites a stretch from there.
fn damage(path: &Path, at: u64, cuts: bool) {
    let mut file = std::fs::File::options().write(true).open(path).expect("a file of the state store");
    let bytes = file.metadata().expect("a file has a length").len();
    let place = bytes * at / 1000;
    if cuts {
        file.set_len(place).expect("the file can be cut");
        return;
    }
    let stretch = (bytes - place).min(600) as usize;
    file.seek(SeekFrom::Start(place))
        .and_then(|_| file.write_all(&vec![0xa5; stretch]))
        .expect("the file can be damaged");
}

/// The engine panics at some contents and refuses others; none may keep the host from starting.
#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_file_of_the_state_store_is_torn_the_host_starts_and_nothing_is_lost() {
    let mut host = host_with(&["counter"], &[]).await;
    let states = fill(host.client()).await;
    let mut random = Random::new(7);
    for round in 0..24 {
        host.kill();
        let files = files(&host.data().join("state"));
        let path = &files[random.below(files.len() as u64) as usize];
        let (at, cuts) = (random.below(1000), random.below(2) == 0);
        damage(path, at, cuts);
        let how = if cuts { "cut" } else { "overwritten" };
        tokio::task::block_in_place(|| host.restart())
            .unwrap_or_else(|error| panic!("round {round}: {} {how} at {at}/1000: {error:#}", path.display()));
        check(&host, &states).await;
    }
}
