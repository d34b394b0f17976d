//! What the mock host remembers: services, documents with all their versions, effects that wait, the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::admission::{self, Patterns};
use crate::context::percent_encoded;
use crate::effect::{Effect, Outcome};
use crate::fault::Result;
use crate::guest::{Guest, Handler};
use crate::host::Level;
use crate::request::{Action, Answer, Request};

/// The exports of a guest, as functions.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) descriptor: Rc<Value>,
    pub(super) patterns: Rc<Patterns>,
    pub(super) handle: fn(Handler, String, Request) -> Result<Outcome>,
    pub(super) handle_reply: fn(String, String, Answer, Request) -> Result<Outcome>,
    pub(super) migrate: fn(String, u32) -> Result<String>,
}

impl Service {
    pub(super) fn of<G: Guest>() -> Service {
        let text = G::describe();
        let descriptor = match serde_json::from_str(&text) {
            Ok(descriptor) => Rc::new(descriptor),
            Err(error) => panic!("describe returned no JSON ({error}): {text}"),
        };
        let patterns = Rc::new(Patterns::of(&descriptor));
        Service { descriptor, patterns, handle: G::handle, handle_reply: G::handle_reply, migrate: G::migrate }
    }

    pub(super) fn factory(&self) -> String {
        match self.descriptor["factory"].as_str() {
            Some(factory) => factory.to_owned(),
            None => panic!("the descriptor names no factory: {}", self.descriptor),
        }
    }

    pub(super) fn kind(&self) -> &Value {
        let kind = &self.descriptor["documentKind"];
        if kind.is_string() { kind } else { &self.descriptor["name"] }
    }

    pub(super) fn has(&self, option: &str) -> bool {
        self.lists("options", option)
    }

    pub(super) fn handles(&self, handler: &str) -> bool {
        self.lists("handlers", handler)
    }

    pub(super) fn maintenance_interval_micros(&self) -> Option<i64> {
        self.descriptor["maintenanceIntervalMicros"].as_i64().filter(|interval| *interval > 0)
    }

    pub(super) fn state_version(&self) -> u32 {
        self.descriptor["stateVersion"].as_u64().and_then(|version| u32::try_from(version).ok()).unwrap_or(1)
    }

    fn lists(&self, field: &str, word: &str) -> bool {
        self.descriptor[field].as_array().is_some_and(|words| words.iter().any(|listed| listed == word))
    }
}

/// One version of a document.
#[derive(Debug, Clone)]
pub(super) struct Version {
    /// JSON text without built-in fields.
    pub(super) state: String,
    pub(super) action: Action,
    pub(super) update_micros: i64,
    pub(super) expires_micros: i64,
}

/// A document, or what is left of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    pub(super) factory: String,
    /// The number of the oldest version that is kept: no number is given twice.
    pub(super) first: u64,
    /// The versions that are kept: none of a document that has expired.
    pub(super) versions: Vec<Version>,
    pub(super) deleted: bool,
    pub(super) state_version: u32,
    pub(super) maintenance_micros: Option<i64>,
}

impl Record {
    /// Returns the newest version.
    ///
    /// # Panics
    /// If the document has expired.
    pub(super) fn newest(&self) -> &Version {
        self.versions.last().expect("a document has a version until it expires")
    }

    /// Returns the number of the newest version, or of the last one that there was.
    pub(super) fn version(&self) -> u64 {
        (self.first + self.versions.len() as u64).saturating_sub(1)
    }

    /// Returns the number of the version that is the deletion; none if the link is free or the document lives.
    pub(super) fn deletion(&self) -> Option<u64> {
        (self.deleted && !self.versions.is_empty()).then(|| self.version())
    }

    /// Gives up every version, and goes on counting.
    pub(super) fn forget(&mut self) {
        self.first += self.versions.len() as u64;
        self.versions.clear();
    }
}

/// An effect that waits for its turn.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) from: String,
    pub(super) effect: Effect,
}

