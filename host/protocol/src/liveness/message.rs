//! What happens to the core, what it says to other nodes, and what it wants done, each in plain words.

use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::{Member, NodeId};

/// What happens to a [`super::Liveness`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// These process starts are registered with the system group now, this one among them or not.
    Registered(BTreeSet<Member>),
    /// A message came over a connection that vouches for its sender.
    Arrived {
        /// The process start that sent it.
        from: Member,
        /// What it says.
        message: Message,
    },
    /// Time has passed.
    Ticked,
}

/// What every node tells every other one, ten times a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Counts the beats of this process start, from 1.
    pub number: u64,
    /// Whom the sender hears itself.
    pub hears: BTreeSet<NodeId>,
    /// Whom the sender suspects.
    pub suspects: BTreeSet<Member>,
}

/// What nodes say to each other about who is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The sender is there.
    Beat(Beat),
    /// The sender wants to know whether the receiver reaches the target.
    PingFor {
        /// The node that the sender does not hear.
        target: NodeId,
    },
    /// The receiver is to answer.
    Ping {
        /// Who does not hear the receiver, and wants to know whether anybody does.
        asker: NodeId,
    },
    /// The sender has been called by [`Message::Ping`], and is there.
    Pong {
        /// For whose sake it was asked.
        asker: NodeId,
    },
    /// The sender reaches the target.
    Reached {
        /// The node that has answered.
        target: NodeId,
    },
}

impl Format for Message {
    const NAME: &'static str = "message about who is there";
}

/// What the core wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send a message; it may be lost.
    Send {
        /// To whom.
        to: NodeId,
        /// What it says.
        message: Message,
    },
    /// Tell that a node is suspected from now on.
    Suspect {
        /// The process start.
        member: Member,
        /// For how long there was no sign of it.
        silence: Duration,
        /// How long it could have been silent without being suspected.
        patience: Duration,
    },
    /// Tell that a suspicion was wrong, or is over.
    Trust {
        /// The process start.
        member: Member,
    },
    /// Tell that this node was not called for so long.
    Overslept {
        /// For how long.
        span: Duration,
    },
}

/// Numbers as people read them.
struct List<'a, T>(&'a BTreeSet<T>);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.0.is_empty() {
            return f.write_str("nobody");
        }
        let listed: Vec<String> = self.0.iter().map(T::to_string).collect();
        f.write_str(&listed.join(" "))
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Message::Beat(Beat { number, hears, suspects }) => {
                write!(f, "beat {number}, hears {}, suspects {}", List(hears), List(suspects))
            }
            Message::PingFor { target } => write!(f, "ping {target} for me"),
            Message::Ping { asker } => write!(f, "ping for {asker}"),
            Message::Pong { asker } => write!(f, "pong for {asker}"),
            Message::Reached { target } => write!(f, "reached {target}"),
        }
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Event::Registered(members) => write!(f, "registered {}", List(members)),
            Event::Arrived { from, message } => write!(f, "arrived from {from}: {message}"),
            Event::Ticked => f.write_str("ticked"),
        }
    }
}

impl Display for Effect {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Effect::Send { to, message } => write!(f, "send to {to}: {message}"),
            Effect::Suspect { member, silence, patience } => {
                write!(f, "suspect {member}, silent for {silence:?} with a patience of {patience:?}")
            }
            Effect::Trust { member } => write!(f, "trust {member}"),
            Effect::Overslept { span } => write!(f, "overslept {span:?}"),
        }
    }
}
