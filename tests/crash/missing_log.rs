//! Files of the commit log are gone: the host does not start with less than was acknowledged, but refuses and names
//! what is missing. When the files are back, it goes on.

use std::path::{Path, PathBuf};

use serde_json::json;
use steward_tests::host::Host;

use crate::host_with;

/// Returns the folder of the commit log.
fn log_folder(host: &Host) -> PathBuf {
    let entries = std::fs::read_dir(host.data()).expect("the data folder can be read").flatten();
    let mut folders = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
    let is_log = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log-"));
    folders.find(is_log).expect("there is a log")
}

/// Returns the files of the log, oldest first.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the log can be read").flatten();
    let files = entries.map(|entry| entry.path());
    let mut segments: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect();
    segments.sort();
    segments
}

fn refuses(host: &mut Host, words: &str) {
    let refused = tokio::task::block_in_place(|| host.restart()).expect_err("files are missing");
    let text = format!("{refused:#}");
    assert!(text.contains("is missing") && text.contains(words), "{text}");
}

fn goes_on(host: &mut Host) {
    tokio::task::block_in_place(|| host.restart()).expect("nothing is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_which_files_are_gone_is_refused_by_name() {
    let mut host = host_with(&["counter"], &[]).await;
    host.client().post("/core/counters", &json!({ "documentSelfLink": "kept" })).await.expect(201);
    host.kill();
    let folder = log_folder(&host);
    let aside = folder.with_extension("aside");
    let name = folder.file_name().expect("it has a name").to_string_lossy().into_owned();

    std::fs::rename(&folder, &aside).expect("the folder can be moved");
    refuses(&mut host, &name);
    let (state, state_aside) = (host.data().join("state"), host.data().join("state.aside"));
    std::fs::rename(&state, &state_aside).expect("the folder can be moved");
    refuses(&mut host, &name);
    std::fs::remove_dir_all(&state).expect("the refused start leaves at most an empty one");
    std::fs::rename(&state_aside, &state).expect("the folder can be moved back");
    std::fs::remove_dir_all(&folder).expect("the refused start leaves at most an empty one");
    std::fs::rename(&aside, &folder).expect("the folder can be moved back");

    let all = segments(&folder);
    for segment in [all.first(), all.last()].into_iter().flatten() {
        let moved = segment.with_extension("aside");
        std::fs::rename(segment, &moved).expect("the file can be moved");
        let number = segment.file_stem().expect("it has a name").to_string_lossy().into_owned();
        refuses(&mut host, &number);
        std::fs::rename(&moved, segment).expect("the file can be moved back");
    }

    goes_on(&mut host);
    host.client().get("/core/counters/kept").await.expect(200);
    host.client().post("/core/counters", &json!({ "documentSelfLink": "new" })).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_gone_with_everything_that_names_its_files_is_refused_all_the_same() {
    let mut host = host_with(&["counter"], &[]).await;
    host.client().post("/core/counters", &json!({ "documentSelfLink": "kept" })).await.expect(201);
    host.kill();
    let folder = log_folder(&host);
    let name = folder.file_name().expect("it has a name").to_string_lossy().into_owned();
    let kept = tempfile::tempdir().expect("a temporary folder");
    let gone = [name.clone(), format!("{name}.segments"), "state".to_owned(), "system".to_owned()];
    // What `rm -rf log-*` takes, and more and more besides it.
    for count in 2..=gone.len() {
        for name in &gone[..count] {
            std::fs::rename(host.data().join(name), kept.path().join(name)).expect("it can be moved");
        }
        refuses(&mut host, &name);
        for name in &gone[..count] {
            assert!(!host.data().join(name).exists(), "{name}: a refused start makes nothing in its place");
            std::fs::rename(kept.path().join(name), host.data().join(name)).expect("it can be moved back");
        }
    }
    goes_on(&mut host);
    host.client().get("/core/counters/kept").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_group_that_forgot_what_the_log_remembers_is_refused() {
    let mut host = host_with(&["counter"], &[]).await;
    host.client().post("/core/counters", &json!({ "documentSelfLink": "kept" })).await.expect(201);
    host.kill();
    let (system, aside) = (host.data().join("system"), host.data().join("system.aside"));
    std::fs::rename(&system, &aside).expect("the folder can be moved");
    let refused = tokio::task::block_in_place(|| host.restart()).expect_err("the system group is another one");
    assert!(format!("{refused:#}").contains("`system` is older than the log, or was lost"), "{refused:#}");
    std::fs::remove_dir_all(&system).expect("what the refused start made");
    std::fs::rename(&aside, &system).expect("the folder can be moved back");
    goes_on(&mut host);
    host.client().get("/core/counters/kept").await.expect(200);
}
