//! The settings of a node: their names, where their values come from, and the checked result.
//!
//! Values come from four layers (see [`gather`]): command line, environment, file, defaults.
//! [`Options::from_effective`] turns their texts into [`Options`] and refuses values that make no sense. Until then,
//! nothing is opened or bound. Nothing here knows how a command line is parsed.

mod address;
mod error;
mod file;
mod layers;
mod origin;
mod peers;
pub mod quantity;
mod settings;
mod variables;
pub mod whole;

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub use address::{PeerAddress, peer_port_of};
pub use error::Error;
pub use layers::{Effective, Given, Origin, gather};
pub use peers::PeerOptions;
pub use settings::{SETTINGS, Setting, Shape, VARIABLE_PREFIX, setting};
pub use variables::{Stranger, names as variable_names, strangers};

use steward_model::node::HostId;
use steward_model::outbound::HostPattern;
use steward_replication::pending::Amount;
use steward_sandbox::ModuleLimits;
use tracing_subscriber::filter::Directive;

/// Most bytes of the body of a request, whatever is set. A record of the commit log holds a state of this size, the answer that shows it
/// once more, and what a guest wants sent besides (4 MiB), in a frame of 32 MiB at most.
pub const REQUEST_BYTES_MAX: u64 = 12 << 20;
const _: () = assert!(2 * REQUEST_BYTES_MAX + (4 << 20) <= steward_storage::log::frame::PAYLOAD_BYTES_MAX as u64);

/// Bodies and answers that take more memory are more than a node has.
const HELD_BYTES_MAX: u64 = 1 << 40;

/// More than the sockets and tasks of a machine.
const REQUESTS_MAX: usize = 1 << 20;

/// A folder that is larger holds more modules than a group may have.
const CODE_CACHE_BYTES_MAX: u64 = 1 << 44;

/// More lines than a disk takes.
const GUEST_LOG_LINES_MAX: u32 = 1_000_000;

/// No guest can address more: its pointers have 32 bits.
const GUEST_MEMORY_BYTES_MAX: u64 = 4 << 30;

/// Whoever waits for a guest that takes longer has given up.
const GUEST_DEADLINE_MAX: Duration = Duration::from_secs(3600);

/// No module of a service is larger; all of it is in memory while it is compiled.
pub const MODULE_BYTES_MAX: u64 = 1 << 30;
const MODULE_MEMORY_BYTES_MAX: u64 = 1 << 40;

/// Nobody waits longer for a module to be compiled.
const MODULE_DEADLINE_MAX: Duration = Duration::from_secs(3600);

/// So many steps, for each byte of a state, keep a processor busy for minutes.
pub const SCHEMA_STEPS_MAX: u32 = 100_000;

/// More pending effects than memory holds: each takes some hundred bytes there.
const PENDING_EFFECTS_MAX: usize = 100_000_000;

/// More bytes of pending effects than a node has memory.
const PENDING_BYTES_MAX: u64 = 1 << 40;

/// More instances than a processor of today has addresses for.
const GUEST_INSTANCES_MAX: u32 = 4096;

/// More waiting operations would be done long after their clients have gone.
const QUEUE_LIMIT_MAX: usize = 1 << 20;

/// A log that is longer takes longer to read at a start than a node takes to be brought up to date.
const BACKLOG_BYTES_MAX: u64 = 1 << 40;

/// A client that is silent for longer holds a place for nothing.
const IDLE_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);

/// Whoever stops a node wants to see it end.
const SHUTDOWN_GRACE_MAX: Duration = Duration::from_secs(24 * 3600);

/// More members than any group has.
const QUORUM_MAX: u32 = 1024;

/// Longest name of a place in bytes.
const TAG_BYTES_MAX: usize = 256;

/// How many members of the node group must be available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// More than half of the members.
    Auto,
    /// This many, at least one.
    Fixed(u32),
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where the line that says *ready* goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announce {
    /// To standard output.
    Stdout,
    /// Into this file, which is replaced.
    File(PathBuf),
}

