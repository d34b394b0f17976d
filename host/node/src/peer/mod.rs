//! Bytes between nodes: connections that vouch for who is at their ends.
//!
//! Problem: what nodes ask each other must not wait behind something else: neither a beat behind a snapshot, nor a peer behind ten
//! thousand clients. It must not be taken from a stranger, nor said to one, nor fill the memory of a node that is slow.
//!
//! Promise: there is one connection per pair of nodes and [`Lane`], on a listener of its own, served by a thread of its own: neither
//! clients nor guests hold it up. A connection exists only between two nodes that have proven to each other that they know the
//! cluster secret, and that agree on the version, the cluster, its incarnation and who the other one is; otherwise it is refused,
//! and both sides say why. Everything has a deadline: the handshake, a request, a write, silence. Whatever one node can make
//! another one keep is bounded: bytes under way by a window of credit, requests by their number, strangers by places.
//!
//! ```text
//!   dialer (the higher number)                       acceptor
//!     │── Hello, nonce ─────────────────────────────────►│
//!     │◄───────────── Hello, nonce, proof of the secret ─│   each proof covers both Hellos
//!     │── proof of the secret ──────────────────────────►│
//!     │◄──────────────────────── Welcome, or why not ────│
//!     │◄═ frames: notice, request, answer, credit, alive ═►│
//! ```
//!
//! The node with the higher number dials, so that there is one connection and not two; a node without a number dials until it has
//! one. What the bytes of a message mean is up to the [`Service`] that offers its [`Topic`].
//!
//! Source: host/docs/protocol.md, "Links". Left out: TLS. A secret that is known proves who connects. Somebody who can change packets
//! under way can still read and take over a connection, so the network between nodes has to be trusted with that.

mod credit;
mod dial;
mod frame;
mod handshake;
mod hello;
mod lane;
mod link;
mod links;
mod listen;
mod refusals;
mod said;
mod secret;
#[cfg(test)]
mod tests;
mod thread;

pub(crate) use dial::Guest;
pub(crate) use hello::Incarnation;
pub(crate) use lane::{Lane, Topic};
pub(crate) use link::{Error, Origin, Service};
pub(crate) use links::{Links, Ourselves};
pub(crate) use refusals::RefusedPeer;
pub use said::describe as describe_peer_bytes;
pub(crate) use secret::Secret;
pub(crate) use thread::{PeerThread, Tasks};
