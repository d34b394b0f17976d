//! Questions to the leader of the system group: asked by this node, and answered to others.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use steward_model::{Member, Timestamp, codec};
use steward_protocol::cluster::Command;

use super::ask::{Ask, Said};
use super::engine::DECISION_WAIT;
use super::group::Group;
use super::voting;
use crate::peer::{self, Lane, Origin, Service, Topic};

impl Group {
    /// Lets a node stop in order, if this node leads.
    async fn leave(&self, member: Member, at: Timestamp) -> Said {
        let command = Command::BeginLeave { node: member.node, boot: member.boot, at };
        match self.decide(command).await {
            Ok((applied, index)) => {
                // It stops in any case; as long as it is there the voters can be changed.
                if let Err(undone) = voting::settle(self, &Default::default()).await {
                    tracing::debug!(%undone, "voters not changed for a node that leaves");
                }
                Said::Applied { applied, index }
            }
            Err(undone) => self.unsettled(undone),
        }
    }

    /// Answers a question, if this node leads; else says who does.
    pub(super) async fn answer(&self, ask: Ask) -> Said {
        match ask {
            Ask::Propose(command) => match self.decide(command).await {
                Ok((applied, index)) => Said::Applied { applied, index },
                Err(undone) => self.unsettled(undone),
            },
            Ask::Newest => match self.newest().await {
                Ok(index) => Said::Newest { index },
                Err(undone) => self.unsettled(undone),
            },
            Ask::Register { registration, address, first } => self.register(registration, address, first).await,
            Ask::Leave { member, at } => self.leave(member, at).await,
        }
    }

    /// Asks whoever leads, be it this node. None: nobody is known to lead, or the leader cannot be reached; nothing has happened.
    pub(super) async fn ask_leader(&self, ask: Ask) -> Option<Said> {
        let leader = self.leader()?;
        if self.leads() {
            return Some(self.answer(ask).await);
        }
        let links = self.links.as_ref()?;
        let body = codec::encode(&ask);
        match links.request(leader, Lane::Urgent, Topic::Control, body, DECISION_WAIT).await {
            Ok(answer) => codec::decode(&answer).ok(),
            Err(peer::Error::NotConnected | peer::Error::Refused(_)) => None,
            Err(peer::Error::Broken | peer::Error::Late(_) | peer::Error::TooLarge { .. }) => Some(Said::Undecided),
        }
    }
}

/// Answers the questions of other nodes.
pub(super) struct Leads(pub(super) Group);

impl Service for Leads {
    fn request(&self, from: &Origin, body: Bytes) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let (group, guest) = (self.0.clone(), from.node.is_none());
        Box::pin(async move {
            let ask: Ask = codec::decode(&body).map_err(|error| error.to_string())?;
            match &ask {
                Ask::Register { .. } => {}
                Ask::Propose(_) | Ask::Newest | Ask::Leave { .. } if guest => {
                    return Err("only a registered node may ask that".to_owned());
                }
                Ask::Propose(_) | Ask::Newest | Ask::Leave { .. } => {}
            }
            Ok(codec::encode(&group.answer(ask).await))
        })
    }
}