/// Everything that a node is told when it starts, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Port of the API; 0: the system picks one.
    pub port: u16,
    /// Address to listen on.
    pub bind_address: IpAddr,
    /// How others reach this node, without a slash at the end; none: see [`Options::public_uri_at`].
    pub public_uri: Option<String>,
    /// True if an address that is not loopback was allowed by name.
    pub insecure_public: bool,
    /// Further names by which clients may call this node, in lower case; `*`: any.
    pub host_names: Vec<String>,
    /// Web origins whose pages may call the API.
    pub cors_origin: Vec<String>,
    /// Name of the node; none: the one kept in the data folder, or a new random one.
    pub id: Option<HostId>,
    /// Rack or zone.
    pub location: Option<String>,
    /// How this node talks to others.
    pub peers: PeerOptions,
    /// Members that must be available for updates to go on.
    pub membership_quorum: Quorum,
    /// Folder in which the node keeps everything.
    pub data: PathBuf,
    /// True if state belongs into a temporary folder that is deleted at the end; `data` then means nothing.
    pub ephemeral: bool,
    /// True if the clock may be moved ahead.
    pub virtual_clock: bool,
    /// Folder of compiled guest code; none: one in the data folder.
    pub code_cache: Option<PathBuf>,
    /// About how many bytes that folder may take.
    pub code_cache_bytes: u64,
    /// Largest body of a request, in bytes.
    pub max_request_bytes: usize,
    /// Most bytes of bodies of requests, all together.
    pub body_bytes: usize,
    /// Most requests to services under way at once.
    pub requests: usize,
    /// Most bytes of answers that clients have not taken yet.
    pub answer_bytes: usize,
    /// Most memory of one guest instance, in bytes.
    pub guest_memory_bytes: usize,
    /// Longest time of one guest call.
    pub guest_deadline: Duration,
    /// How many hundredths of the instances and workers for guests one service may have, from 1 to 100.
    pub guest_share_percent: u8,
    /// Most guest instances at one time, of all services together.
    pub guest_instances: u32,
    /// Most log lines of one service in a second.
    pub guest_log_lines: u32,
    /// What guest modules may be like.
    pub modules: ModuleLimits,
    /// Most steps of a state schema, each `$ref` followed.
    pub schema_steps: u32,
    /// True if each version keeps the request that made it.
    pub record_requests: bool,
    /// Most operations that wait for one document, at least one.
    pub queue_limit: usize,
    /// What documents of this node may have to send, all together.
    pub pending_effects_max: Amount,
    /// Bytes of commit log that are kept for nodes that were away, beyond what this one needs itself.
    pub backlog_bytes: u64,
    /// Outside hosts that guests may be granted.
    pub outbound_allow: Vec<String>,
    /// How long a connection may say or take nothing.
    pub idle_timeout: Duration,
    /// How long running operations may go on after a stop.
    pub shutdown_grace: Duration,
    /// Filter of log lines, in the syntax of `RUST_LOG`.
    pub log_level: String,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Where the line that says *ready* goes; none: nowhere.
    pub announce: Option<Announce>,
}

