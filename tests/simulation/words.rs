//! How a trace prints steps, requests and their outcomes. What the driver does within a step is printed in the words of
//! its own events, effects and facts.

use std::fmt::{Display, Formatter, Result};

use steward_model::Link;

use crate::requests::{Answer, Request, Wish};
use crate::steps::Step;
use crate::tasks::{Done, Owner};

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Step::Send => "send a request",
            Step::Poll => "poll tasks",
            Step::GiveUp => "give up waiting",
            Step::Read => "read a document",
            Step::Wait => "wait for a commit",
            Step::Write => "write a group of the log",
            Step::TakeGroup => "take a group that is on the disk",
            Step::TakeMessage => "take one message",
            Step::Retry => "retry what the log had no room for",
            Step::Apply => "apply everything",
            Step::ApplyOne => "apply one partition",
            Step::Checkpoint => "log a checkpoint",
            Step::Trim => "trim the log",
            Step::AskForOutbox => "ask for pending effects",
            Step::LoadOutbox => "load pending effects",
            Step::Claim => "claim effects",
            Step::Sweep => "sweep expired documents",
            Step::Forget => "forget what is old",
            Step::Name => "name this node",
            Step::NamePeer => "name the peer",
            Step::Touch => "change the row within its reign",
            Step::Shrink => "shrink the in-sync set, or restore it",
            Step::Tell => "tell the newest row",
            Step::Promise => "let the peer promise",
            Step::Copy => "let the peer copy",
            Step::Deliver => "deliver what the peer said",
            Step::Order => "let the peer order",
            Step::Decree => "let the peer commit",
            Step::Cut => "cut the log where the peer's differs",
            Step::Deploy => "deploy another module",
            Step::SetClock => "set the clock",
            Step::Flow => "let everything flow",
            Step::Fault => "cause a fault",
            Step::Heal => "heal the faults",
            Step::Crash => "cut the power",
            Step::CrashDuringSync => "cut the power during a sync",
            Step::Stop => "stop the node in order",
        })
    }
}

impl Display for Owner {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Owner::Client(number) => write!(f, "client {number}"),
            Owner::Host => f.write_str("host"),
            Owner::Reader => f.write_str("reader"),
        }
    }
}

impl Display for Done {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Done::Operated(request, answer) => write!(f, "{request}: {answer}"),
            Done::Carried => f.write_str("carried effects out"),
            Done::Read { link, epoch, document: Some(document) } => {
                write!(f, "read {link} in epoch {epoch}: version {}", document.version.0)
            }
            Done::Read { link, epoch, document: None } => write!(f, "read {link} in epoch {epoch}: nothing"),
            Done::Awaited { position, is_committed: true, .. } => write!(f, "was told that {position} is committed"),
            Done::Awaited { position, is_committed: false, .. } => {
                write!(f, "was told that the outcome of {position} is unknown")
            }
            Done::Shown { link, seen, shown } => {
                let seen = seen.map_or("nothing".to_owned(), |seen| seen.to_string());
                write!(f, "read {link} of this copy, has seen {seen}: {shown}")
            }
            Done::Held { request, answer, told } => write!(f, "{request}: {answer}, {told}"),
            Done::Unread => f.write_str("could read nothing"),
        }
    }
}

impl Display for Request {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Request { name, is_keyed, link, wish } = self;
        let key = if *is_keyed { "" } else { ", without a key" };
        write!(f, "{wish} {link} ({name}{key})")
    }
}

impl Display for Wish {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Wish::Put(bytes) => write!(f, "put {bytes} bytes into"),
            Wish::Expiring(micros) => write!(f, "let expire after {micros} us"),
            Wish::Issue(effects) => {
                let to: Vec<&str> = effects.iter().map(|(to, ..)| Link::as_str(to)).collect();
                write!(f, "issue effects to {} from", to.join(" "))
            }
            Wish::Renew => f.write_str("renew"),
            Wish::Touch => f.write_str("touch"),
            Wish::Delete => f.write_str("delete"),
            Wish::Expire => f.write_str("end, if its time has passed,"),
            Wish::Answered(keys) => write!(f, "take the answers to {} effects of", keys.len()),
        }
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Answer::Done(position) => write!(f, "done at {position}"),
            Answer::Repeated(reply) => write!(f, "done before at {}", reply.at),
            Answer::Nothing => f.write_str("nothing to do"),
            Answer::NotNow(why) => write!(f, "not now: {why}"),
            Answer::Unknown => f.write_str("outcome unknown"),
        }
    }
}