/// A line of a guest's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How urgent.
    pub level: Level,
    /// What was said.
    pub message: String,
    /// Fields, a JSON object, or empty.
    pub fields: String,
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) services: BTreeMap<String, Service>,
    pub(super) documents: BTreeMap<String, Record>,
    /// By due time, and then in the order in which they were asked for.
    pub(super) pending: BTreeMap<(i64, u64), Pending>,
    pub(super) now_micros: i64,
    pub(super) log: Vec<Line>,
    pub(super) stats: BTreeMap<String, f64>,
    count: u64,
}

impl World {
    /// Makes an empty world whose clock shows that moment.
    pub(super) fn at(now_micros: i64) -> World {
        World { now_micros, ..World::default() }
    }

    /// Returns 1, 2, 3 …: keys of documents, order of effects, seeds.
    pub(super) fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Returns the service of a factory, or of the document, or the stateless one above the path.
    pub(super) fn service_of(&self, link: &str) -> Option<&Service> {
        let mut path = link;
        loop {
            if let Some(service) = self.services.get(path) {
                return Some(service);
            }
            path = &path[..path.rfind('/')?];
        }
    }

    /// Returns the document with its built-in fields at a version: the newest in the shape of today, earlier ones as they were written.
    ///
    /// # Errors
    /// The fault of a migration.
    pub(super) fn full(&self, link: &str, version: u64) -> Result<Option<Value>> {
        let Some(record) = self.documents.get(link) else { return Ok(None) };
        let index = version.checked_sub(record.first).and_then(|index| usize::try_from(index).ok());
        let Some(at) = index.and_then(|index| record.versions.get(index)) else { return Ok(None) };
        let newest = version == record.version();
        let service = self
            .services
            .get(&record.factory)
            .filter(|service| newest && service.state_version() != record.state_version);
        let state = match service {
            // Nothing surrounds it: a migration depends on the state alone.
            Some(service) => admission::migrated(service, at.state.clone(), record.state_version)?,
            None => at.state.clone(),
        };
        let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(&state) else { return Ok(None) };
        let kind = self.services.get(&record.factory).map_or(Value::Null, |service| service.kind().clone());
        let built_in: [(&str, Value); 7] = [
            ("documentVersion", version.into()),
            ("documentKind", kind),
            ("documentSelfLink", link.into()),
            ("documentUpdateTimeMicros", at.update_micros.into()),
            ("documentUpdateAction", at.action.method().into()),
            ("documentExpirationTimeMicros", at.expires_micros.into()),
            ("documentOwner", "mock".into()),
        ];
        fields.extend(built_in.map(|(field, value)| (field.to_owned(), value)));
        Ok(Some(Value::Object(fields)))
    }

    /// Returns the links of the documents that live.
    pub(super) fn alive(&self) -> BTreeSet<String> {
        let alive = self.documents.iter().filter(|(_, record)| !record.deleted);
        alive.map(|(link, _)| link.clone()).collect()
    }

    /// Queues the effects of a document, and forgets those that it gives up.
    pub(super) fn queue(&mut self, from: &str, effects: Vec<Effect>) {
        let own = format!("{from}/effects");
        let gives_up = |effect: &Effect| {
            let path = effect.to.split('?').next().unwrap_or_default();
            let plain = effect.delay_millis <= 0 && effect.reply_tag.is_empty();
            plain && effect.action == Action::Delete && path == own
        };
        let (given_up, effects): (Vec<Effect>, Vec<Effect>) = effects.into_iter().partition(gives_up);
        for Effect { to, .. } in given_up {
            let is_meant = |tag: &str| to == own || to == format!("{own}?tag={}", percent_encoded(tag));
            self.pending.retain(|_, pending| pending.from != from || !is_meant(&pending.effect.reply_tag));
        }
        for effect in effects {
            let due = self.now_micros.saturating_add(effect.delay_millis.saturating_mul(1000));
            let order = self.next();
            self.pending.insert((due, order), Pending { from: from.to_owned(), effect });
        }
    }
}