impl Options {
    /// Checks the values of all settings.
    ///
    /// # Errors
    /// [`Error`] names the first value that cannot be used and where it was given.
    pub fn from_effective(all: &[Effective]) -> Result<Options, Error> {
        let options = Options {
            port: read(all, "port", parse_port)?,
            bind_address: read(all, "bind_address", parse_address)?,
            public_uri: read(all, "public_uri", |text| optional(text, parse_uri))?,
            insecure_public: read(all, "insecure_public", parse_switch)?,
            host_names: read(all, "host_names", |text| list(text, parse_name))?,
            cors_origin: read(all, "cors_origin", |text| list(text, parse_origin))?,
            id: read(all, "id", |text| optional(text, |id| HostId::parse(id).map_err(|e| format!("is refused: {e}"))))?,
            location: read(all, "location", |text| optional(text, parse_tag))?,
            peers: PeerOptions {
                nodes: read(all, "peer_nodes", |text| list(text, PeerAddress::listed))?,
                port: read(all, "peer_port", |text| optional(text, parse_port))?,
                secret_file: read(all, "cluster_secret_file", |text| optional(text, |path| Ok(PathBuf::from(path))))?,
                insecure: read(all, "insecure_peers", parse_switch)?,
            },
            membership_quorum: read(all, "membership_quorum", parse_quorum)?,
            data: read(all, "data", |text| Ok(PathBuf::from(text)))?,
            ephemeral: read(all, "ephemeral", parse_switch)?,
            virtual_clock: read(all, "clock", parse_clock)?,
            code_cache: read(all, "code_cache", |text| optional(text, |path| Ok(PathBuf::from(path))))?,
            code_cache_bytes: read(all, "code_cache_bytes", |text| parse_bytes(text, CODE_CACHE_BYTES_MAX))? as u64,
            max_request_bytes: read(all, "max_request_bytes", |text| parse_bytes(text, REQUEST_BYTES_MAX))?,
            body_bytes: read(all, "body_bytes", |text| parse_bytes(text, HELD_BYTES_MAX))?,
            requests: read(all, "requests", |text| parse_count(text, REQUESTS_MAX))?,
            answer_bytes: read(all, "answer_bytes", |text| parse_bytes(text, HELD_BYTES_MAX))?,
            guest_memory_bytes: read(all, "guest_memory", |text| parse_bytes(text, GUEST_MEMORY_BYTES_MAX))?,
            guest_deadline: read(all, "guest_deadline", |text| parse_span(text, GUEST_DEADLINE_MAX))?,
            guest_share_percent: read(all, "guest_share", parse_percent)?,
            guest_instances: read(all, "guest_instances", |text| parse_count(text, GUEST_INSTANCES_MAX))?,
            guest_log_lines: read(all, "guest_log_lines", |text| parse_count(text, GUEST_LOG_LINES_MAX))?,
            modules: ModuleLimits {
                bytes_max: read(all, "module_bytes", |text| parse_bytes(text, MODULE_BYTES_MAX))?,
                functions_max: read(all, "module_functions", |text| parse_count(text, u32::MAX))?,
                function_bytes_max: read(all, "module_function_bytes", |text| parse_bytes(text, MODULE_BYTES_MAX))?,
                locals_max: read(all, "module_locals", |text| parse_count(text, u32::MAX))?,
                memory_bytes_max: read(all, "module_memory", |text| parse_bytes(text, MODULE_MEMORY_BYTES_MAX))?,
                deadline: read(all, "module_deadline", |text| parse_span(text, MODULE_DEADLINE_MAX))?,
            },
            schema_steps: read(all, "schema_steps", |text| parse_count(text, SCHEMA_STEPS_MAX))?,
            record_requests: read(all, "record_requests", parse_switch)?,
            queue_limit: read(all, "queue_limit", |text| parse_count(text, QUEUE_LIMIT_MAX))?,
            pending_effects_max: Amount::bound(
                read(all, "pending_effects", |text| parse_count(text, PENDING_EFFECTS_MAX))?,
                read(all, "pending_bytes", |text| parse_bytes(text, PENDING_BYTES_MAX))?,
            ),
            backlog_bytes: read(all, "backlog", parse_backlog)?,
            outbound_allow: read(all, "outbound_allow", |text| list(text, parse_outbound))?,
            idle_timeout: read(all, "idle_timeout", |text| parse_span(text, IDLE_TIMEOUT_MAX))?,
            shutdown_grace: read(all, "shutdown_grace", |text| parse_span_or_none(text, SHUTDOWN_GRACE_MAX))?,
            log_level: read(all, "log_level", parse_filter)?,
            log_format: read(all, "log_format", parse_format)?,
            announce: read(all, "announce", |text| optional(text, |place| Ok(parse_announce(place))))?,
        };
        options.check_address(origin(all, "bind_address"))?;
        options.check_peers(origin(all, "peer_nodes"))?;
        options.check_bodies(origin(all, "body_bytes"))?;
        // Times that never were must not be kept with anybody's documents.
        if options.virtual_clock && !options.ephemeral {
            let reason = "moves times that would be kept: say --ephemeral too".to_owned();
            return Err(Error::Value { origin: origin(all, "clock").clone(), text: "virtual".to_owned(), reason });
        }
        Ok(options)
    }

