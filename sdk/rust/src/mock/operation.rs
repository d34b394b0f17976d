//! One request on its way through the mock host: what the real host does with the outcome of a guest, on one thread.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::response::Response;
use super::world::{Line, Record, Service, Version, World};
use super::{admission, query};
use crate::effect::Outcome;
use crate::fault::{Fault, Result, refused};
use crate::guest::Handler;
use crate::host::{Level, Surroundings, within};
use crate::request::{Action, Answer, Cause, Header, Request};

/// Most effects of one call, as in the real host.
const EFFECTS_MAX: usize = 64;

/// A request to the mock host.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) action: Action,
    pub(super) link: String,
    pub(super) query: String,
    pub(super) headers: Vec<Header>,
    pub(super) body: Option<Value>,
    pub(super) principal: String,
    pub(super) cause: Cause,
}

/// The world as the parts of the mock host share it. No borrow lives while a guest runs.
#[derive(Debug, Clone)]
pub(super) struct Shared(pub(super) Rc<RefCell<World>>);

impl Surroundings for Shared {
    fn log(&self, level: Level, message: &str, fields: &str) {
        let line = Line { level, message: message.to_owned(), fields: fields.to_owned() };
        self.0.borrow_mut().log.push(line);
    }

    fn read(&self, link: &str) -> Result<String> {
        let asked = Asked {
            action: Action::Get,
            link: link.to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: None,
            principal: String::new(),
            cause: Cause::Effect,
        };
        match self.operate(&asked) {
            Ok(response) => Ok(response.body.to_string()),
            Err(fault) => Err(fault),
        }
    }

    fn query(&self, spec: &str) -> Result<String> {
        let spec = serde_json::from_str(spec).map_err(|error| refused(400, "malformed", error.to_string()))?;
        query::run(&self.0.borrow(), &spec).map(|task| task.to_string())
    }

    fn stat(&self, name: &str, value: f64) {
        *self.0.borrow_mut().stats.entry(name.to_owned()).or_default() += value;
    }
}

impl Shared {
    /// Carries out a request.
    pub(super) fn operate(&self, asked: &Asked) -> Result<Response> {
        if asked.link == "/core/query-tasks" && asked.action == Action::Post {
            let spec = asked.body.clone().unwrap_or_default();
            return query::run(&self.0.borrow(), &spec).map(|task| Response::new(200, task));
        }
        let service = self.0.borrow().service_of(&asked.link).cloned();
        let nothing = || refused(404, "not-found", format!("nothing lives at {}", asked.link));
        let service = service.ok_or_else(nothing)?;
        if service.has("STATELESS") {
            return self.stateless(&service, asked);
        }
        if asked.link == service.factory() {
            return match asked.action {
                Action::Post => self.create(&service, asked),
                Action::Get => Ok(self.list(&asked.link)),
                Action::Put | Action::Patch | Action::Delete => Err(not_allowed(asked)),
            };
        }
        let alive = self.0.borrow().documents.get(&asked.link).is_some_and(|record| !record.deleted);
        match (alive, asked.action) {
            (true, _) => self.update(&service, asked),
            (false, Action::Delete) => Ok(Response::new(200, Value::Object(Map::new()))),
            (false, Action::Get | Action::Post | Action::Put | Action::Patch) => Err(nothing()),
        }
    }

    /// Runs a handler that no client caused on a living document; its outcome is committed.
    pub(super) fn run_unasked(&self, link: &str, handler: Handler, cause: Cause) -> Result<()> {
        let Some(service) = self.0.borrow().service_of(link).cloned() else { return Ok(()) };
        if !service.handles(handler.name()) {
            return Ok(());
        }
        let state = self.state(&service, link)?;
        let outcome = self.call(&service, handler, state, &unasked(link, cause), true)?;
        self.commit(&service, link, Action::Patch, outcome);
        Ok(())
    }

    /// Gives the answer of an effect to the document that had asked for it.
    pub(super) fn reply(&self, link: &str, tag: &str, answer: Answer) -> Result<()> {
        let alive = self.0.borrow().documents.get(link).is_some_and(|record| !record.deleted);
        let service = self.0.borrow().service_of(link).cloned();
        let Some(service) = service.filter(|_| alive) else { return Ok(()) };
        let state = self.state(&service, link)?;
        let request = self.request(&unasked(link, Cause::Reply), true);
        let outcome = self.guarded(|| (service.handle_reply)(state, tag.to_owned(), answer, request))?;
        check_state(&service, "handle-reply", None, &outcome)?;
        self.commit(&service, link, Action::Patch, outcome);
        Ok(())
    }

