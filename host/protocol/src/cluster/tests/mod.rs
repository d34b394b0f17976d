//! The state machine of the system group: one command at a time, and random sequences of commands.

mod nodes;
mod random;
mod registry;
mod rows;

use steward_model::group::GroupId;
use steward_model::node::{HostId, StoreId};
use steward_model::{Lane, NodeId, PartitionId, Timestamp};

use super::command::{Applied, Command, Refused, Registration};
use super::group::Role;
use super::invariants;
use super::state::ClusterState;
use super::table::{Member, Row};

/// A state under examination: invariants are checked after every command, and that it may be proposed again.
struct Examined(ClusterState);

impl Examined {
    /// Returns a state after genesis.
    fn founded() -> Examined {
        let mut examined = Examined(ClusterState::default());
        let genesis = ClusterState::founding(GroupId(7), 8, 1);
        assert_eq!(examined.apply(Command::InstallGenesis(Box::new(genesis))), Ok(Applied::Done));
        examined
    }

    /// Returns a state with `count` available peers `h1`, `h2`, … whose stores are 1, 2, ….
    fn with_peers(count: u32) -> Examined {
        let mut examined = Examined::founded();
        for number in 1..=count {
            let member = examined.register(&format!("h{number}"), u128::from(number));
            examined.make_available(member);
        }
        examined
    }

    fn apply(&mut self, command: Command) -> Result<Applied, Refused> {
        let before = self.0.clone();
        let outcome = self.0.apply(&command);
        invariants::check(&self.0).unwrap_or_else(|violation| panic!("{violation} after {command:?}"));
        match outcome {
            Ok(_) => self.propose_again(&command),
            Err(_) => assert_eq!(before, self.0, "a refused command changes nothing: {command:?}"),
        }
        outcome
    }

    /// Proposes a command that was accepted once more, as somebody does who has not heard what came of it.
    fn propose_again(&self, command: &Command) {
        match command {
            // Each is another process start to the group. The one that asks takes the last for its own.
            Command::RegisterNode(_) => return,
            // Only the node that begins the group proposes it, and looks at the state before.
            Command::InstallGenesis(_) => return,
            Command::NodeAvailable { .. }
            | Command::SetQuorum { .. }
            | Command::BeginLeave { .. }
            | Command::RemoveNode { .. }
            | Command::MovePrimaries(_)
            | Command::AlterInSync(_)
            | Command::RegisterModule(_)
            | Command::RemoveModule { .. }
            | Command::MountFactory(_)
            | Command::MoveFactory(_)
            | Command::UnmountFactory { .. }
            | Command::SetConfig { .. }
            | Command::FenceNode { .. }
            | Command::Unfence { .. } => {}
        }
        let mut again = self.0.clone();
        again.apply(command).unwrap_or_else(|refused| panic!("{refused}, once more: {command:?}"));
        assert_eq!(again, self.0, "a command that is proposed again changes nothing: {command:?}");
    }

    fn accept(&mut self, command: Command) -> Applied {
        self.apply(command).expect("the command should be accepted")
    }

    fn refuse(&mut self, command: Command) -> Refused {
        self.apply(command).expect_err("the command should be refused")
    }

    fn register(&mut self, host: &str, store: u128) -> Member {
        match self.accept(Command::RegisterNode(registration(host, store))) {
            Applied::Registered { node, boot } => Member { node, boot },
            other => panic!("registering answered {other:?}"),
        }
    }

    fn make_available(&mut self, member: Member) {
        self.accept(Command::NodeAvailable { node: member.node, boot: member.boot, at: Timestamp(2) });
    }

    fn row(&self, partition: PartitionId) -> Row {
        self.0.row(partition).expect("the partition has a row").clone()
    }

    /// Lets the members of every peer count in every row of `partition`, with this write quorum.
    fn spread(&mut self, partition: PartitionId, write_quorum: u32) {
        let row = self.row(partition);
        let in_sync = self.0.group().nodes().map(super::group::Node::member).collect();
        let alteration =
            super::command::Alteration { partition, epoch: row.epoch, version: row.version, in_sync, write_quorum };
        let altered = self.accept(Command::AlterInSync(vec![alteration]));
        assert_eq!(altered, Applied::Altered(vec![Ok(row.version + 1)]));
    }
}

fn registration(host: &str, store: u128) -> Registration {
    Registration {
        host: HostId::parse(host).expect("a valid host id"),
        store: StoreId(store),
        address: format!("http://{host}"),
        role: Role::Peer,
        location: String::new(),
        quorum: None,
        at: Timestamp(1),
    }
}

fn member(node: u32, boot: u32) -> Member {
    Member { node: NodeId(node), boot: steward_model::Boot(boot) }
}

fn partition(lane: Lane) -> PartitionId {
    PartitionId::all(lane).next().expect("a lane has partitions")
}