    /// Returns how others reach this node once it listens on `port`: the public URI, or one made of address and port.
    pub fn public_uri_at(&self, port: u16) -> String {
        match &self.public_uri {
            Some(uri) => uri.clone(),
            None => format!("http://{}", SocketAddr::new(self.bind_address, port)),
        }
    }

    /// What is larger than all bodies may be together would never be taken, however often it is sent.
    fn check_bodies(&self, origin: &Origin) -> Result<(), Error> {
        let (largest, flag) = match self.modules.bytes_max > self.max_request_bytes {
            true => (self.modules.bytes_max, "--module-bytes"),
            false => (self.max_request_bytes, "--max-request-bytes"),
        };
        if self.body_bytes >= largest {
            return Ok(());
        }
        let size = |bytes: usize| quantity::show_size(bytes as u64);
        let reason = format!("must be at least {}, which is {flag}", size(largest));
        Err(Error::Value { origin: origin.clone(), text: size(self.body_bytes), reason })
    }

    fn check_address(&self, origin: &Origin) -> Result<(), Error> {
        let address = self.bind_address;
        if !address.is_loopback() && !self.insecure_public {
            return Err(Error::Public { origin: origin.clone(), address });
        }
        if address.is_unspecified() && self.public_uri.is_none() {
            return Err(Error::Unnamed { origin: origin.clone(), address });
        }
        Ok(())
    }

    fn check_peers(&self, origin: &Origin) -> Result<(), Error> {
        let (address, peers) = (self.bind_address, &self.peers);
        let open = !address.is_loopback() && peers.secret_file.is_none() && !peers.insecure;
        match peers.at(address, &self.public_uri_at(self.port), self.port) {
            Some(Err(reason)) => Err(Error::Unreached { origin: origin.clone(), reason }),
            Some(Ok(_)) if open => Err(Error::OpenPeers { origin: origin.clone(), address }),
            Some(Ok(_)) | None => Ok(()),
        }
    }
}

fn found<'a>(all: &'a [Effective], key: &str) -> &'a Effective {
    let wanted = setting(key);
    all.iter().find(|effective| effective.setting == wanted).expect("every setting has a value: see `gather`")
}

fn origin<'a>(all: &'a [Effective], key: &str) -> &'a Origin {
    &found(all, key).origin
}

fn read<T>(all: &[Effective], key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, Error> {
    let effective = found(all, key);
    let refused = |reason| Error::Value { origin: effective.origin.clone(), text: effective.text.clone(), reason };
    parse(effective.text.trim()).map_err(refused)
}

fn optional<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn list<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(parse).collect()
}

fn parse_clock(text: &str) -> Result<bool, String> {
    match text {
        "real" => Ok(false),
        "virtual" => Ok(true),
        _ => Err("is no clock: write real or virtual".to_owned()),
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "is not a port: 0 to 65535".to_owned())
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse().map_err(|_| "is not an IP address: write 127.0.0.1, ::1 or 0.0.0.0".to_owned())
}

