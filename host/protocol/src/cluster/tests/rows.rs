//! Changes of rows: primaries, in-sync sets, quorums.

use steward_model::{Boot, Epoch, Lane, NodeId, PartitionId, Timestamp};

use super::super::command::{Alteration, Applied, Command, Move, Refused, Scope};
use super::super::group::NodeStatus;
use super::super::table::Row;
use super::{Examined, member, partition, registration};

fn set_quorum(value: u32, scope: Scope) -> Command {
    Command::SetQuorum { value: Some(value), scope, at: Timestamp(9) }
}

fn persisted() -> PartitionId {
    partition(Lane::Persisted)
}

fn alteration(row: &Row, in_sync: &[(u32, u32)], write_quorum: u32) -> Alteration {
    let in_sync = in_sync.iter().map(|(node, boot)| member(*node, *boot)).collect();
    Alteration { partition: persisted(), epoch: row.epoch, version: row.version, in_sync, write_quorum }
}

fn alter(examined: &mut Examined, alteration: Alteration) -> Result<u64, Refused> {
    match examined.accept(Command::AlterInSync(vec![alteration])) {
        Applied::Altered(mut outcomes) => outcomes.remove(0),
        other => panic!("altering answered {other:?}"),
    }
}

#[test]
fn altered_row_has_quorums_that_overlap() {
    let mut examined = Examined::with_peers(3);
    let row = examined.row(persisted());
    assert_eq!(alter(&mut examined, alteration(&row, &[(1, 1), (2, 1), (3, 1)], 2)), Ok(row.version + 1));
    let altered = examined.row(persisted());
    assert_eq!((altered.write_quorum, altered.recovery_quorum, altered.epoch), (2, 2, row.epoch));
    assert_eq!(examined.0.table_version(), 2);
}

#[test]
fn alteration_decided_on_an_older_row_is_refused_with_the_newer_one() {
    let mut examined = Examined::with_peers(2);
    let row = examined.row(persisted());
    let stale = alteration(&row, &[(1, 1), (2, 1)], 1);
    alter(&mut examined, stale.clone()).expect("the first one");
    let newer = Box::new(examined.row(persisted()));
    let refused = alter(&mut examined, stale);
    assert_eq!(refused, Err(Refused::StaleVersion { partition: persisted(), row: newer.clone() }));
    let other_epoch = Alteration { epoch: row.epoch.next_ownership(), ..alteration(&newer, &[(1, 1)], 1) };
    let refused = alter(&mut examined, other_epoch);
    assert_eq!(refused, Err(Refused::StaleEpoch { partition: persisted(), row: newer }));
}

#[test]
fn alteration_that_cannot_commit_or_excludes_the_primary_is_refused() {
    let mut examined = Examined::with_peers(2);
    let row = examined.row(persisted());
    for write_quorum in [0, 3] {
        let refused = alter(&mut examined, alteration(&row, &[(1, 1), (2, 1)], write_quorum));
        assert_eq!(refused, Err(Refused::QuorumOutOfReach { partition: persisted(), members: 2, write_quorum }));
    }
    let refused = alter(&mut examined, alteration(&row, &[(2, 1)], 1));
    assert_eq!(refused, Err(Refused::PrimaryLeftOut { partition: persisted(), primary: member(1, 1) }));
}

#[test]
fn member_of_an_earlier_boot_or_an_unknown_node_is_refused() {
    let mut examined = Examined::with_peers(2);
    examined.register("h2", 2);
    let row = examined.row(persisted());
    let refused = alter(&mut examined, alteration(&row, &[(1, 1), (2, 1)], 1));
    assert_eq!(refused, Err(Refused::StaleBoot { node: NodeId(2), boot: Boot(1), current: Boot(2) }));
    let refused = alter(&mut examined, alteration(&row, &[(1, 1), (9, 1)], 1));
    assert_eq!(refused, Err(Refused::UnknownNode { node: NodeId(9) }));
}

#[test]
fn observers_and_replaced_nodes_are_refused_as_members() {
    let mut examined = Examined::with_peers(2);
    let observer =
        super::super::command::Registration { role: super::super::group::Role::Observer, ..registration("watcher", 9) };
    examined.accept(Command::RegisterNode(observer));
    examined.register("h2", 77);
    let row = examined.row(persisted());
    let refused = alter(&mut examined, alteration(&row, &[(1, 1), (3, 1)], 1));
    assert_eq!(refused, Err(Refused::Observer { node: NodeId(3) }));
    let refused = alter(&mut examined, alteration(&row, &[(1, 1), (2, 1)], 1));
    assert_eq!(refused, Err(Refused::WrongStatus { node: NodeId(2), status: NodeStatus::Replaced }));
}

#[test]
fn one_stale_alteration_does_not_spoil_the_others() {
    let mut examined = Examined::with_peers(2);
    let row = examined.row(persisted());
    let good = alteration(&row, &[(1, 1), (2, 1)], 1);
    let unknown = PartitionId { index: 999, ..persisted() };
    let bad = Alteration { partition: unknown, ..good.clone() };
    let altered = examined.accept(Command::AlterInSync(vec![bad, good]));
    let refused = Refused::NotAssigned { partition: unknown };
    assert_eq!(altered, Applied::Altered(vec![Err(refused), Ok(row.version + 1)]));
}

