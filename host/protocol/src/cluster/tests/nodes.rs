//! Genesis, registration, leaving, quorum.

use steward_model::group::GroupId;
use steward_model::{Boot, Lane, NodeId, PartitionId, Timestamp};

use super::super::command::{Applied, Command, Refused, Registration, Scope};
use super::super::group::{NodeStatus, Role};
use super::super::invariants::Violation;
use super::super::state::ClusterState;
use super::{Examined, member, partition, registration};
use crate::liveness::Evidence;

const AT: Timestamp = Timestamp(9);

fn set_quorum(value: impl Into<Option<u32>>, scope: Scope) -> Command {
    Command::SetQuorum { value: value.into(), scope, at: AT }
}

#[test]
fn nothing_is_accepted_before_genesis_and_genesis_only_once() {
    let mut blank = ClusterState::default();
    let register = Command::RegisterNode(registration("h1", 1));
    assert_eq!(blank.apply(&register), Err(Refused::NoGenesis));
    let genesis = ClusterState::founding(GroupId(7), 8, 1);
    assert_eq!(Examined::founded().refuse(Command::InstallGenesis(Box::new(genesis))), Refused::GenesisExists);
}

#[test]
fn genesis_that_contradicts_itself_is_refused() {
    let empty = Command::InstallGenesis(Box::default());
    let refused = ClusterState::default().apply(&empty);
    assert_eq!(refused, Err(Refused::GenesisInvalid(Violation::NoIncarnation)));
}

#[test]
fn first_peer_gets_every_row_and_an_observer_none() {
    let mut examined = Examined::founded();
    examined.accept(Command::RegisterNode(Registration { role: Role::Observer, ..registration("watcher", 9) }));
    assert_eq!(examined.0.table().rows().count(), 0);
    let first = examined.register("h1", 1);
    assert_eq!(first, member(2, 1));
    assert_eq!(examined.0.table().rows().count(), 512);
    assert!(examined.0.table().rows().all(|(_, row)| row.primary == first && row.in_sync.len() == 1));
    assert_eq!(examined.0.table_version(), 1);
}

#[test]
fn restart_of_a_lone_node_begins_a_new_reign_over_persisted_rows_and_empties_volatile_ones() {
    let mut examined = Examined::with_peers(1);
    let before = (examined.row(partition(Lane::Persisted)), examined.row(partition(Lane::Volatile)));
    let again = examined.register("h1", 1);
    assert_eq!(again, member(1, 2));
    let persisted = examined.row(partition(Lane::Persisted));
    assert_eq!(persisted.epoch, before.0.epoch.next_ownership());
    assert_eq!((persisted.primary, persisted.in_sync), (again, [again].into()));
    let volatile = examined.row(partition(Lane::Volatile));
    assert_eq!((volatile.epoch.loss, volatile.epoch.ownership), (before.1.epoch.loss + 1, 1));
    assert_eq!((volatile.primary, volatile.in_sync), (again, [again].into()));
    assert_eq!(examined.0.node(NodeId(1)).expect("registered").status, NodeStatus::Synchronizing);
}

#[test]
fn restart_among_others_moves_duties_to_a_member_that_serves() {
    let mut examined = Examined::with_peers(2);
    for lane in [Lane::Persisted, Lane::Volatile] {
        examined.spread(partition(lane), 2);
    }
    let again = examined.register("h1", 1);
    let persisted = examined.row(partition(Lane::Persisted));
    assert_eq!((persisted.primary, persisted.in_sync), (member(2, 1), [again, member(2, 1)].into()));
    let volatile = examined.row(partition(Lane::Volatile));
    assert_eq!((volatile.primary, volatile.in_sync), (member(2, 1), [member(2, 1)].into()));
    assert_eq!((volatile.epoch.loss, volatile.recovery_quorum, volatile.write_quorum), (0, 1, 2));
}

#[test]
fn another_store_of_a_host_replaces_the_older_node() {
    let mut examined = Examined::with_peers(2);
    examined.spread(partition(Lane::Persisted), 2);
    let untouched = examined.row(partition(Lane::Persisted)).recovery_quorum;
    let newcomer = examined.register("h1", 77);
    assert_eq!(newcomer, member(3, 1));
    assert_eq!(examined.0.node(NodeId(1)).expect("kept").status, NodeStatus::Replaced);
    let row = examined.row(partition(Lane::Persisted));
    assert_eq!((row.primary, row.in_sync, row.recovery_quorum), (member(2, 1), [member(2, 1)].into(), untouched));
    let newest = examined.0.node(newcomer.node).expect("registered");
    assert_eq!(newest.host.to_string(), "h1");
    assert_ne!(newest.status, NodeStatus::Replaced);
}

