//! File descriptors: how many this process may have, and how they are shared out.
//!
//! Problem: every connection takes a descriptor. The segments of the commit log and the tables of the state store take
//! descriptors too. A client that opens many connections must not keep the node from writing.
//!
//! Promise: the limit is raised as far as the system allows. A reserve is kept for everything but connections, and
//! connections get the rest. The reserve is a sum of named shares. If the system allows few descriptors, the reserve is
//! smaller, and the state store keeps fewer tables open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For segments of the commit log: those that are written, prepared, trimmed and read, and their folder.
const LOG: usize = 32;
/// For tables and journals of the state store: what it keeps open, and what is open while tables are merged.
const STORE: usize = 320;
/// For guest modules and compiled code while they are read and written.
const MODULES: usize = 32;
/// For peers, and for hosts outside to which effects go.
const PEERS: usize = 64;
/// For clients that wait for a place, or are told that there is none; see [`Descriptors::doorstep`].
const DOORSTEP: usize = 16;
/// For the runtime, the standard streams, the system group and what is opened for a moment.
const REST: usize = 48;

/// What is kept from connections if the system allows enough.
const RESERVE: usize = LOG + STORE + MODULES + PEERS + DOORSTEP + REST;

/// Fewest descriptors with which a node starts.
const LIMIT_MIN: usize = 192;

/// Most connections of clients, however many descriptors there are.
const CLIENTS_MAX: usize = 16 * 1024;

/// The system allows so few descriptors that the node could not keep its data open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the system allows this process {limit} file descriptors, and a node needs {LIMIT_MIN}: raise the hard limit (`ulimit -Hn`, \
     LimitNOFILE= of systemd)"
)]
pub struct TooFew {
    limit: usize,
}

/// How the file descriptors of this process are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// How many the process may have open at once.
    pub limit: usize,
    /// How many of them connections of clients may take.
    pub clients: usize,
    /// How many connections beyond that may be open for a moment, to wait for a place or to be refused.
    pub doorstep: usize,
}

impl Descriptors {
    /// Raises the limit of this process as far as the system allows, and shares it out.
    ///
    /// # Errors
    /// [`TooFew`] if that is too little for a node.
    pub fn claim() -> Result<Descriptors, TooFew> {
        let allowed = getrlimit(Resource::Nofile);
        // What cannot be raised is used as it is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, maximum: allowed.maximum });
        let limit =
            getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit.try_into().unwrap_or(usize::MAX));
        Descriptors::of(limit)
    }

    /// Shares out `limit` descriptors.
    ///
    /// # Errors
    /// [`TooFew`] if that is too little for a node.
    fn of(limit: usize) -> Result<Descriptors, TooFew> {
        if limit < LIMIT_MIN {
            return Err(TooFew { limit });
        }
        let reserve = RESERVE.min(limit / 4 * 3);
        Ok(Descriptors { limit, clients: (limit - reserve).min(CLIENTS_MAX), doorstep: DOORSTEP })
    }

    /// Returns what connections leave to everything else.
    pub fn reserve(&self) -> usize {
        self.limit - self.clients
    }
}

/// Returns how many descriptors this process has open; none if the system does not tell.
pub fn open() -> Option<usize> {
    std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_never_get_what_the_node_needs_itself() {
        for limit in [LIMIT_MIN, 256, 400, 683, 1024, 4096, 20_000, usize::MAX] {
            let shared = Descriptors::of(limit).expect("enough");
            assert!(shared.clients >= LIMIT_MIN / 4 && shared.clients <= CLIENTS_MAX, "{shared:?}");
            assert!(shared.reserve() >= (limit / 4 * 3).min(RESERVE), "{shared:?}");
        }
        assert_eq!(Descriptors::of(LIMIT_MIN - 1), Err(TooFew { limit: LIMIT_MIN - 1 }));
    }

    #[test]
    fn the_limit_is_as_high_as_the_system_allows() {
        let claimed = Descriptors::claim().expect("enough for a test");
        let allowed = getrlimit(Resource::Nofile);
        assert_eq!(allowed.current, allowed.maximum);
        assert!(open().is_some_and(|open| open > 0 && open < claimed.limit));
    }
}
