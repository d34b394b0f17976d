//! A host in the memory of a unit test: documents with all their versions, effects, timers, maintenance, restarts.
//!
//! **Promise.** One thread, no ports, no waiting. The clock stands until [`Host::advance`] moves it, effects wait until
//! [`Host::settle`], and the same test takes the same course every time. What a guest may rely on holds here too: an error
//! changes nothing, effects of one document go out in their order, answers come back with their tags, timers outlive a
//! restart.
//!
//! **Left out.** Quorum, owners and replication, which no guest can see; of schemas what derived ones do not say, but for
//! `pattern`; repeated attempts: an effect that fails is given up at once, where a real host would try again for a while; the end of a
//! deletion, which a real host forgets after seven days.
//!
//! ```
//! # use steward_sdk::prelude::*;
//! #[derive(Document)]
//! struct Egg {
//!     #[document(default)]
//!     done: bool,
//! }
//!
//! #[derive(Document)]
//! struct Ring {}
//!
//! #[service(factory = "/core/eggs")]
//! impl Egg {
//!     fn handle_start(&self, ctx: &mut Context) {
//!         if !ctx.exists() {
//!             ctx.self_patch(&json!({})).after(Duration::from_secs(300));
//!         }
//!     }
//!
//!     fn handle_patch(&mut self, _: Ring) {
//!         self.done = true;
//!     }
//! }
//!
//! let mut host = mock::Host::serving::<Egg>();
//! let egg = host.post("/core/eggs", json!({})).link();
//! host.restart();
//! host.advance(Duration::from_secs(299));
//! assert_eq!(host.get(&egg).body["done"], false);
//! host.advance(Duration::from_secs(1));
//! assert_eq!(host.get(&egg).body["done"], true);
//! ```

mod admission;
mod operation;
mod query;
mod response;
mod world;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::effect::Effect;
use crate::fault::Fault;
use crate::guest::{Guest, Handler};
use crate::request::{Action, Cause, Header};
use operation::{Asked, Shared};
use world::{Service, World};

pub use response::Response;
pub use world::Line;

/// Effects carried out by one [`Host::settle`] before it is taken for a circle.
const EFFECTS_IN_A_ROW: usize = 100_000;

/// The clock at the beginning of every test: 2026-01-01T00:00:00Z.
const BEGINNING_MICROS: i64 = 1_767_225_600_000_000;

type Stub = Box<dyn FnMut(&Effect) -> Response>;

/// An effect that was carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The document that had asked for it.
    pub from: String,
    /// What was sent.
    pub effect: Effect,
    /// What came back.
    pub response: Response,
}

/// The mock host.
pub struct Host {
    shared: Shared,
    stubs: Vec<(String, Stub)>,
    sent: Vec<Sent>,
    refusals: Vec<Fault>,
}

impl Host {
    /// Makes a host without services.
    pub fn new() -> Host {
        let world = World::at(BEGINNING_MICROS);
        Host { shared: Shared(Rc::new(RefCell::new(world))), stubs: Vec::new(), sent: Vec::new(), refusals: Vec::new() }
    }

    /// Makes a host with one service.
    pub fn serving<G: Guest>() -> Host {
        Host::new().with::<G>()
    }

    /// Adds a service. One whose factory is served already is replaced, and its documents stay: an upgrade.
    ///
    /// # Panics
    /// If the service's descriptor is no JSON or names no factory.
    pub fn with<G: Guest>(self) -> Host {
        let service = Service::of::<G>();
        self.shared.0.borrow_mut().services.insert(service.factory(), service);
        self
    }

    /// Answers effects whose target begins with `prefix`, and to which no service here listens.
    pub fn answering(mut self, prefix: &str, answer: impl FnMut(&Effect) -> Response + 'static) -> Host {
        self.stubs.push((prefix.to_owned(), Box::new(answer)));
        self
    }

    /// Sends a POST: to a factory it creates a document.
    pub fn post(&mut self, link: &str, body: Value) -> Response {
        self.ask(Action::Post, link).body(body).send()
    }

    /// Sends a PATCH.
    pub fn patch(&mut self, link: &str, body: Value) -> Response {
        self.ask(Action::Patch, link).body(body).send()
    }

