//! Compiled code on disk: found again, and never loaded if it is not what was written.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use steward_sandbox::{Config, Error, Module, Sandbox};

use crate::guest::{ECHO, Guest};
use crate::node::{config, patch};

fn sandbox(folder: &Path) -> Sandbox {
    Sandbox::new(Config { cache_folder: Some(folder.to_owned()), ..config() }).expect("a sandbox")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
}

async fn assert_works(module: &Module) {
    assert!(patch(module, "{}").await.is_ok());
}

#[tokio::test]
async fn compiled_code_is_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, component) = (folder.path().join("code"), Guest::patch(ECHO).component());
    let module = sandbox(&folder).prepare(&component).expect("a module");
    let [file] = files(&folder).try_into().expect("one file");
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(name.starts_with(&module.digest().to_string()) && name.ends_with(".cwasm"), "{name}");
    // A file that is written again is another one, put in its place.
    let written = fs::metadata(&file).expect("a file").ino();
    assert_works(&sandbox(&folder).prepare(&component).expect("a module")).await;
    assert_eq!(fs::metadata(&file).expect("a file").ino(), written, "not written again");
}

#[tokio::test]
async fn a_torn_file_is_compiled_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let component = Guest::patch(ECHO).component();
    sandbox(folder.path()).prepare(&component).expect("a module");
    let [file] = files(folder.path()).try_into().expect("one file");
    let whole = fs::read(&file).expect("the file");
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    for damaged in [&whole[..whole.len() / 2], &[], &altered] {
        fs::write(&file, damaged).expect("a damaged file");
        assert_works(&sandbox(folder.path()).prepare(&component).expect("a module")).await;
        assert!(fs::read(&file).expect("the file") != damaged, "the file has been replaced");
    }
}

#[tokio::test]
async fn nodes_may_share_a_folder_that_is_theirs_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ours, component) = (folder.path().join("code"), Guest::patch(ECHO).component());
    let (one, other) = (sandbox(&ours), sandbox(&ours));
    std::thread::scope(|scope| {
        for sandbox in [&one, &other, &one] {
            scope.spawn(|| sandbox.prepare(&component).expect("a module"));
        }
    });
    assert_eq!(files(&ours).len(), 1, "one file for one component, whoever was first");
    for mode in [0o770, 0o707] {
        fs::set_permissions(&ours, fs::Permissions::from_mode(mode)).expect("permissions are set");
        let Err(refused) = Sandbox::new(Config { cache_folder: Some(ours.clone()), ..config() }) else {
            panic!("others may write there with the mode {mode:o}");
        };
        assert!(matches!(refused, Error::CacheNotPrivate { .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_only_costs_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let lost = folder.path().join("code");
    let sandbox = sandbox(&lost);
    fs::remove_dir_all(&lost).expect("the folder goes away");
    assert_works(&sandbox.prepare(&Guest::patch(ECHO).component()).expect("a module")).await;
}
