//! The table of settings: one entry gives a setting its flag, its variable, its key in the file and its help.
//!
//! ```text
//! key            flag            also accepted   variable               line of the file
//! peer_nodes  →  --peer-nodes    --peerNodes     STEWARD_PEER_NODES     peer_nodes = ["http://…"]
//! ```

/// Prefix of every environment variable that steward reads.
pub const VARIABLE_PREFIX: &str = "STEWARD_";

/// What the text of a setting stands for, as far as a file and a command line must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A whole number.
    Number,
    /// Text: also durations (`10s`), sizes (`64MiB`) and words.
    Text,
    /// `true` or `false`; the flag alone means `true`.
    Switch,
    /// Texts separated by commas; an array in the file.
    List,
}

/// One setting of a node.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, in snake case; all other spellings follow from it.
    pub key: &'static str,
    /// What the value is called in the help.
    pub value_name: &'static str,
    /// The value when nobody gives one; empty: none.
    pub default: &'static str,
    /// What its text stands for.
    pub shape: Shape,
    /// The heading under which the help shows it.
    pub heading: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    /// Another name that its flag has elsewhere; empty: none.
    pub also: &'static str,
}

impl Setting {
    /// Returns the name of its flag without the dashes, `peer-nodes`.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// Returns the name of its flag as Xenon writes it, `peerNodes`; the same as the key if that is one word.
    pub fn camel_flag(&self) -> String {
        let mut words = self.key.split('_');
        let mut name = words.next().unwrap_or_default().to_owned();
        for word in words {
            let (first, rest) = word.split_at(1);
            name.push_str(&first.to_ascii_uppercase());
            name.push_str(rest);
        }
        name
    }

    /// Returns true if its flag may be written so, without the dashes.
    pub fn is_spelt(&self, name: &str) -> bool {
        self.flag() == name || self.camel_flag() == name || (!name.is_empty() && self.also == name)
    }

    /// Returns the name of its environment variable, `STEWARD_PEER_NODES`.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.key.to_ascii_uppercase())
    }
}

/// Returns the setting called `key`.
///
/// # Panics
/// If there is none: keys are written in this crate only.
pub fn setting(key: &str) -> &'static Setting {
    SETTINGS.iter().find(|setting| setting.key == key).unwrap_or_else(|| panic!("no setting is called {key}"))
}

const ADDRESS: &str = "Address";
const IDENTITY: &str = "Identity and group";
const STATE: &str = "State";
const LIMITS: &str = "Limits";
const TALK: &str = "Talk";

