//! A network of the tests: hosts in namespaces of their own, joined by a bridge, whose links can be cut in either direction.
//!
//! What is cut is lost without a word, as on a wire: the sender has a wrong hardware address for the receiver. Clients of the test
//! reach every host all the time. It takes root and the `ip` command; where they are not there is no such network, and tests that
//! need it say so and pass over.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

/// An address that nobody has.
const NOBODY: &str = "02:00:00:00:00:ff";

/// Networks of one process at once.
const NETWORKS_MAX: u8 = 8;

/// A bridge with its hosts, which are counted from 0. Dropping it takes all of it down.
pub struct Network {
    name: String,
    subnet: [u8; 3],
    count: usize,
}

fn ip(arguments: &[&str]) -> bool {
    let command = Command::new("ip").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    command.is_ok_and(|status| status.success())
}

impl Network {
    /// Returns a network of `count` hosts; none if this machine does not let the test make one.
    pub fn new(count: usize) -> Option<Network> {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % NETWORKS_MAX;
        let process = std::process::id();
        let [.., high, low] = process.to_be_bytes();
        // Of the private addresses those that hardly anybody uses; two processes share one only if their numbers are far apart.
        let subnet = [10, 128 | (high & 0x7f), (low & 0x1f) << 3 | number];
        let network = Network { name: format!("st{process:x}{number}"), subnet, count };
        match network.build() {
            true => Some(network),
            false => {
                println!("passed over: this machine lets nobody make network namespaces (root, and the command ip)");
                None
            }
        }
    }

    fn build(&self) -> bool {
        let (bridge, [a, b, c]) = (&self.name, self.subnet);
        let is_there = ip(&["link", "add", bridge, "type", "bridge"])
            && ip(&["addr", "add", &format!("{a}.{b}.{c}.254/24"), "dev", bridge])
            && ip(&["link", "set", bridge, "up"]);
        is_there && (0..self.count).all(|at| self.plug_in(at))
    }

    fn plug_in(&self, at: usize) -> bool {
        let (space, plug, address) = (self.namespace(at), format!("{}p{at}", self.name), self.address(at));
        ip(&["netns", "add", &space])
            && ip(&["link", "add", &plug, "type", "veth", "peer", "name", "eth0", "netns", &space])
            && ip(&["link", "set", &plug, "master", &self.name, "up"])
            && ip(&["-n", &space, "addr", "add", &format!("{address}/24"), "dev", "eth0"])
            && ip(&["-n", &space, "link", "set", "eth0", "up"])
            && ip(&["-n", &space, "link", "set", "lo", "up"])
    }

    /// Returns how many hosts there are.
    pub fn hosts(&self) -> usize {
        self.count
    }

    /// Returns the namespace of a host, for [`Circumstances`](crate::host::Circumstances).
    pub fn namespace(&self, at: usize) -> String {
        format!("{}n{at}", self.name)
    }

    /// Returns the address of a host.
    pub fn address(&self, at: usize) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, u8::try_from(at + 1).expect("a network of few hosts"))
    }

    /// Has everything lost that one host sends to another.
    pub fn cut(&self, from: usize, to: usize) {
        let (space, address) = (self.namespace(from), self.address(to).to_string());
        let cut = ["-n", &space, "neigh", "replace", &address, "lladdr", NOBODY, "dev", "eth0", "nud", "permanent"];
        assert!(ip(&cut), "the link from {from} to {to} cannot be cut");
    }

    /// Cuts both directions between a host and all others.
    pub fn isolate(&self, at: usize) {
        for other in (0..self.count).filter(|other| *other != at) {
            self.cut(at, other);
            self.cut(other, at);
        }
    }

    /// Mends all links.
    pub fn heal(&self) {
        for from in 0..self.count {
            for to in (0..self.count).filter(|to| *to != from) {
                // Most were never cut.
                let _ =
                    ip(&["-n", &self.namespace(from), "neigh", "del", &self.address(to).to_string(), "dev", "eth0"]);
            }
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for at in 0..self.count {
            // Its plug goes with it.
            ip(&["netns", "del", &self.namespace(at)]);
        }
        ip(&["link", "del", &self.name]);
    }
}
