//! openraft's own examination of log stores and state machines.

use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::super::snapshot::Snapshots;
use super::super::state_machine::StateMachine;
use super::super::store::Store;
use super::super::types::TypeConfig;

struct OnFolders;

impl StoreBuilder<TypeConfig, Store, StateMachine, TempDir> for OnFolders {
    async fn build(&self) -> Result<(TempDir, Store, StateMachine), StorageError<u64>> {
        let folder = TempDir::new().expect("a folder");
        let store = Store::open(&folder.path().join("log"), 7).expect("a log");
        let snapshots = Arc::new(Snapshots::open(folder.path()).expect("a snapshot"));
        Ok((folder, store, StateMachine::open(snapshots).expect("a state")))
    }
}

#[test]
fn log_and_state_machine_are_what_openraft_demands() {
    Suite::test_all(OnFolders).expect("openraft is content");
}