#[test]
fn updates_that_only_a_replaced_store_holds_stay_blocked_until_it_returns() {
    let mut examined = Examined::with_peers(1);
    examined.register("h1", 77);
    let row = examined.row(partition(Lane::Persisted));
    assert_eq!((row.primary, row.in_sync), (member(1, 1), [member(1, 1)].into()));
    assert_eq!(examined.row(partition(Lane::Volatile)).primary, member(2, 1));
    let back = examined.register("h1", 1);
    assert_eq!(back, member(1, 2));
    assert_eq!(examined.row(partition(Lane::Persisted)).primary, back);
    assert_eq!(examined.0.node(NodeId(2)).expect("kept").status, NodeStatus::Replaced);
}

#[test]
fn a_peer_that_holds_replicas_cannot_return_as_observer() {
    let mut examined = Examined::with_peers(1);
    let refused =
        examined.refuse(Command::RegisterNode(Registration { role: Role::Observer, ..registration("h1", 1) }));
    assert!(matches!(refused, Refused::HoldsReplicas { node: NodeId(1), .. }), "{refused}");
}

#[test]
fn reports_of_an_earlier_boot_are_refused() {
    let mut examined = Examined::with_peers(1);
    examined.register("h1", 1);
    let (node, boot) = (NodeId(1), Boot(1));
    let stale = Refused::StaleBoot { node, boot, current: Boot(2) };
    assert_eq!(examined.refuse(Command::NodeAvailable { node, boot, at: AT }), stale);
    assert_eq!(examined.refuse(Command::BeginLeave { node, boot, at: AT }), stale);
    assert_eq!(examined.refuse(Command::RemoveNode { node, boot, at: AT }), stale);
    let unknown = Command::NodeAvailable { node: NodeId(9), boot, at: AT };
    assert_eq!(examined.refuse(unknown), Refused::UnknownNode { node: NodeId(9) });
}

#[test]
fn a_leaving_node_hands_over_what_others_can_take() {
    let mut examined = Examined::with_peers(2);
    examined.spread(partition(Lane::Persisted), 1);
    let (node, boot) = (NodeId(1), Boot(1));
    examined.accept(Command::BeginLeave { node, boot, at: AT });
    assert_eq!(examined.row(partition(Lane::Persisted)).primary, member(2, 1));
    assert_eq!(examined.row(partition(Lane::Volatile)).primary, member(1, 1), "nobody else has it");
    let refused = examined.refuse(Command::NodeAvailable { node, boot, at: AT });
    assert_eq!(refused, Refused::WrongStatus { node, status: NodeStatus::Leaving });
}

#[test]
fn a_node_is_forgotten_only_when_it_has_left_and_nothing_of_it_is_needed() {
    let mut examined = Examined::with_peers(3);
    let remove = |node| Command::RemoveNode { node: NodeId(node), boot: Boot(1), at: AT };
    let refused = examined.refuse(remove(3));
    assert_eq!(refused, Refused::WrongStatus { node: NodeId(3), status: NodeStatus::Available });
    examined.accept(Command::BeginLeave { node: NodeId(3), boot: Boot(1), at: AT });
    examined.accept(remove(3));
    assert_eq!(examined.0.node(NodeId(3)), None);
    assert_eq!(examined.register("h3", 3), member(4, 1), "numbers are never reused");
    examined.accept(remove(3));
    assert!(examined.0.node(NodeId(4)).is_some(), "who asks again means the one that is gone");
    for never in [0, 5] {
        assert_eq!(examined.refuse(remove(never)), Refused::UnknownNode { node: NodeId(never) });
    }
    examined.accept(Command::BeginLeave { node: NodeId(1), boot: Boot(1), at: AT });
    let refused = examined.refuse(remove(1));
    assert!(matches!(refused, Refused::CopiesNeeded { node: NodeId(1), left: 0, needed: 1, .. }), "{refused}");
}

#[test]
fn a_node_that_is_removed_leaves_every_set_and_what_it_alone_kept_in_memory_begins_anew() {
    let mut examined = Examined::with_peers(3);
    PartitionId::all(Lane::Persisted).for_each(|partition| examined.spread(partition, 2));
    let before = examined.row(partition(Lane::Persisted));
    assert_eq!((before.in_sync.len(), before.recovery_quorum), (3, 2));
    examined.accept(fence(1, 2));
    examined.accept(Command::RemoveNode { node: NodeId(1), boot: Boot(1), at: AT });
    let row = examined.row(partition(Lane::Persisted));
    assert_eq!(row.in_sync, [member(2, 1), member(3, 1)].into());
    assert_eq!((row.write_quorum, row.recovery_quorum), (2, before.recovery_quorum));
    assert!(row.in_sync.contains(&row.primary) && row.epoch > before.epoch, "{row}");
    let volatile = examined.row(partition(Lane::Volatile));
    assert_eq!((volatile.in_sync.len(), volatile.epoch.loss), (1, 1), "{volatile}");
    assert_ne!(volatile.primary.node, NodeId(1));
    assert_eq!(examined.register("h1", 1), member(4, 1), "the same store comes back as another node");
}