    /// Sends a PUT.
    pub fn put(&mut self, link: &str, body: Value) -> Response {
        self.ask(Action::Put, link).body(body).send()
    }

    /// Sends a GET.
    pub fn get(&mut self, link: &str) -> Response {
        self.ask(Action::Get, link).send()
    }

    /// Sends a DELETE without a body.
    pub fn delete(&mut self, link: &str) -> Response {
        self.ask(Action::Delete, link).send()
    }

    /// Begins a request with headers, a principal or no body.
    pub fn ask(&mut self, action: Action, link: &str) -> Ask<'_> {
        let (link, query) = link.split_once('?').unwrap_or((link, ""));
        let asked = Asked {
            action,
            link: link.to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: None,
            principal: String::new(),
            cause: Cause::Client,
        };
        Ask { host: self, asked }
    }

    /// Carries out the effects that are due, and those that they bring about, until none is left.
    ///
    /// # Panics
    /// If they bring about ever more: 100,000 in a row without the clock moving.
    pub fn settle(&mut self) {
        for _ in 0..EFFECTS_IN_A_ROW {
            let Some(pending) = self.due() else { return };
            let response = self.carry_out(&pending.effect);
            if !pending.effect.reply_tag.is_empty() {
                let answer = response.answer(&pending.effect.to);
                let taken = self.shared.reply(&pending.from, &pending.effect.reply_tag, answer);
                self.refusals.extend(taken.err());
            }
            self.sent.push(Sent { from: pending.from, effect: pending.effect, response });
        }
        panic!("effects cause effects for ever: {EFFECTS_IN_A_ROW} in a row, the last one was {:?}", self.sent.last());
    }

    /// Moves the clock, and does on the way all that falls due: effects, maintenance, expiry.
    pub fn advance(&mut self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).expect("a test does not last 300,000 years");
        let end = self.now_micros() + micros;
        self.settle();
        while let Some(moment) = self.next_moment().filter(|moment| *moment <= end) {
            let now = moment.max(self.now_micros());
            self.shared.0.borrow_mut().now_micros = now;
            self.settle();
            self.maintain();
            self.bury_expired();
        }
        self.shared.0.borrow_mut().now_micros = end;
        self.settle();
    }

    /// Takes ownership of every document anew, as after a restart or a failover: the start handlers run. Effects and
    /// timers that wait have outlived it. Call [`Host::settle`] to let them go on.
    pub fn restart(&mut self) {
        let alive = self.shared.0.borrow().alive();
        for link in alive {
            let started = self.shared.run_unasked(&link, Handler::Start, Cause::Start);
            self.refusals.extend(started.err());
        }
    }

    /// Returns the clock, in microseconds since the Unix epoch.
    pub fn now_micros(&self) -> i64 {
        self.shared.0.borrow().now_micros
    }

    /// Returns every version of a document that is kept, with its built-in fields, the oldest first; the newest in the shape of
    /// today. Of a document that has expired there is none.
    ///
    /// # Panics
    /// If the service refuses to migrate the newest: every read of the document fails then.
    pub fn versions(&self, link: &str) -> Vec<Value> {
        let world = self.shared.0.borrow();
        let numbers =
            world.documents.get(link).map_or(0..0, |record| record.first..record.first + record.versions.len() as u64);
        let full = |version| {
            world.full(link, version).unwrap_or_else(|fault| panic!("{link} cannot be read: {}", fault.message))
        };
        numbers.filter_map(full).collect()
    }

    /// Returns the links of the documents that live, in order.
    pub fn links(&self) -> Vec<String> {
        self.shared.0.borrow().alive().into_iter().collect()
    }

    /// Returns the effects that were carried out, the oldest first.
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// Returns the effects that wait, the next one first.
    pub fn waiting(&self) -> Vec<Effect> {
        self.shared.0.borrow().pending.values().map(|pending| pending.effect.clone()).collect()
    }

    /// Returns what handlers refused that nobody was there to hear: of starts, maintenance and replies.
    pub fn refusals(&self) -> &[Fault] {
        &self.refusals
    }

    /// Returns the lines that guests logged.
    pub fn log(&self) -> Vec<Line> {
        self.shared.0.borrow().log.clone()
    }

    /// Returns the sum of a statistic.
    pub fn stat(&self, name: &str) -> f64 {
        self.shared.0.borrow().stats.get(name).copied().unwrap_or_default()
    }

    fn due(&mut self) -> Option<world::Pending> {
        let mut world = self.shared.0.borrow_mut();
        let now = world.now_micros;
        let first = world.pending.first_entry()?;
        if first.key().0 > now { None } else { Some(first.remove()) }
    }

    fn carry_out(&mut self, effect: &Effect) -> Response {
        let served = self.shared.0.borrow().service_of(&effect.to).is_some();
        let stub = self.stubs.iter_mut().find(|(prefix, _)| effect.to.starts_with(prefix.as_str()));
        if let Some((_, answer)) = stub.filter(|_| !served) {
            return answer(effect);
        }
        let (link, query) = effect.to.split_once('?').unwrap_or((&effect.to, ""));
        let asked = Asked {
            action: effect.action,
            link: link.to_owned(),
            query: query.to_owned(),
            headers: effect.headers.clone(),
            body: effect.body.as_deref().and_then(|body| serde_json::from_str(body).ok()),
            principal: String::new(),
            cause: Cause::Effect,
        };
        self.operate(&asked)
    }

    /// Carries out a request, before which all is gone whose time has passed.
    fn operate(&mut self, asked: &Asked) -> Response {
        self.end_expired();
        self.shared.operate(asked).unwrap_or_else(Response::from)
    }

    /// Returns the moment of the next timer, maintenance or expiry.
    fn next_moment(&self) -> Option<i64> {
        let world = self.shared.0.borrow();
        let timers = world.pending.keys().next().map(|(due, _)| *due);
        let documents = world.documents.values().filter(|record| !record.deleted).flat_map(|record| {
            let expires = Some(record.newest().expires_micros).filter(|moment| *moment > 0);
            record.maintenance_micros.into_iter().chain(expires)
        });
        timers.into_iter().chain(documents).min()
    }

    fn maintain(&mut self) {
        let now = self.now_micros();
        let alive = self.shared.0.borrow().alive();
        for link in alive {
            let due = self
                .shared
                .0
                .borrow()
                .documents
                .get(&link)
                .is_some_and(|record| record.maintenance_micros.is_some_and(|moment| moment <= now));
            if due {
                let maintained = self.shared.run_unasked(&link, Handler::Maintenance, Cause::Maintenance);
                self.refusals.extend(maintained.err());
                let mut world = self.shared.0.borrow_mut();
                let interval = world.service_of(&link).and_then(Service::maintenance_interval_micros);
                if let Some(record) = world.documents.get_mut(&link) {
                    record.maintenance_micros = interval.map(|interval| now + interval);
                }
            }
        }
        self.settle();
    }

    fn bury_expired(&mut self) {
        self.end_expired();
        self.settle();
    }

    fn end_expired(&mut self) {
        let now = self.now_micros();
        let alive = self.shared.0.borrow().alive();
        for link in alive {
            let expires =
                self.shared.0.borrow().documents.get(&link).map_or(0, |record| record.newest().expires_micros);
            if expires > 0 && expires <= now {
                let ended = self.shared.expire(&link);
                self.refusals.extend(ended.err());
            }
        }
    }
}

impl Default for Host {
    fn default() -> Host {
        Host::new()
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("world", &self.shared.0.borrow()).field("sent", &self.sent).finish_non_exhaustive()
    }
}

/// A request in the making, see [`Host::ask`].
#[must_use = "a request does nothing until it is sent"]
#[derive(Debug)]
pub struct Ask<'a> {
    host: &'a mut Host,
    asked: Asked,
}

impl Ask<'_> {
    /// Gives it a body.
    pub fn body(mut self, body: Value) -> Self {
        self.asked.body = Some(body);
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.asked.headers.push(Header { name: name.to_ascii_lowercase(), value: value.to_owned() });
        self
    }

    /// Lets a user ask.
    pub fn principal(mut self, link: &str) -> Self {
        self.asked.principal = link.to_owned();
        self
    }

    /// Sends it.
    pub fn send(self) -> Response {
        self.host.operate(&self.asked)
    }
}
