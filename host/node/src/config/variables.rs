//! Variables of the environment that look like ours and are none: most of them are misspelt, and what they were to say is not said.

use std::fmt;

use steward_model::likeness::nearest;

use super::settings::{SETTINGS, VARIABLE_PREFIX};

/// What the command line reads besides the settings of a node, without the prefix.
const OTHERS: [&str; 7] = ["CONFIG", "URL", "OUTPUT", "TIMEOUT", "COLOR", "TIME", "YES"];

/// What begins the names of variables that tests and recipes read.
const OF_TESTS: [&str; 3] = ["TEST_", "BINARY", "RUNNER_"];

/// A variable that nobody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// Its name. Its value is never told: it may be a secret.
    pub name: String,
    /// The variable that was meant, if one is alike.
    pub meant: Option<String>,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the variable {} says nothing to steward", self.name)?;
        self.meant.iter().try_for_each(|meant| write!(f, ": did you mean {meant}?"))
    }
}

/// Returns the variables among `names` that have our prefix and that nobody reads.
pub fn strangers(names: impl Iterator<Item = String>) -> Vec<Stranger> {
    // Without the prefix, which is the same everywhere and would make them all alike, and in lower case.
    let known: Vec<String> =
        SETTINGS.iter().map(|setting| setting.key.to_owned()).chain(OTHERS.map(str::to_ascii_lowercase)).collect();
    let stranger = |name: String| {
        let rest = name.strip_prefix(VARIABLE_PREFIX)?;
        let of_tests = OF_TESTS.iter().any(|start| rest.starts_with(start));
        if of_tests || known.iter().any(|known| known.to_ascii_uppercase() == rest) {
            return None;
        }
        let meant = nearest(rest, known.iter().map(String::as_str));
        let meant = meant.map(|meant| format!("{VARIABLE_PREFIX}{}", meant.to_ascii_uppercase()));
        Some(Stranger { meant, name })
    };
    names.filter_map(stranger).collect()
}

/// Returns the names of the variables of this process, but for those that are no text: none of ours is.
pub fn names() -> impl Iterator<Item = String> {
    std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &[&str]) -> Vec<String> {
        strangers(names.iter().map(|name| (*name).to_owned())).iter().map(Stranger::to_string).collect()
    }

    #[test]
    fn misspelt_variables_are_told_with_what_was_meant() {
        assert_eq!(
            told(&["STEWARD_PROT", "STEWARD_PEERS_NODES", "STEWARD_COLOUR", "STEWARD_XYZZY"]),
            [
                "the variable STEWARD_PROT says nothing to steward: did you mean STEWARD_PORT?",
                "the variable STEWARD_PEERS_NODES says nothing to steward: did you mean STEWARD_PEER_NODES?",
                "the variable STEWARD_COLOUR says nothing to steward: did you mean STEWARD_COLOR?",
                "the variable STEWARD_XYZZY says nothing to steward",
            ]
        );
    }

    #[test]
    fn what_somebody_reads_is_no_stranger() {
        assert_eq!(told(&["STEWARD_PORT", "STEWARD_YES", "STEWARD_CONFIG", "STEWARD_BINARY", "PORT", "PATH"]), [""; 0]);
    }
}
