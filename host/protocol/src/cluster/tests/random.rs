//! Random commands in random order: invariants hold, replicas agree, and every state survives its encoding.

use proptest::collection::vec;
use proptest::prelude::*;
use steward_model::group::GroupId;
use steward_model::module::Digest;
use steward_model::{Boot, Lane, Link, NodeId, PartitionId, Timestamp, codec};

use super::super::command::{Alteration, Command, Deployment, Move, Registration, Scope};
use super::super::group::Role;
use super::super::registry::{Authorship, GuestModule, Mounted, Overrides, Service};
use super::super::state::ClusterState;
use super::{Examined, member, registration};
use crate::liveness::Evidence;

/// What a proposer wants; turned into a command on the ground of the state it sees, or of an older one.
#[derive(Debug, Clone)]
enum Wish {
    Register { host: u8, store: u8, role: Role, quorum: Option<u32> },
    Available { node: u32 },
    Leave { node: u32 },
    Remove { node: u32 },
    Fence { node: u32, suspecting: u32 },
    Unfence { node: u32 },
    Quorum { value: Option<u32>, node: Option<u32> },
    Move { partition: u16, lane: Lane, to: u32 },
    Alter { partition: u16, lane: Lane, nodes: Vec<u32>, write_quorum: u32 },
    Module { number: u8, install: bool },
    Factory { path: u8, module: u8, lane: Lane, step: u8 },
}

fn wishes() -> impl Strategy<Value = Wish> {
    let lane = || prop_oneof![Just(Lane::Persisted), Just(Lane::Volatile)];
    let role = prop_oneof![9 => Just(Role::Peer), 1 => Just(Role::Observer)];
    let quorum = || proptest::option::weighted(0.3, 0..4_u32);
    prop_oneof![
        4 => (0..4_u8, 0..2_u8, role, quorum())
            .prop_map(|(host, store, role, quorum)| Wish::Register { host, store, role, quorum }),
        3 => (1..6_u32).prop_map(|node| Wish::Available { node }),
        1 => (1..6_u32).prop_map(|node| Wish::Leave { node }),
        1 => (1..6_u32).prop_map(|node| Wish::Remove { node }),
        2 => (1..6_u32, 1..3_u32).prop_map(|(node, suspecting)| Wish::Fence { node, suspecting }),
        1 => (1..6_u32).prop_map(|node| Wish::Unfence { node }),
        1 => (quorum(), proptest::option::of(1..6_u32)).prop_map(|(value, node)| Wish::Quorum { value, node }),
        2 => (0..3_u16, lane(), 1..6_u32).prop_map(|(partition, lane, to)| Wish::Move { partition, lane, to }),
        4 => (0..3_u16, lane(), vec(1..6_u32, 1..4), 0..4_u32)
            .prop_map(|(partition, lane, nodes, write_quorum)| Wish::Alter { partition, lane, nodes, write_quorum }),
        1 => (0..3_u8, any::<bool>()).prop_map(|(number, install)| Wish::Module { number, install }),
        2 => (0..3_u8, 0..3_u8, lane(), 0..3_u8)
            .prop_map(|(path, module, lane, step)| Wish::Factory { path, module, lane, step }),
    ]
}

fn partition(lane: Lane, index: u16) -> PartitionId {
    PartitionId::all(lane).nth(usize::from(index)).expect("a lane has more partitions")
}

fn boot(seen: &ClusterState, node: u32) -> Boot {
    seen.node(NodeId(node)).map_or(Boot(1), |node| node.boot)
}