#[test]
fn a_node_is_not_removed_while_fewer_would_be_left_than_must_promise() {
    let mut examined = Examined::with_peers(2);
    PartitionId::all(Lane::Persisted).for_each(|partition| examined.spread(partition, 1));
    examined.accept(fence(1, 2));
    let refused = examined.refuse(Command::RemoveNode { node: NodeId(1), boot: Boot(1), at: AT });
    assert!(
        matches!(refused, Refused::CopiesNeeded { left: 1, needed: 2, .. }),
        "one of two may have it alone: {refused}"
    );
}

#[test]
fn unpinned_quorum_is_the_majority_of_the_peers_that_have_been_available() {
    let mut examined = Examined::with_peers(1);
    let mut seen = Vec::new();
    for number in 2..=5_u32 {
        let joins = examined.register(&format!("h{number}"), u128::from(number));
        let before = examined.0.quorum().value;
        examined.make_available(joins);
        seen.push((before, examined.0.quorum().value));
    }
    assert_eq!(seen, [(1, 2), (2, 2), (2, 3), (3, 3)], "who is on its way here holds nothing yet");
    assert!(examined.0.group().nodes().all(|node| node.quorum == 3));
    // Whoever has counted goes on to: silent, started again, and on an empty disk.
    let evidence = Evidence { silence_millis: 700, suspecting: 3, reporting: 4 };
    examined.accept(Command::FenceNode { node: NodeId(5), boot: Boot(1), evidence, at: AT });
    examined.register("h4", 4);
    examined.register("h3", 33);
    assert_eq!(examined.0.quorum().value, 3);
    examined.accept(Command::RegisterNode(Registration { role: Role::Observer, ..registration("watcher", 9) }));
    assert_eq!(examined.0.quorum().value, 3);
}

#[test]
fn a_group_that_is_begun_with_three_wants_two_from_the_first_moment() {
    let mut examined = Examined(ClusterState::default());
    examined.accept(Command::InstallGenesis(Box::new(ClusterState::founding(GroupId(7), 8, 3))));
    let mut seen = vec![examined.0.quorum().value];
    for number in 1..=4_u32 {
        let founder = examined.register(&format!("h{number}"), u128::from(number));
        examined.make_available(founder);
        seen.push(examined.0.quorum().value);
    }
    assert_eq!(seen, [2, 2, 2, 2, 3]);
}

#[test]
fn a_founder_that_never_came_is_not_waited_for_once_a_node_was_removed() {
    let mut examined = Examined(ClusterState::default());
    examined.accept(Command::InstallGenesis(Box::new(ClusterState::founding(GroupId(7), 8, 5))));
    for number in 1..=3_u32 {
        let founder = examined.register(&format!("h{number}"), u128::from(number));
        examined.make_available(founder);
    }
    assert_eq!(examined.0.quorum().value, 3);
    examined.accept(fence(3, 2));
    examined.accept(Command::RemoveNode { node: NodeId(3), boot: Boot(1), at: AT });
    assert_eq!(examined.0.quorum().value, 2, "the majority of two");
}

#[test]
fn joining_with_a_quorum_takes_the_greater_and_pins_it() {
    let mut examined = Examined::with_peers(1);
    examined.accept(Command::RegisterNode(Registration { quorum: Some(3), ..registration("h2", 2) }));
    examined.accept(Command::RegisterNode(Registration { quorum: Some(2), ..registration("h3", 3) }));
    let quorum = examined.0.quorum();
    assert_eq!((quorum.value, quorum.pinned), (3, true));
    let zero = Command::RegisterNode(Registration { quorum: Some(0), ..registration("h4", 4) });
    assert_eq!(examined.refuse(zero), Refused::QuorumZero);
}

#[test]
fn quorum_of_the_group_reaches_every_present_node_and_an_absent_one_keeps_the_old() {
    let mut examined = Examined::with_peers(3);
    examined.accept(set_quorum(3, Scope::Group));
    examined.accept(Command::BeginLeave { node: NodeId(3), boot: Boot(1), at: AT });
    examined.accept(set_quorum(2, Scope::Group));
    let shown: Vec<u32> = examined.0.group().nodes().map(|node| node.quorum).collect();
    assert_eq!(shown, [2, 2, 3]);
    examined.register("h3", 3);
    assert_eq!(examined.0.node(NodeId(3)).expect("registered").quorum, 2);
}