/// All settings, in the order in which people meet them.
pub const SETTINGS: &[Setting] = &[
    text("port", "N", "8000", ADDRESS, "Port of the HTTP API; 0 lets the system pick one").of(Shape::Number),
    text("bind_address", "IP", "127.0.0.1", ADDRESS, "Address to listen on"),
    text(
        "public_uri",
        "URI",
        "",
        ADDRESS,
        "How others reach this node; needed with 0.0.0.0 [default: from address and port]",
    ),
    text(
        "insecure_public",
        "BOOL",
        "false",
        ADDRESS,
        "Allow an address that is not loopback: nobody is asked who they are",
    )
    .of(Shape::Switch),
    text("host_names", "NAME,…", "", ADDRESS, "Further names by which clients may call this node; * for any").of(Shape::List),
    text("cors_origin", "ORIGIN,…", "", ADDRESS, "Web origins whose pages may call the API").of(Shape::List),
    text("id", "ID", "", IDENTITY, "Name of the node [default: random, kept in the data folder]"),
    text("location", "TAG", "", IDENTITY, "Rack or zone, shown beside the node"),
    text(
        "peer_nodes",
        "URI,…",
        "",
        IDENTITY,
        "Nodes of the group, the same list on all: http://NAME:PORT of the API, or steward://NAME:PORT of a port for peers",
    )
    .of(Shape::List),
    text("peer_port", "N", "", IDENTITY, "Port for peers [default: the port of the API and 10000]").of(Shape::Number),
    text("cluster_secret_file", "FILE", "", IDENTITY, "File with the secret that all nodes of the cluster know"),
    text("insecure_peers", "BOOL", "false", IDENTITY, "Allow peers without a secret on an address that is not loopback")
        .of(Shape::Switch),
    text("membership_quorum", "N|auto", "auto", IDENTITY, "Nodes that must be available for updates to go on"),
    text("data", "DIR", "./steward-data", STATE, "Folder in which the node keeps everything; one node each")
        .or("sandbox"),
    text("ephemeral", "BOOL", "false", STATE, "Keep state in a temporary folder and delete it at the end")
        .of(Shape::Switch),
    text(
        "code_cache",
        "DIR",
        "",
        STATE,
        "Folder of compiled guest code; nodes of one user may share it [default: code in the data folder]",
    ),
    text("code_cache_bytes", "SIZE", "512MiB", STATE, "Most bytes of that folder; what was not used for longest goes first"),
    text("clock", "CLOCK", "real", STATE, "real, or virtual: it may be moved ahead, to try out what comes later; with --ephemeral"),
    text(
        "record_requests",
        "BOOL",
        "false",
        STATE,
        "Keep with each version the request that made it, for steward replay; about doubles what updates write",
    )
    .of(Shape::Switch),
    text("max_request_bytes", "SIZE", "1MiB", LIMITS, "Largest body of a request"),
    text("body_bytes", "SIZE", "256MiB", LIMITS, "Most bytes of bodies of requests that arrive or are worked on"),
    text("answer_bytes", "SIZE", "256MiB", LIMITS, "Most bytes of answers that clients have not taken yet"),
    text("requests", "N", "16384", LIMITS, "Most requests to services under way at once").of(Shape::Number),
    text("guest_memory", "SIZE", "64MiB", LIMITS, "Most memory of one guest instance"),
    text("guest_deadline", "DURATION", "1s", LIMITS, "Longest time of one guest call"),
    text(
        "guest_share",
        "PERCENT",
        "25",
        LIMITS,
        "Most of the instances and workers for guests that one service may have",
    )
    .of(Shape::Number),
    text(
        "guest_instances",
        "N",
        "256",
        LIMITS,
        "Most guest instances at one time, of all services; each reserves addresses, not memory",
    )
    .of(Shape::Number),
    text("guest_log_lines", "N", "200", LIMITS, "Most log lines of one service in a second").of(Shape::Number),
    text("module_bytes", "SIZE", "64MiB", LIMITS, "Largest guest module"),
    text("module_functions", "N", "50000", LIMITS, "Most functions of a guest module").of(Shape::Number),
    text("module_function_bytes", "SIZE", "512KiB", LIMITS, "Largest code of one function of a guest module"),
    text("module_locals", "N", "5000", LIMITS, "Most variables of one function of a guest module").of(Shape::Number),
    text("module_memory", "SIZE", "2GiB", LIMITS, "Most memory of the process that compiles a guest module"),
    text("module_deadline", "DURATION", "2m", LIMITS, "Longest time until a guest module is compiled and ready"),
    text("schema_steps", "N", "2000", LIMITS, "Most steps of a state schema, which is counted when a module is mounted")
        .of(Shape::Number),
    text("pending_effects", "N", "1000000", LIMITS, "Most effects and timers that wait; a factory has half, a document a 16th")
        .of(Shape::Number),
    text("pending_bytes", "SIZE", "512MiB", LIMITS, "Most bytes of them, shared out likewise"),
    text("backlog", "SIZE", "256MiB", LIMITS, "Log that is kept for nodes that were away, beyond what this one needs"),
    text("queue_limit", "N", "1024", LIMITS, "Most operations that wait for one document").of(Shape::Number),
    text(
        "outbound_allow",
        "HOST,…",
        "",
        LIMITS,
        "Outside hosts that guests may be granted, on every port unless one is named: example.com:443, *.example.com; never the API of a node of the group, nor by a name what only this machine or its link reaches",
    )
    .of(Shape::List),
    text("idle_timeout", "DURATION", "60s", LIMITS, "How long a connection may say or take nothing"),
    text("shutdown_grace", "DURATION", "30s", LIMITS, "How long running operations may go on after a stop"),
    text(
        "log_level",
        "FILTER",
        "info",
        TALK,
        "error, warn, info, debug, trace; or per module: info,steward_node=debug",
    ),
    text("log_format", "FORMAT", "text", TALK, "text or json"),
    text("announce", "FILE|-", "", TALK, "JSON line with the address when ready; -: stdout"),
];

const fn text(
    key: &'static str,
    value_name: &'static str,
    default: &'static str,
    heading: &'static str,
    help: &'static str,
) -> Setting {
    Setting { key, value_name, default, shape: Shape::Text, heading, help, also: "" }
}

impl Setting {
    const fn of(self, shape: Shape) -> Setting {
        Setting { shape, ..self }
    }

    const fn or(self, also: &'static str) -> Setting {
        Setting { also, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_follows_from_the_key() {
        let peers = setting("peer_nodes");
        assert_eq!(peers.flag(), "peer-nodes");
        assert_eq!(peers.camel_flag(), "peerNodes");
        assert_eq!(peers.variable(), "STEWARD_PEER_NODES");
        assert_eq!(setting("id").camel_flag(), "id");
        assert!(setting("data").is_spelt("data") && setting("data").is_spelt("sandbox"), "Xenon's word is understood");
        assert!(!setting("id").is_spelt(""));
    }

    #[test]
    fn keys_are_unique() {
        let mut keys: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), SETTINGS.len());
    }
}
