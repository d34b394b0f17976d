//! Faults of a disk: which call on which path fails, how often, and how.

use std::time::Duration;

use rustix::io::Errno;

/// A call to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A file is made.
    Create,
    /// Something is written, or space is taken.
    Write,
    /// A file is made lasting.
    SyncFile,
    /// The names in a folder are made lasting.
    SyncFolder,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The call fails, and nothing has happened.
    Fails(Errno),
    /// A call to make something lasting answers that it did, and did nothing.
    Lies,
    /// A call to make something lasting takes so long.
    Slow(Duration),
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// In which calls.
    pub call: Call,
    /// On which paths below the root of the disk; see [`matches()`].
    pub path: String,
    /// How many such calls go well before.
    pub after: u64,
    /// How many go wrong then.
    pub times: u64,
    /// How.
    pub wrong: Wrong,
}

impl Fault {
    /// Returns a fault in every such call.
    pub fn always(call: Call, path: &str, wrong: Wrong) -> Fault {
        Fault { call, path: path.to_owned(), after: 0, times: u64::MAX, wrong }
    }

    /// Returns a fault in one such call, after `after` that go well.
    pub fn once(call: Call, path: &str, after: u64, wrong: Wrong) -> Fault {
        Fault { call, path: path.to_owned(), after, times: 1, wrong }
    }
}

/// The faults of a disk.
#[derive(Debug, Default)]
pub(super) struct Faults {
    faults: Vec<Fault>,
    /// How often something went wrong.
    pub(super) struck: u64,
}

impl Faults {
    pub(super) fn set(&mut self, faults: Vec<Fault>) {
        *self = Faults { faults, struck: 0 };
    }

    /// Lets nothing go wrong any more.
    pub(super) fn end(&mut self) {
        self.faults.clear();
    }

    /// Takes note of a call, and returns what goes wrong with it.
    pub(super) fn strike(&mut self, call: Call, path: &str) -> Option<Wrong> {
        let mut found = None;
        for fault in self.faults.iter_mut().filter(|fault| fault.call == call && matches(&fault.path, path)) {
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                found = found.or(Some(fault.wrong));
            }
        }
        self.struck += u64::from(found.is_some());
        found
    }
}

/// Returns true if `path` is as `pattern` says; `*` stands for any text without a slash, `**` for any text.
pub fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, rest)) => path.strip_prefix(start).is_some_and(|path| {
            let (is_deep, rest) = rest.strip_prefix('*').map_or((false, rest), |rest| (true, rest));
            let ends = path.char_indices().map(|(at, _)| at).chain([path.len()]);
            ends.take_while(|at| is_deep || !path[..*at].contains('/')).any(|at| matches(rest, &path[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, path, expected) in [
            ("*/log-*/*.log", "80/log-1/2.log", true),
            ("*/log-*/*.log", "80/system/1/log/2.log", false),
            ("*.log", "80/log-1/2.log", false),
            ("**.log", "80/log-1/2.log", true),
            ("80/**", "80/state/tables/1", true),
            ("80/*/", "80/state/", true),
            ("80", "80", true),
            ("80", "801", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_fault_strikes_after_and_as_often_as_it_says() {
        let mut faults = Faults::default();
        faults.set(vec![Fault::once(Call::Write, "a", 2, Wrong::Lies)]);
        let struck: Vec<bool> = (0..5).map(|_| faults.strike(Call::Write, "a").is_some()).collect();
        assert_eq!(struck, [false, false, true, false, false]);
        assert_eq!((faults.strike(Call::Create, "a"), faults.strike(Call::Write, "b"), faults.struck), (None, None, 1));
    }
}
