//! Why a configuration is refused. Every text says how to mend it.

use std::path::PathBuf;

use super::origin::Origin;

/// A configuration is refused. Nothing has been started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read configuration file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{}:{line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        reason: String,
    },
    /// The file has a key that means nothing.
    #[error("{}:{line}: there is no setting {key:?}", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key as it is written.
        key: String,
        /// The setting that was probably meant.
        meant: Option<&'static str>,
    },
    /// A value cannot be used.
    #[error("{origin}: {text:?} {reason}")]
    Value {
        /// Where the value was given.
        origin: Origin,
        /// The value as it was given.
        text: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Anybody on the network could read and change everything.
    #[error("{origin}: refusing to listen on {address}, which is not a loopback address: requests carry no identity")]
    Public {
        /// Where the address was given.
        origin: Origin,
        /// The address.
        address: std::net::IpAddr,
    },
    /// Others cannot be told how to reach a node that listens everywhere.
    #[error("{origin}: with {address} others must be told another address, and public_uri is not set")]
    Unnamed {
        /// Where the address was given.
        origin: Origin,
        /// The address.
        address: std::net::IpAddr,
    },
    /// Anybody on the network could become a node of the group.
    #[error(
        "{origin}: refusing to listen to peers on {address}, which is not a loopback address, without a cluster secret"
    )]
    OpenPeers {
        /// Where the peers were given.
        origin: Origin,
        /// The address.
        address: std::net::IpAddr,
    },
    /// Others cannot be told how to reach this node.
    #[error("{origin}: peers cannot be told where this node listens: {reason}")]
    Unreached {
        /// Where the peers were given.
        origin: Origin,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// Returns sentences that say how to mend it, the best first.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Error::Unreadable { .. } => vec!["name another file with --config, or none".to_owned()],
            Error::UnknownKey { meant: Some(key), .. } => vec![format!("did you mean {key:?}?")],
            Error::UnknownKey { meant: None, .. } => vec!["all settings: steward config show".to_owned()],
            Error::Public { .. } => {
                vec!["add --insecure-public if every machine that reaches this address may do everything".to_owned()]
            }
            Error::Unnamed { .. } => vec!["add --public-uri http://NAME:PORT".to_owned()],
            Error::OpenPeers { .. } => vec![
                "add --cluster-secret-file FILE, the same secret on all nodes; make one with `openssl rand -hex 32`"
                    .to_owned(),
                "or add --insecure-peers if every machine that reaches the port for peers may do everything".to_owned(),
            ],
            Error::Unreached { .. } => vec!["set --public-uri http://NAME:PORT".to_owned()],
            Error::Syntax { .. } | Error::Value { .. } => Vec::new(),
        }
    }
}
