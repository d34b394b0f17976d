//! What `dev` tells: lines for people on standard error, or with `-o json` one object a line on standard output.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use steward_model::Timestamp;

use super::host::node_name;
use crate::error::Failure;
use crate::output::{Format, Terminal};
use steward_node::config::quantity::show_size;

/// Where the host's log lines of guests come from.
const GUESTS: &str = "steward_node::imports";

/// Where it says what it compiles, and what begins the name of the one thing of which everybody waits for so long that they want to know.
const COMPILER: &str = "steward_sandbox::module::compile";
const RUNNER: &str = "script runner";

/// What stands before the words of a guest in its lines.
const GUEST_WORD: &str = "guest: ";

/// The code of requests whose guest trapped.
const GUEST_BROKE: &str = "guest-trap";

/// What answers after a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Served {
    /// The path at which it answers.
    pub(super) factory: String,
    /// The digest of the module.
    pub(super) digest: String,
    /// The revision of the factory.
    pub(super) revision: u64,
    /// False: nothing has changed by the round.
    pub(super) is_new: bool,
    /// The size of the module.
    pub(super) bytes: usize,
    /// What the tools said, such as warnings.
    pub(super) said: String,
}

/// Tells what happens.
pub(super) struct News<'a> {
    terminal: &'a mut Terminal,
    /// Several hosts are there, and each line says whose it is.
    is_group: bool,
}

impl News<'_> {
    /// Tells to this terminal.
    pub(super) fn on(terminal: &mut Terminal) -> News<'_> {
        News { terminal, is_group: false }
    }

    fn tell(&mut self, line: &str, object: &Value) {
        match self.terminal.format {
            Format::Table => self.terminal.say(line),
            Format::Json => self.terminal.print(&object.to_string()),
        }
    }

    /// The hosts are ready, at least one; `data` is where it keeps its state, none: nowhere.
    pub(super) fn ready(&mut self, apis: &[String], data: Option<&Path>) {
        self.is_group = apis.len() > 1;
        let place = data.map_or("nothing is kept".to_owned(), |data| format!("state in {}", data.display()));
        let api = apis.first().map(String::as_str).unwrap_or_default();
        let object = json!({"type": "dev.ready", "schema": 1, "api": api, "apis": apis, "data": data});
        let word = if self.is_group { "hosts" } else { "host" };
        self.tell(&format!("{word:<8} {}   {place}", apis.join("   ")), &object);
    }

    /// Keys are taken; among them that for a later time, if the clock may be moved.
    pub(super) fn keys(&mut self, is_virtual: bool) {
        let later = if is_virtual { "   t an hour later" } else { "" };
        self.terminal.say(&format!("keys     r rebuild   c clear{later}   q quit"));
    }

    /// The clock of the hosts was moved to this time of day.
    pub(super) fn later(&mut self, now: Timestamp) {
        let time = jiff::Timestamp::from_microsecond(now.0).unwrap_or_default().strftime("%F %T UTC");
        self.tell(&format!("clock    {time}"), &json!({"type": "dev.clock", "schema": 1, "timeMicros": now.0}));
    }

    /// What a key asks for was not done.
    pub(super) fn refused(&mut self, failure: &Failure) {
        self.terminal.show_failure(failure);
    }

    /// Clears the screen.
    pub(super) fn clear(&mut self) {
        self.terminal.clear();
    }

    /// A build begins; `changed` is why.
    pub(super) fn builds(&mut self, project: &str, changed: Option<&str>) {
        let why = changed.map_or(String::new(), |path| format!("   {path} has changed"));
        let object = json!({"type": "dev.builds", "schema": 1, "project": project, "changed": changed});
        self.tell(&format!("build    {project}{why}"), &object);
    }

    /// New code answers, or the code that answers is what was built.
    pub(super) fn serves(&mut self, project: &str, api: &str, served: &Served, took: Duration) {
        let Served { factory, digest, revision, is_new, bytes, said } = served;
        let object = json!({
            "type": "dev.serves", "schema": 1, "project": project, "factory": factory, "address": format!("{api}{factory}"),
            "revision": revision, "digest": digest, "isNew": is_new, "bytes": bytes,
            "said": said, "millis": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
        if !said.is_empty() && self.terminal.format == Format::Table {
            self.terminal.say(said);
        }
        let size = show_size(*bytes as u64);
        let what = if *is_new { format!("revision {revision}   {size}") } else { "nothing new".to_owned() };
        self.tell(&format!("serves   {api}{factory}   {what}   after {:.1}s", took.as_secs_f64()), &object);
    }

    /// A round failed; what served before still does.
    pub(super) fn fails(&mut self, project: &str, failure: &Failure, serves: bool) {
        if self.terminal.format == Format::Json {
            let mut object = json!({"type": "dev.fails", "schema": 1, "project": project, "serves": serves});
            object["error"] = failure.as_json();
            return self.terminal.print(&object.to_string());
        }
        self.terminal.show_failure(failure);
        let state = if serves { "what was built before still serves" } else { "nothing serves yet" };
        self.terminal.say(&format!("waits    {state}; save a file to try again"));
    }

    /// A line of the log of a host, counted from 0. Lines that are only about the host's own life are passed over.
    pub(super) fn line(&mut self, node: usize, line: &str) {
        if let Some(line) = Line::of(line) {
            let node = self.is_group.then(|| node_name(node));
            self.tell(&line.for_people(node.as_deref()), &line.for_programs(node.as_deref()));
        }
    }

    /// The host is told to stop.
    pub(super) fn stops(&mut self) {
        self.terminal.say("stops    requests under way are finished");
    }
}

/// A line of the log that somebody who writes a service wants to see.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    level: String,
    /// The document, or `host`.
    source: String,
    message: String,
    /// Where in the guest's sources; empty if unknown.
    at: String,
    /// Further fields as JSON; empty if there are none.
    fields: String,
}