#[test]
fn quorum_of_one_node_leaves_the_group_alone_and_zero_is_refused() {
    let mut examined = Examined::with_peers(2);
    examined.accept(set_quorum(5, Scope::Node(NodeId(2))));
    let shown: Vec<u32> = examined.0.group().nodes().map(|node| node.quorum).collect();
    assert_eq!((shown, examined.0.quorum().value), (vec![2, 5], 2));
    examined.accept(set_quorum(None, Scope::Node(NodeId(2))));
    assert_eq!(examined.0.node(NodeId(2)).expect("registered").quorum, 2);
    assert_eq!(examined.refuse(set_quorum(0, Scope::Group)), Refused::QuorumZero);
    let unknown = examined.refuse(set_quorum(1, Scope::Node(NodeId(9))));
    assert_eq!(unknown, Refused::UnknownNode { node: NodeId(9) });
}

#[test]
fn unpinning_follows_the_majority_again() {
    let mut examined = Examined::with_peers(3);
    examined.accept(set_quorum(1, Scope::Group));
    assert_eq!(examined.accept(set_quorum(None, Scope::Group)), Applied::Done);
    let quorum = examined.0.quorum();
    assert_eq!((quorum.value, quorum.pinned), (2, false));
}

fn fence(node: u32, suspecting: u32) -> Command {
    let evidence = Evidence { silence_millis: 700, suspecting, reporting: 2 };
    Command::FenceNode { node: NodeId(node), boot: Boot(1), evidence, at: AT }
}

#[test]
fn a_silent_node_owns_nothing_and_keeps_the_quorum_that_it_knew() {
    let mut examined = Examined::with_peers(3);
    examined.spread(partition(Lane::Persisted), 2);
    examined.accept(fence(1, 2));
    let node = |examined: &Examined| examined.0.node(NodeId(1)).expect("registered").clone();
    assert_eq!(node(&examined).status, NodeStatus::Unavailable);
    let row = examined.row(partition(Lane::Persisted));
    assert_ne!(row.primary.node, NodeId(1));
    assert!(row.in_sync.contains(&member(1, 1)), "it stays eligible");
    assert_eq!(examined.row(partition(Lane::Volatile)).primary, member(1, 1), "nobody else has it");
    examined.accept(set_quorum(1, Scope::Group));
    assert_eq!(node(&examined).quorum, 2);
}

#[test]
fn a_node_is_fenced_on_the_word_of_a_majority_of_those_that_report_only() {
    let mut examined = Examined::with_peers(2);
    let refused = examined.refuse(fence(2, 1));
    assert!(refused.to_string().ends_with("suspected by 1 of 2 that report"), "{refused}");
}

#[test]
fn a_node_that_was_only_slow_comes_back_in_the_same_boot_and_a_restarted_one_by_registering() {
    let mut examined = Examined::with_peers(2);
    examined.accept(fence(2, 2));
    let (node, boot) = (NodeId(2), Boot(1));
    let refused = examined.refuse(Command::NodeAvailable { node, boot, at: AT });
    assert_eq!(refused, Refused::WrongStatus { node, status: NodeStatus::Unavailable });
    examined.accept(Command::Unfence { node, boot, at: AT });
    assert_eq!(examined.0.node(node).expect("registered").status, NodeStatus::Synchronizing);
    examined.accept(Command::NodeAvailable { node, boot, at: AT });
    examined.accept(fence(2, 2));
    assert_eq!(examined.register("h2", 2), member(2, 2));
    assert_eq!(examined.0.node(node).expect("registered").status, NodeStatus::Synchronizing);
    assert!(matches!(examined.refuse(Command::Unfence { node, boot, at: AT }), Refused::StaleBoot { .. }));
}

#[test]
fn a_node_is_not_removed_while_fewer_would_be_left_than_must_hold_an_update() {
    let mut examined = Examined::with_peers(3);
    examined.accept(set_quorum(3, Scope::Group));
    PartitionId::all(Lane::Persisted).for_each(|partition| examined.spread(partition, 3));
    examined.accept(fence(3, 2));
    let remove = || Command::RemoveNode { node: NodeId(3), boot: Boot(1), at: AT };
    let refused = examined.refuse(remove());
    assert!(matches!(refused, Refused::QuorumNeeded { left: 2, needed: 3, .. }), "no reign could begin: {refused}");
    assert!(refused.to_string().contains("steward quorum 2"), "{refused}");
    examined.accept(set_quorum(2, Scope::Group));
    examined.accept(remove());
}