fn parse_uri(text: &str) -> Result<String, String> {
    let refused = || "is not an http URI: write http://NAME:PORT".to_owned();
    let uri = http::Uri::from_str(text).map_err(|_| refused())?;
    if uri.scheme_str() != Some("http") || uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
        return Err(refused());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn parse_name(text: &str) -> Result<String, String> {
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if text == "*" || text.bytes().all(in_name) {
        return Ok(text.trim_end_matches('.').to_ascii_lowercase());
    }
    Err("is not the name of a host: write NAME, without scheme and port".to_owned())
}

fn parse_origin(text: &str) -> Result<String, String> {
    let uri = http::Uri::from_str(text).ok();
    let whole = uri.is_some_and(|uri| uri.scheme().is_some() && uri.path() == "/" && !text.ends_with('/'));
    if whole || text == "*" {
        return Ok(text.to_owned());
    }
    Err("is not a web origin: write https://NAME or https://NAME:PORT, without a path".to_owned())
}

fn parse_outbound(text: &str) -> Result<String, String> {
    text.parse::<HostPattern>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn parse_switch(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "must be true or false".to_owned())
}

fn parse_quorum(text: &str) -> Result<Quorum, String> {
    if text == "auto" {
        return Ok(Quorum::Auto);
    }
    match text.parse() {
        Ok(members) if (1..=QUORUM_MAX).contains(&members) => Ok(Quorum::Fixed(members)),
        Ok(_) | Err(_) => Err(format!("must be 1 or more, or auto; no group has more than {QUORUM_MAX} members")),
    }
}

fn parse_tag(text: &str) -> Result<String, String> {
    match text.len() <= TAG_BYTES_MAX {
        true => Ok(text.to_owned()),
        false => Err(format!("is too long: {TAG_BYTES_MAX} bytes are enough for the name of a place")),
    }
}

fn parse_bytes(text: &str, max: u64) -> Result<usize, String> {
    let bytes = quantity::parse_size(text)?;
    match usize::try_from(bytes) {
        Ok(bytes) if bytes > 0 && bytes as u64 <= max => Ok(bytes),
        Ok(_) | Err(_) => Err(format!("must be one byte or more, and at most {}", quantity::show_size(max))),
    }
}

fn parse_span(text: &str, max: Duration) -> Result<Duration, String> {
    match parse_span_or_none(text, max)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        span => Ok(span),
    }
}

fn parse_span_or_none(text: &str, max: Duration) -> Result<Duration, String> {
    match quantity::parse_duration(text)? {
        span if span > max => Err(format!("must be at most {} s", max.as_secs())),
        span => Ok(span),
    }
}

fn parse_backlog(text: &str) -> Result<u64, String> {
    match quantity::parse_size(text)? {
        bytes if bytes > BACKLOG_BYTES_MAX => {
            Err(format!("must be at most {}", quantity::show_size(BACKLOG_BYTES_MAX)))
        }
        bytes => Ok(bytes),
    }
}

fn parse_count<T: Copy + FromStr + PartialOrd + From<u8> + Display>(text: &str, max: T) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| (T::from(1)..=max).contains(number));
    number.ok_or_else(|| format!("must be 1 or more, and at most {max}"))
}

fn parse_percent(text: &str) -> Result<u8, String> {
    match text.trim_end_matches('%').parse() {
        Ok(percent @ 1..=100) => Ok(percent),
        Ok(_) | Err(_) => Err("must be a percentage: 1 to 100".to_owned()),
    }
}

/// A word that is no level would be taken for the name of a module, and silence everything else.
fn parse_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let refused =
        || "is not understood: write error, warn, info, debug or trace, or add modules: info,steward_node=debug";
    for directive in text.split(',').map(str::trim) {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level.trim());
        if !is_level(level) || directive.parse::<Directive>().is_err() {
            return Err(refused().to_owned());
        }
    }
    Ok(text.to_owned())
}

fn parse_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json".to_owned()),
    }
}

fn parse_announce(text: &str) -> Announce {
    if text == "-" { Announce::Stdout } else { Announce::File(PathBuf::from(text)) }
}

#[cfg(test)]
mod tests;
