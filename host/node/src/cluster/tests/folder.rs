//! Folders that belong to somebody else, or are not what was written.

use std::fs;

use steward_model::node::{HostId, StoreId};
use tempfile::TempDir;

use super::super::{identity, snapshot};
use super::{Bootstrap, Error, bootstrap, incarnation, refused, start, started};

#[tokio::test]
async fn folder_of_another_host_or_store_is_refused_before_anything_is_changed() {
    let folder = TempDir::new().expect("a folder");
    started(folder.path()).await.control.stop().await;
    let host = HostId::parse("another").expect("a valid host id");
    let strangers =
        [Bootstrap { host, ..bootstrap(folder.path()) }, Bootstrap { store: StoreId(9), ..bootstrap(folder.path()) }];
    for stranger in strangers {
        let refused = start(stranger).await.err().expect("it should not start");
        assert!(refused.to_string().contains("--id hostAtPort8000"), "{refused}");
    }
    let again = started(folder.path()).await;
    assert_eq!(again.boot.0, 2, "refused starts are not counted");
    again.control.stop().await;
}

#[tokio::test]
async fn folder_without_its_identity_is_not_taken_for_an_empty_one() {
    let folder = TempDir::new().expect("a folder");
    started(folder.path()).await.control.stop().await;
    fs::remove_file(folder.path().join("system/current")).expect("removed");
    let refused = refused(folder.path()).await;
    assert!(matches!(refused, Error::Identity(identity::Error::Missing { .. })), "{refused}");
}

#[tokio::test]
async fn start_that_was_killed_after_its_first_file_is_completed_under_the_same_ids() {
    let folder = TempDir::new().expect("a folder");
    let first = started(folder.path()).await;
    first.control.stop().await;
    fs::remove_dir_all(incarnation(folder.path())).expect("removed");
    let again = started(folder.path()).await;
    assert_eq!((again.control.state().group_id(), again.boot.0), (first.control.state().group_id(), 1));
    again.control.stop().await;
}

#[tokio::test]
async fn damaged_identity_and_damaged_snapshot_are_refused_by_name() {
    let folder = TempDir::new().expect("a folder");
    started(folder.path()).await.control.stop().await;
    let snapshot = incarnation(folder.path()).join("snapshot");
    for damaged in ["", "STSYSN01", "STSYSN01 and then something that nobody has written so far"] {
        fs::write(&snapshot, damaged).expect("written");
        let refused = refused(folder.path()).await;
        assert!(matches!(refused, Error::Snapshot(snapshot::Error::Damaged { .. })), "{refused}");
    }
    fs::write(folder.path().join("system/current"), "{}").expect("written");
    let refused = refused(folder.path()).await;
    assert!(matches!(refused, Error::Identity(identity::Error::Damaged { .. })), "{refused}");
}
