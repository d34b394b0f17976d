//! Every kept input of every target, once and without a fuzzer: what was mended stays mended.

use std::path::{Path, PathBuf};

use steward_fuzz::TARGETS;

/// Most bytes of all kept inputs: they are read by people, and each is there for a reason.
const KEPT_BYTES_MAX: u64 = 300 * 1024;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Returns the entries of a folder, in the order of their names.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn kept(name: &str) {
    let target = steward_fuzz::target(name).expect("a target");
    let inputs = entries(&corpus().join(name));
    assert!(!inputs.is_empty(), "{name} has no kept input");
    for input in inputs {
        // A test that fails shows what it has printed: the last line names the input.
        println!("{}", input.display());
        (target.check)(&std::fs::read(&input).expect("readable"));
    }
}

#[test]
fn heads_of_requests_keep_their_promise() {
    kept("request_heads");
}

#[test]
fn frames_of_peers_keep_their_promise() {
    kept("peer_frames");
}

#[test]
fn links_keep_their_promise() {
    kept("links");
}

#[test]
fn filters_keep_their_promise() {
    kept("filters");
}

#[test]
fn query_specs_keep_their_promise() {
    kept("query_specs");
}

#[test]
fn keys_keep_their_promise() {
    kept("keys");
}

#[test]
fn frames_keep_their_promise() {
    kept("frames");
}

#[test]
fn descriptors_keep_their_promise() {
    kept("descriptors");
}

#[test]
fn modules_keep_their_promise() {
    kept("modules");
}

#[test]
fn each_target_has_its_folder_and_all_of_them_are_small() {
    let folders = entries(&corpus());
    let mut names: Vec<&str> = folders.iter().filter_map(|folder| folder.file_name()?.to_str()).collect();
    let mut targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    names.sort_unstable();
    targets.sort_unstable();
    assert_eq!(names, targets);
    let sizes = folders.iter().flat_map(|folder| entries(folder)).map(|input| input.metadata().expect("a file").len());
    let bytes: u64 = sizes.sum();
    assert!(bytes <= KEPT_BYTES_MAX, "{bytes} bytes are kept, {KEPT_BYTES_MAX} are allowed");
}