    /// Ends a document whose time is over.
    pub(super) fn expire(&self, link: &str) -> Result<()> {
        let Some(service) = self.0.borrow().service_of(link).cloned() else { return Ok(()) };
        self.bury(&service, &unasked(link, Cause::Maintenance))?;
        if let Some(record) = self.0.borrow_mut().documents.get_mut(link) {
            record.forget();
        }
        Ok(())
    }

    fn stateless(&self, service: &Service, asked: &Asked) -> Result<Response> {
        let handler = handler_of(asked.action);
        if !service.handles(handler.name()) {
            return Err(not_allowed(asked));
        }
        let outcome = self.call(service, handler, "{}".to_owned(), asked, false)?;
        let body = parsed(outcome.reply.as_deref().unwrap_or("null"), "reply")?;
        self.0.borrow_mut().queue(&asked.link, outcome.effects);
        Ok(Response { status: status_or(outcome.status, 200), headers: outcome.headers, body })
    }

    fn create(&self, service: &Service, asked: &Asked) -> Result<Response> {
        let factory = service.factory();
        let key = match asked.body.as_ref().and_then(|body| body["documentSelfLink"].as_str()) {
            Some(link) => link.strip_prefix(&format!("{factory}/")).unwrap_or(link).trim_start_matches('/').to_owned(),
            None => format!("{:08x}", self.0.borrow_mut().next()),
        };
        let link = format!("{factory}/{key}");
        let asked = Asked { link: link.clone(), ..asked.clone() };
        let found = self.0.borrow().documents.get(&link).map(|record| (record.deleted, record.deletion()));
        match found {
            Some((false, _)) if service.has("IDEMPOTENT_POST") => {
                return self.update(service, &Asked { action: Action::Put, ..asked });
            }
            Some((false, _)) => return Err(refused(409, "already-exists", format!("{link} exists"))),
            Some((true, deletion)) => admission::revival(&asked, deletion)?,
            None => admission::revival(&asked, None)?,
        }
        let expires = admission::expiry(asked.body.as_ref())?;
        let mut whole = Outcome { document: Some(without_built_in(asked.body.as_ref())), ..Outcome::default() };
        for handler in [Handler::Create, Handler::Start] {
            if !service.handles(handler.name()) {
                continue;
            }
            let state = whole.document.clone().unwrap_or_default();
            let outcome = self.call(service, handler, state, &asked, false)?;
            whole = joined(whole, outcome);
        }
        // What was here before leaves no expiry behind.
        whole.expires_micros = whole.expires_micros.or(expires).or(Some(0));
        if whole.effects.len() > EFFECTS_MAX {
            return Err(too_many_effects(whole.effects.len()));
        }
        self.make_room(service, &asked);
        let status = if service.descriptor["task"] == true { 202 } else { 201 };
        self.answer(service, &link, Action::Post, whole, status)
    }

    /// Makes the record of a document that is about to get its first version, or takes up the one that is left at its link.
    fn make_room(&self, service: &Service, asked: &Asked) {
        let mut world = self.0.borrow_mut();
        let now = world.now_micros;
        let record = world.documents.entry(asked.link.clone()).or_default();
        if admission::forgets(asked) {
            record.forget();
        }
        record.deleted = false;
        record.factory = service.factory();
        record.maintenance_micros = service.maintenance_interval_micros().map(|interval| now + interval);
    }

    fn update(&self, service: &Service, asked: &Asked) -> Result<Response> {
        self.check_version(service, asked)?;
        let expires = admission::expiry(asked.body.as_ref())?;
        if asked.action == Action::Delete {
            return self.bury(service, asked);
        }
        let mut outcome = self.decide(service, asked)?;
        // Whoever accepts an update accepts the expiry in its body, unless the service says another one.
        if asked.action != Action::Get && outcome.status < 400 {
            outcome.expires_micros = outcome.expires_micros.or(expires);
        }
        self.answer(service, &asked.link, asked.action, outcome, 200)
    }