impl Line {
    fn of(line: &str) -> Option<Line> {
        let Ok(parsed) = serde_json::from_str::<Value>(line) else {
            // What a process says when it breaks is no log line.
            return Some(Line::host("ERROR", line));
        };
        let text = |key: &str| parsed["fields"][key].as_str().unwrap_or_default().to_owned();
        let level = parsed["level"].as_str().unwrap_or_default();
        let message = text("message");
        if parsed["target"] == GUESTS && message.starts_with(GUEST_WORD) {
            let mut fields: Value = serde_json::from_str(&text("fields")).unwrap_or_default();
            let at = fields.as_object_mut().and_then(|fields| fields.remove("at"));
            let left = fields.as_object().is_some_and(|fields| !fields.is_empty());
            // A guest's error is a warning of the host's.
            let level = if text("level").is_empty() { level.to_owned() } else { text("level").to_uppercase() };
            return Some(Line {
                level,
                source: text("link"),
                message: message[GUEST_WORD.len()..].to_owned(),
                at: at.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
                fields: if left { fields.to_string() } else { String::new() },
            });
        }
        if parsed["target"] == COMPILER && text("what").starts_with(RUNNER) {
            let took = parsed["fields"]["millis"].as_u64().map(|millis| json!({ "millis": millis }).to_string());
            let message = format!("{message} the {}", text("what"));
            return Some(Line { fields: took.unwrap_or_default(), ..Line::host(level, &message) });
        }
        // What broke in a guest, the guest has said itself.
        let is_trouble = matches!(level, "WARN" | "ERROR") && text("code") != GUEST_BROKE;
        is_trouble.then(|| {
            let mut fields = parsed["fields"].clone();
            fields.as_object_mut().map(|fields| fields.remove("message"));
            Line { fields: fields.to_string(), ..Line::host(level, &message) }
        })
    }

    fn host(level: &str, message: &str) -> Line {
        Line {
            level: level.to_owned(),
            source: "host".to_owned(),
            message: message.to_owned(),
            at: String::new(),
            fields: String::new(),
        }
    }

    /// `node` is whose line it is, if there are several.
    fn for_people(&self, node: Option<&str>) -> String {
        let parts = [node.unwrap_or_default(), &self.source, &self.message, &self.at, &self.fields];
        let shown: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{:<8} {}", self.level.to_lowercase(), shown.join("   "))
    }

    fn for_programs(&self, node: Option<&str>) -> Value {
        let Line { level, source, message, at, fields } = self;
        let fields: Value = serde_json::from_str(fields).unwrap_or_default();
        json!({
            "type": "dev.log", "schema": 1, "node": node, "level": level.to_lowercase(), "source": source, "message": message, "at": at,
            "fields": fields,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(line: &Value) -> Option<String> {
        Line::of(&line.to_string()).map(|line| line.for_people(None))
    }

    #[test]
    fn words_of_guests_are_shown_with_their_file_and_line() {
        let fields = json!({"message": "guest: counted 5", "link": "/core/a/b", "service": "/core/a",
            "fields": "{\"at\":\"src/lib.rs:19\",\"by\":5}"});
        let line = json!({"level": "INFO", "target": GUESTS, "fields": fields});
        assert_eq!(people(&line).as_deref(), Some("info     /core/a/b   counted 5   src/lib.rs:19   {\"by\":5}"));
        let broke = json!({"message": "guest: panicked at src/lib.rs:9:5", "link": "/core/a/b", "level": "error"});
        let line = json!({"level": "WARN", "target": GUESTS, "fields": broke});
        assert_eq!(people(&line).as_deref(), Some("error    /core/a/b   panicked at src/lib.rs:9:5"));
        let line = Line::of(&line.to_string()).expect("a line to show");
        assert_eq!(line.for_people(Some("dev-2")), "error    dev-2   /core/a/b   panicked at src/lib.rs:9:5");
        assert_eq!(line.for_programs(Some("dev-2"))["node"], "dev-2");
    }

    #[test]
    fn of_the_host_only_trouble_is_shown() {
        let line =
            |level: &str| json!({"level": level, "target": "steward_node::node", "fields": {"message": "m", "n": 1}});
        assert_eq!(people(&line("INFO")), None);
        let compiled = |what: &str| {
            let fields = json!({"message": "compiled", "what": what, "digest": "3fa9", "millis": 48_000});
            people(&json!({"level": "INFO", "target": COMPILER, "fields": fields}))
        };
        let told = "info     host   compiled the script runner of Python   {\"millis\":48000}";
        assert_eq!(compiled("script runner of Python").as_deref(), Some(told));
        assert_eq!(compiled("component"), None);
        assert_eq!(people(&line("WARN")).as_deref(), Some("warn     host   m   {\"n\":1}"));
        let trap =
            json!({"level": "WARN", "target": "t", "fields": {"message": "request failed", "code": "guest-trap"}});
        assert_eq!(people(&trap), None);
        assert_eq!(
            Line::of("thread panicked").map(|line| line.for_people(None)).as_deref(),
            Some("error    host   thread panicked")
        );
    }
}