#[test]
fn primary_moves_to_a_member_that_serves() {
    let mut examined = Examined::with_peers(2);
    examined.spread(persisted(), 1);
    let epoch = examined.row(persisted()).epoch;
    let version = examined.row(persisted()).version;
    let moved = examined.accept(Command::MovePrimaries(vec![Move { partition: persisted(), epoch, to: NodeId(2) }]));
    assert_eq!(moved, Applied::Altered(vec![Ok(version + 1)]));
    let row = examined.row(persisted());
    assert_eq!((row.primary, row.epoch), (member(2, 1), epoch.next_ownership()));
}

#[test]
fn primary_does_not_move_late_or_to_the_wrong_node() {
    let mut examined = Examined::with_peers(2);
    examined.spread(persisted(), 1);
    examined.register("h3", 3);
    examined.register("h2", 2);
    let row = examined.row(persisted());
    let partition = persisted();
    let refused = |examined: &mut Examined, node, epoch| {
        let moves = vec![Move { partition, epoch, to: NodeId(node) }];
        match examined.accept(Command::MovePrimaries(moves)) {
            Applied::Altered(mut outcomes) => outcomes.remove(0).expect_err("it does not move"),
            other => panic!("{other}"),
        }
    };
    let stale = Refused::StaleEpoch { partition, row: Box::new(row.clone()) };
    assert_eq!(refused(&mut examined, 2, Epoch::ZERO), stale);
    assert_eq!(refused(&mut examined, 3, row.epoch), Refused::NotInSync { partition, node: NodeId(3) });
    assert_eq!(refused(&mut examined, 2, row.epoch), Refused::NotAvailable { member: member(2, 2) });
    assert_eq!(refused(&mut examined, 1, row.epoch), Refused::AlreadyPrimary { partition, node: NodeId(1) });
    assert_eq!(examined.row(persisted()), row, "nothing has changed");
}

#[test]
fn a_reign_is_not_ended_for_one_that_could_not_begin() {
    let mut examined = Examined::with_peers(3);
    examined.accept(set_quorum(3, Scope::Group));
    examined.spread(persisted(), 3);
    let partition = persisted();
    examined.accept(Command::BeginLeave { node: NodeId(3), boot: Boot(1), at: Timestamp(9) });
    let row = examined.row(partition);
    let moves = Command::MovePrimaries(vec![Move { partition, epoch: row.epoch, to: NodeId(2) }]);
    assert!(!examined.0.can_be_handed_over(partition));
    let refused = Refused::TooFewServe { partition, needed: 3 };
    assert_eq!(examined.accept(moves.clone()), Applied::Altered(vec![Err(refused)]));
    assert_eq!(examined.row(partition), row, "who answers reads goes on");
    examined.accept(set_quorum(2, Scope::Group));
    assert!(examined.0.can_be_handed_over(partition), "two of the three serve");
    let moved = examined.accept(moves);
    assert!(matches!(moved, Applied::Altered(outcomes) if outcomes[0].is_ok()));
}

#[test]
fn lower_quorum_takes_effect_in_the_rows_at_once_and_a_higher_one_does_not() {
    let mut examined = Examined::with_peers(3);
    examined.accept(set_quorum(3, Scope::Group));
    examined.spread(persisted(), 3);
    examined.accept(set_quorum(2, Scope::Group));
    let lowered = examined.row(persisted());
    assert_eq!((lowered.write_quorum, lowered.recovery_quorum), (2, 2));
    examined.accept(set_quorum(3, Scope::Group));
    assert_eq!(examined.row(persisted()), lowered, "the primary raises it when enough members hold everything");
}

#[test]
fn the_quorum_of_one_node_is_shown_and_changes_no_row() {
    let mut examined = Examined::with_peers(2);
    examined.spread(persisted(), 2);
    for node in [1, 2].map(NodeId) {
        examined.accept(set_quorum(1, Scope::Node(node)));
        assert_eq!(examined.0.group().node(node).map(|node| node.quorum), Some(1));
        assert_eq!(examined.row(persisted()).write_quorum, 2, "an update is on as many disks as the group wants");
    }
    examined.accept(set_quorum(1, Scope::Group));
    assert_eq!(examined.row(persisted()).write_quorum, 1);
}

#[test]
fn losses_of_a_volatile_partition_that_cannot_be_counted_still_raise_the_epoch() {
    let mut examined = Examined::with_peers(1);
    let volatile = partition(Lane::Volatile);
    let table = std::sync::Arc::make_mut(&mut examined.0.table);
    table.rows.get_mut(&volatile).expect("a row").epoch.loss = u16::MAX;
    let before = examined.row(volatile).epoch;
    examined.register("h1", 1);
    assert_eq!(examined.row(volatile).epoch, before.next_ownership());
}
