//! The system group on real folders: what openraft demands, and what a crash leaves.

mod conformance;
mod crash;
mod folder;
mod restart;
mod store;

use std::path::Path;
use std::sync::Arc;

use steward_model::NodeId;
use steward_model::node::{HostId, StoreId};
use steward_protocol::cluster::{Applied, Command};

use super::bootstrap::{Bootstrap, start};
use super::opening::Error;
use super::system::System;
use super::types::TypeConfig;
use crate::clock::Clock;
use crate::shutdown::Shutdown;

fn bootstrap(folder: &Path) -> Bootstrap {
    Bootstrap {
        folder: folder.to_owned(),
        host: HostId::parse("hostAtPort8000").expect("a valid host id"),
        store: StoreId(0xfeed),
        address: "http://127.0.0.1:8000".to_owned(),
        location: String::new(),
        quorum: None,
        clock: Arc::new(Clock::default()),
        shutdown: Shutdown::default(),
        peers: None,
    }
}

async fn started(folder: &Path) -> System {
    start(bootstrap(folder)).await.expect("the system group starts")
}

async fn refused(folder: &Path) -> Error {
    start(bootstrap(folder)).await.err().expect("the system group should not start")
}

fn set(key: &str, value: &str) -> Command {
    Command::SetConfig { key: key.to_owned(), value: Some(value.to_owned()) }
}

async fn accept(system: &System, command: Command) {
    assert_eq!(system.control.propose(command).await, Ok(Applied::Done));
}

fn config(system: &System, key: &str) -> Option<String> {
    system.control.state().config(key).map(str::to_owned)
}

fn only_folder_in(folder: &Path) -> std::path::PathBuf {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut folders = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    folders.next().expect("one folder")
}

/// Returns the folder of the only incarnation in a data folder.
fn incarnation(data: &Path) -> std::path::PathBuf {
    only_folder_in(&data.join("system"))
}

/// Returns the store in a data folder that no node works on, and the number under which its log was created.
fn store_in(data: &Path) -> super::store::Store {
    let incarnation = incarnation(data);
    let name = incarnation.file_name().expect("a name").to_str().expect("hexadecimal digits");
    let identity = u128::from_str_radix(name, 16).expect("hexadecimal digits");
    super::store::Store::open(&incarnation.join("log"), identity as u64).expect("the log opens")
}

/// Copies a folder as a kill would leave it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            match std::fs::copy(entry.path(), target) {
                // A segment that was being prepared has got its name meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.expect("a copy")),
            }
        }
    }
}

fn entry(term: u64, index: u64, command: Command) -> openraft::Entry<TypeConfig> {
    let leader_id = openraft::CommittedLeaderId::new(term, super::engine::raft_id(NodeId(1)));
    openraft::Entry { log_id: openraft::LogId::new(leader_id, index), payload: openraft::EntryPayload::Normal(command) }
}
