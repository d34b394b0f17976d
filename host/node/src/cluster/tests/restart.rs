//! Starting, working, stopping, starting again.

use std::path::Path;

use openraft::storage::RaftLogStorage;
use steward_model::{Boot, Lane, NodeId, PartitionId, Timestamp};
use steward_protocol::cluster::command::Scope;
use steward_protocol::cluster::{Command, Refused};
use tempfile::TempDir;

use super::super::control_log::ProposeError;
use super::super::engine::{ENTRIES_KEPT, SNAPSHOT_EVERY};
use super::{Bootstrap, accept, bootstrap, config, copy, set, start, started, store_in};

#[tokio::test]
async fn an_empty_folder_becomes_a_cluster_of_one() {
    let folder = TempDir::new().expect("a folder");
    let system = started(folder.path()).await;
    let state = system.control.state();
    assert_eq!((system.node, system.boot), (NodeId(1), Boot(1)));
    let row = state.row(PartitionId::all(Lane::Volatile).next().expect("a partition")).expect("a row").clone();
    assert_eq!((row.primary.node, row.primary.boot), (system.node, system.boot));
    assert_eq!(state.quorum().value, 1);
    system.control.stop().await;
}

#[tokio::test]
async fn restart_keeps_the_state_and_counts_the_boot() {
    let folder = TempDir::new().expect("a folder");
    let first = started(folder.path()).await;
    accept(&first, set("limit", "7")).await;
    first.control.stop().await;
    let again = started(folder.path()).await;
    assert_eq!((again.node, again.boot), (first.node, Boot(2)));
    assert_eq!(again.control.state().group_id(), first.control.state().group_id());
    assert_eq!(config(&again, "limit").as_deref(), Some("7"));
    let partition = PartitionId::all(Lane::Persisted).next().expect("a partition");
    let epoch = |system: &super::System| system.control.state().row(partition).expect("a row").epoch;
    assert_eq!(epoch(&again), epoch(&first).next_ownership());
    again.control.stop().await;
}

#[tokio::test]
async fn answered_command_is_in_the_state_and_wakes_watchers() {
    let folder = TempDir::new().expect("a folder");
    let system = started(folder.path()).await;
    let mut watch = system.control.watch();
    watch.mark_unchanged();
    accept(&system, set("limit", "7")).await;
    assert_eq!(config(&system, "limit").as_deref(), Some("7"));
    watch.changed().await.expect("the group lives");
    assert_eq!(watch.borrow().config("limit"), Some("7"));
    system.control.stop().await;
}

#[tokio::test]
async fn refusal_reaches_the_proposer_and_changes_nothing() {
    let folder = TempDir::new().expect("a folder");
    let system = started(folder.path()).await;
    let before = system.control.state();
    let zero = Command::SetQuorum { value: Some(0), scope: Scope::Group, at: Timestamp(1) };
    assert_eq!(system.control.propose(zero).await, Err(ProposeError::Refused(Refused::QuorumZero)));
    assert_eq!(system.control.state(), before);
    let refused = system.control.propose(set("limit", &"x".repeat(2 << 20))).await;
    assert!(matches!(refused, Err(ProposeError::TooLarge { .. })), "{refused:?}");
    accept(&system, set("limit", "7")).await;
    system.control.stop().await;
}

#[tokio::test]
async fn stopped_group_takes_no_commands_and_still_tells_its_state() {
    let folder = TempDir::new().expect("a folder");
    let system = started(folder.path()).await;
    accept(&system, set("limit", "7")).await;
    system.control.stop().await;
    assert_eq!(system.control.propose(set("limit", "8")).await, Err(ProposeError::Closed));
    assert_eq!(config(&system, "limit").as_deref(), Some("7"));
}

#[tokio::test]
async fn quorum_given_at_start_is_pinned() {
    let folder = TempDir::new().expect("a folder");
    let system = start(Bootstrap { quorum: Some(3), ..bootstrap(folder.path()) }).await.expect("a start");
    let quorum = system.control.state().quorum();
    assert_eq!((quorum.value, quorum.pinned), (3, true));
    system.control.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_snapshot_the_log_is_short_and_a_restart_finds_everything() {
    let folder = TempDir::new().expect("a folder");
    let system = started(folder.path()).await;
    let commands: Vec<Command> = (0..SNAPSHOT_EVERY + 100).map(|number| set(&format!("key{number}"), "v")).collect();
    // A few at a time: how long a decision may take does not depend on how many others wait for theirs.
    for some in commands.chunks(100) {
        let proposals = some.iter().map(|command| system.control.propose(command.clone()));
        for outcome in futures_util::future::join_all(proposals).await {
            outcome.expect("accepted");
        }
    }
    while purged_on_disk(folder.path()).await + ENTRIES_KEPT + 1 < SNAPSHOT_EVERY {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    system.control.stop().await;
    let again = started(folder.path()).await;
    assert_eq!(again.boot, Boot(2));
    let found = again.control.state();
    for number in 0..SNAPSHOT_EVERY + 100 {
        assert_eq!(found.config(&format!("key{number}")), Some("v"), "key{number}");
    }
    accept(&again, set("limit", "7")).await;
    again.control.stop().await;
}

/// Returns the newest entry that a restart would find purged; 0 if there is none.
async fn purged_on_disk(data: &Path) -> u64 {
    let killed = TempDir::new().expect("a folder");
    copy(data, killed.path());
    let state = store_in(killed.path()).get_log_state().await.expect("a state");
    state.last_purged_log_id.map_or(0, |id| id.index)
}