    /// Decides what becomes of a document: the service does, or the host where the service has no handler.
    fn decide(&self, service: &Service, asked: &Asked) -> Result<Outcome> {
        let handler = handler_of(asked.action);
        let state = self.state(service, &asked.link)?;
        if service.handles(handler.name()) {
            return self.call(service, handler, state, asked, true);
        }
        let document = match asked.action {
            Action::Get => None,
            Action::Put if service.descriptor["put"] != "none" => return self.replace(service, asked),
            Action::Patch if service.descriptor["patch"] == "merge" => {
                let mut merged = parsed(&state, "state")?;
                merge(&mut merged, parsed(&without_built_in(asked.body.as_ref()), "body")?);
                Some(merged.to_string())
            }
            Action::Put | Action::Patch | Action::Post | Action::Delete => return Err(not_allowed(asked)),
        };
        let outcome = Outcome { document, ..Outcome::default() };
        check_state(service, handler.name(), asked.body.as_ref(), &outcome)?;
        Ok(outcome)
    }

    /// Puts another state in place of a document's, on which the create handler decides.
    fn replace(&self, service: &Service, asked: &Asked) -> Result<Outcome> {
        if asked.body.is_none() {
            return Err(refused(400, "validation", format!("{} needs a body, a JSON object", asked.link)));
        }
        let mut whole = Outcome { document: Some(without_built_in(asked.body.as_ref())), ..Outcome::default() };
        if service.handles(Handler::Create.name()) {
            let state = whole.document.clone().unwrap_or_default();
            whole = joined(whole, self.call(service, Handler::Create, state, asked, true)?);
        }
        Ok(whole)
    }

    /// Runs the handlers of an end, and marks the document deleted.
    fn bury(&self, service: &Service, asked: &Asked) -> Result<Response> {
        let state = self.state(service, &asked.link)?;
        let mut whole = Outcome { document: Some(state), ..Outcome::default() };
        for handler in [Handler::Delete, Handler::Stop] {
            let by_client = handler == Handler::Stop || matches!(asked.cause, Cause::Client | Cause::Effect);
            if service.handles(handler.name()) && by_client {
                let state = whole.document.clone().unwrap_or_default();
                whole = joined(whole, self.call(service, handler, state, asked, true)?);
            }
        }
        let response = self.answer(service, &asked.link, Action::Delete, whole, 200)?;
        if let Some(record) = self.0.borrow_mut().documents.get_mut(&asked.link) {
            record.deleted = true;
            record.maintenance_micros = None;
        }
        Ok(response)
    }

    fn list(&self, factory: &str) -> Response {
        let world = self.0.borrow();
        let links = world.documents.iter().filter(|(_, record)| record.factory == factory && !record.deleted);
        let links: Vec<&String> = links.map(|(link, _)| link).collect();
        let body = serde_json::json!({ "documentLinks": links, "documentCount": links.len() });
        Response::new(200, body)
    }

    fn check_version(&self, service: &Service, asked: &Asked) -> Result<()> {
        let changes = matches!(asked.action, Action::Put | Action::Patch);
        if !service.has("STRICT_UPDATE_CHECKING") || !changes {
            return Ok(());
        }
        let have = self.0.borrow().documents.get(&asked.link).map(Record::version);
        let named = asked.body.as_ref().and_then(|body| body["documentVersion"].as_u64());
        if have == named {
            return Ok(());
        }
        Err(refused(409, "version-conflict", format!("the version is {have:?}, the request names {named:?}")))
    }

    /// Returns the state in the shape that the service speaks today.
    fn state(&self, service: &Service, link: &str) -> Result<String> {
        let (state, version) = match self.0.borrow().documents.get(link) {
            Some(record) => (record.newest().state.clone(), record.state_version),
            None => return Err(refused(404, "not-found", format!("nothing lives at {link}"))),
        };
        if version == service.state_version() { Ok(state) } else { admission::migrated(service, state, version) }
    }

    fn request(&self, asked: &Asked, exists: bool) -> Request {
        let mut world = self.0.borrow_mut();
        let seed = world.next().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let record = world.documents.get(&asked.link).filter(|_| exists);
        Request {
            link: asked.link.clone(),
            query: asked.query.clone(),
            headers: asked.headers.clone(),
            body: asked.body.as_ref().map(Value::to_string),
            principal: asked.principal.clone(),
            cause: asked.cause,
            now_micros: world.now_micros,
            seed,
            version: record.map_or(0, Record::version),
            exists,
            expires_micros: record.map_or(0, |record| record.newest().expires_micros),
        }
    }

    fn call(&self, service: &Service, handler: Handler, state: String, asked: &Asked, exists: bool) -> Result<Outcome> {
        let request = self.request(asked, exists);
        let outcome = self.guarded(|| (service.handle)(handler, state, request))?;
        check_state(service, handler.name(), asked.body.as_ref(), &outcome)?;
        Ok(outcome)
    }

