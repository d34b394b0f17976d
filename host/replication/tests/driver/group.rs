//! What the system group says, and in which order copies are told.

use steward_model::group::GroupId;
use steward_model::node::{HostId, StoreId};
use steward_model::{Lane, Offset, PartitionId, Position, Timestamp};
use steward_protocol::cluster::command::{Alteration, Registration, Scope};
use steward_protocol::cluster::group::Role;
use steward_protocol::cluster::{ClusterState, Command};
use steward_protocol::replica::Message;

use crate::stage::{NOW, Stage, epoch, other, own};

fn register(state: &mut ClusterState, number: u32) {
    let registration = Registration {
        host: HostId::parse(&format!("h{number}")).expect("a valid host id"),
        store: StoreId(u128::from(number)),
        address: format!("http://h{number}"),
        role: Role::Peer,
        location: String::new(),
        quorum: None,
        at: Timestamp(1),
    };
    state.apply(&Command::RegisterNode(registration)).expect("a new node");
}

/// Returns what a group of two nodes agrees on: the first one is primary of everything, both must hold an update.
fn two_of_two() -> ClusterState {
    let mut state = ClusterState::default();
    let genesis = ClusterState::founding(GroupId(7), 8, 1);
    state.apply(&Command::InstallGenesis(Box::new(genesis))).expect("the first command");
    register(&mut state, 1);
    register(&mut state, 2);
    let row = state.row(persisted()).expect("a row");
    let alteration = Alteration {
        partition: persisted(),
        epoch: row.epoch,
        version: row.version,
        in_sync: [own(1), other()].into(),
        write_quorum: 2,
    };
    state.apply(&Command::AlterInSync(vec![alteration])).expect("a command that is decided row by row");
    state
}

fn persisted() -> PartitionId {
    PartitionId::all(Lane::Persisted).next().expect("there are partitions")
}

#[test]
fn a_quorum_that_was_lowered_is_not_raised_to_the_old_one_again() {
    let stage = Stage::new();
    let (partition, before) = (stage.persisted(), two_of_two());
    let reign = before.row(persisted()).expect("a row").epoch;
    stage.partitions.cluster_changed(NOW, None, &before);
    stage.write();
    stage.write();
    let marker = Position { epoch: reign, offset: Offset(0) };
    let held =
        Message::Acknowledgement { epoch: reign, through: Some(marker), committed: None, low: None, start: Offset(0) };
    stage.partitions.receive(NOW, persisted(), other(), held);
    assert_eq!(partition.admits(), Ok(reign));

    let mut now = before.clone();
    let lower = Command::SetQuorum { value: Some(1), scope: Scope::Group, at: Timestamp(2) };
    now.apply(&lower).expect("a quorum that can be met");
    stage.partitions.cluster_changed(NOW, Some(&before), &now);
    let known = partition.status().replica.row.expect("it was told");
    assert_eq!((known.write_quorum, known.recovery_quorum), (1, 2));
    assert_eq!(stage.partitions.shared().mail.take_requests(), vec![], "nothing else is wanted");
    assert_eq!(reign, epoch(reign.ownership), "of the first incarnation");
}