/// Returns the command that a proposer makes of `wish` when `seen` is all it knows.
fn command(wish: &Wish, seen: &ClusterState) -> Command {
    let at = Timestamp(5);
    let authorship = Authorship { by: String::new(), at, message: String::new() };
    match wish {
        Wish::Register { host, store, role, quorum } => Command::RegisterNode(Registration {
            role: *role,
            quorum: *quorum,
            ..registration(&format!("h{host}"), u128::from(*store))
        }),
        Wish::Available { node } => Command::NodeAvailable { node: NodeId(*node), boot: boot(seen, *node), at },
        Wish::Leave { node } => Command::BeginLeave { node: NodeId(*node), boot: boot(seen, *node), at },
        Wish::Remove { node } => Command::RemoveNode { node: NodeId(*node), boot: boot(seen, *node), at },
        Wish::Fence { node, suspecting } => {
            let evidence = Evidence { silence_millis: 700, suspecting: *suspecting, reporting: 3 };
            Command::FenceNode { node: NodeId(*node), boot: boot(seen, *node), evidence, at }
        }
        Wish::Unfence { node } => Command::Unfence { node: NodeId(*node), boot: boot(seen, *node), at },
        Wish::Quorum { value, node } => {
            let scope = node.map_or(Scope::Group, |node| Scope::Node(NodeId(node)));
            Command::SetQuorum { value: *value, scope, at }
        }
        Wish::Move { partition: index, lane, to } => {
            let partition = partition(*lane, *index);
            let epoch = seen.row(partition).map(|row| row.epoch).unwrap_or_default();
            Command::MovePrimaries(vec![Move { partition, epoch, to: NodeId(*to) }])
        }
        Wish::Alter { partition: index, lane, nodes, write_quorum } => {
            let partition = partition(*lane, *index);
            let (epoch, version) = seen.row(partition).map(|row| (row.epoch, row.version)).unwrap_or_default();
            let in_sync = nodes.iter().map(|node| member(*node, boot(seen, *node).0)).collect();
            let write_quorum = *write_quorum;
            Command::AlterInSync(vec![Alteration { partition, epoch, version, in_sync, write_quorum }])
        }
        Wish::Module { number, install } => {
            let digest = Digest::of(&[*number]);
            let (name, version) = ("n".to_owned(), "1.0.0".to_owned());
            let descriptor = "{}".to_owned();
            if *install {
                let installed = authorship;
                Command::RegisterModule(GuestModule { digest, name, version, descriptor, size_bytes: 1, installed })
            } else {
                Command::RemoveModule { digest }
            }
        }
        Wish::Factory { path, module, lane, step } => {
            let path = Link::parse(["/a", "/a/b", "/a/b/c"][usize::from(*path)]).expect("a valid path");
            let revision = seen.factory(&path).map_or(0, |factory| factory.revision);
            let service = Service::Stateful { lane: *lane };
            let mounted = Mounted { module: Digest::of(&[*module]), service, overrides: Overrides::default() };
            match step {
                0 => Command::MountFactory(Deployment { path, revision, mounted, authorship }),
                1 => Command::MoveFactory(Deployment { path, revision, mounted, authorship }),
                _ => Command::UnmountFactory { path, revision, authorship },
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_commands_keep_the_invariants_and_lead_replicas_to_one_state(
        wishes in vec((wishes(), 0..3_usize), 1..60),
    ) {
        let mut examined = Examined::founded();
        let mut replica = ClusterState::default();
        let genesis = Command::InstallGenesis(Box::new(ClusterState::founding(GroupId(7), 8, 1)));
        replica.apply(&genesis).expect("genesis");
        let mut seen = vec![examined.0.clone()];
        for (wish, age) in wishes {
            let known = &seen[seen.len().saturating_sub(1 + age)];
            let command = command(&wish, known);
            let outcome = examined.apply(command.clone());
            let travelled: Command = codec::decode(&codec::encode(&command)).expect("a command survives its encoding");
            prop_assert_eq!(replica.apply(&travelled), outcome);
            seen.push(examined.0.clone());
        }
        prop_assert_eq!(&replica, &examined.0);
        let restored: ClusterState = codec::decode(&codec::encode(&replica)).expect("a state survives its encoding");
        prop_assert_eq!(restored, replica);
    }
}
