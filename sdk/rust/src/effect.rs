//! What a guest hands back to the host: effects to carry out after the commit, and the outcome of a call.

use std::time::Duration;

use crate::request::{Action, Header};

/// One request that the host sends after the commit, until it succeeded or was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// A link, or a URL that the service was granted.
    pub to: String,
    /// What to ask for.
    pub action: Action,
    /// Headers of the request.
    pub headers: Vec<Header>,
    /// Its body, a JSON text.
    pub body: Option<String>,
    /// 0: at once; else a durable timer, in milliseconds.
    pub delay_millis: i64,
    /// Not empty: the answer comes back to the reply handler, with this tag.
    pub reply_tag: String,
}

impl Effect {
    /// Makes an effect without headers that goes out at once.
    pub fn new(action: Action, to: impl Into<String>, body: Option<String>) -> Effect {
        Effect { to: to.into(), action, headers: Vec::new(), body, delay_millis: 0, reply_tag: String::new() }
    }

    /// Sends it that much later. The timer is durable and moves with the document.
    pub fn after(&mut self, delay: Duration) -> &mut Effect {
        self.delay_millis = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        self
    }

    /// Brings the answer back to the reply handler, with this tag.
    pub fn reply_tag(&mut self, tag: impl Into<String>) -> &mut Effect {
        self.reply_tag = tag.into();
        self
    }

    /// Adds a header.
    pub fn header(&mut self, name: &str, value: impl Into<String>) -> &mut Effect {
        self.headers.push(Header { name: name.to_ascii_lowercase(), value: value.into() });
        self
    }
}

/// What a handler decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The new state without built-in fields; none: state unchanged, no new version; in
    /// `handle-create`, the state is the one that came.
    pub document: Option<String>,
    /// 0: the host's choice.
    pub status: u16,
    /// Headers of the answer.
    pub headers: Vec<Header>,
    /// Body of the answer; none: the state with its built-in fields.
    pub reply: Option<String>,
    /// What to send after the commit.
    pub effects: Vec<Effect>,
    /// When the document shall expire; 0: never. None: as the body of the creation or PUT wants it, else unchanged.
    pub expires_micros: Option<i64>,
}