    fn guarded(&self, call: impl FnOnce() -> Result<Outcome>) -> Result<Outcome> {
        let outcome = within(Rc::new(self.clone()), call)?;
        if outcome.effects.len() > EFFECTS_MAX {
            return Err(too_many_effects(outcome.effects.len()));
        }
        if let Some(document) = &outcome.document
            && !parsed(document, "state")?.is_object()
        {
            return Err(refused(
                500,
                "guest-answer",
                format!("the guest returned a state that is no object: {document}"),
            ));
        }
        Ok(outcome)
    }

    /// Commits an outcome, and returns the answer to the one who asked.
    fn answer(&self, service: &Service, link: &str, action: Action, outcome: Outcome, status: u16) -> Result<Response> {
        let reply = outcome.reply.as_deref().map(|reply| parsed(reply, "reply")).transpose()?;
        let (status, headers) = (status_or(outcome.status, status), outcome.headers.clone());
        self.commit(service, link, action, outcome);
        let world = self.0.borrow();
        let version = world.documents.get(link).map_or(0, Record::version);
        let body = match reply {
            Some(reply) => reply,
            None => world.full(link, version)?.unwrap_or_default(),
        };
        Ok(Response { status, headers, body })
    }

    fn commit(&self, service: &Service, link: &str, action: Action, outcome: Outcome) {
        let mut world = self.0.borrow_mut();
        let update_micros = world.now_micros;
        if let Some(record) = world.documents.get_mut(link) {
            let expires = record.versions.last().map_or(0, |newest| newest.expires_micros);
            let expires_micros = outcome.expires_micros.unwrap_or(expires);
            if let Some(state) = outcome.document {
                record.versions.push(Version { state, action, update_micros, expires_micros });
                record.state_version = service.state_version();
            } else if let Some(newest) = record.versions.last().filter(|newest| newest.expires_micros != expires_micros)
            {
                // A new expiry alone makes a new version of the same state.
                let state = newest.state.clone();
                record.versions.push(Version { state, action, update_micros, expires_micros });
            }
        }
        world.queue(link, outcome.effects);
    }
}

/// Checks the state that an outcome leaves, if it leaves one, against the schema of the service.
fn check_state(service: &Service, handler: &str, body: Option<&Value>, outcome: &Outcome) -> Result {
    let Some(document) = &outcome.document else { return Ok(()) };
    admission::check(service, handler, body, &parsed(document, "state")?)
}

fn unasked(link: &str, cause: Cause) -> Asked {
    Asked {
        action: Action::Patch,
        link: link.to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: None,
        principal: String::new(),
        cause,
    }
}

fn handler_of(action: Action) -> Handler {
    match action {
        Action::Get => Handler::Get,
        Action::Post => Handler::Post,
        Action::Put => Handler::Put,
        Action::Patch => Handler::Patch,
        Action::Delete => Handler::Delete,
    }
}

fn status_or(status: u16, default: u16) -> u16 {
    if status == 0 { default } else { status }
}

fn joined(first: Outcome, second: Outcome) -> Outcome {
    let mut effects = first.effects;
    effects.extend(second.effects);
    Outcome {
        document: second.document.or(first.document),
        status: status_or(second.status, first.status),
        headers: [first.headers, second.headers].concat(),
        reply: second.reply.or(first.reply),
        effects,
        expires_micros: second.expires_micros.or(first.expires_micros),
    }
}

fn not_allowed(asked: &Asked) -> Fault {
    refused(405, "not-allowed", format!("{} does not take {}", asked.link, asked.action.method()))
}

fn too_many_effects(count: usize) -> Fault {
    refused(500, "guest-answer", format!("the guest asked for {count} effects, {EFFECTS_MAX} are allowed in one call"))
}

fn parsed(text: &str, what: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| refused(500, "guest-answer", format!("the {what} is no JSON: {error}")))
}

/// Returns a body as a state: without the fields that belong to the host.
fn without_built_in(body: Option<&Value>) -> String {
    let mut fields: Map<String, Value> = body.and_then(Value::as_object).cloned().unwrap_or_default();
    fields.retain(|name, _| !name.starts_with("document") && name != "kind");
    Value::Object(fields).to_string()
}

/// Applies a merge patch. Source: RFC 7396.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(&name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}
