//! The words of the command line before they are parsed: if there are only flags, the command is `start`.

use std::ffi::OsString;

use clap::ColorChoice;

use super::{help, start};

/// Puts the word `start` in front if the words are flags of a node without a command.
pub(super) fn with_start(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    if !words.is_empty() && means_start(&words[1..]) {
        words.insert(1, OsString::from("start"));
    }
    words
}

/// The first word that is a command or a flag of a node decides. Without either, a flag that nobody knows is taken for a
/// misspelt flag of a node, so that the error can suggest the right one.
fn means_start(words: &[OsString]) -> bool {
    let mut unknown = false;
    for word in words.iter().filter_map(|word| word.to_str()) {
        if help::is_command(word) {
            return false;
        }
        let Some(flag) = word.strip_prefix("--") else { continue };
        let name = flag.split('=').next().unwrap_or_default();
        if start::is_flag(name) {
            return true;
        }
        unknown |= !help::is_global_flag(name);
    }
    unknown
}

/// Returns what `--color` says, for help and errors that are written before flags are known.
pub(super) fn colour(words: &[OsString]) -> ColorChoice {
    let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
    let after = words.windows(2).find(|pair| pair[0] == "--color").map(|pair| pair[1]);
    match after.or_else(|| words.iter().find_map(|word| word.strip_prefix("--color="))) {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        Some(_) | None => ColorChoice::Auto,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(words: &[&str]) -> String {
        let words = ["steward"].iter().chain(words).map(OsString::from);
        with_start(words).get(1).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
    }

    #[test]
    fn flags_alone_mean_start() {
        assert_eq!(first(&["--port", "8000"]), "start");
        assert_eq!(first(&["--peerNodes=http://a", "--sandbox", "x"]), "start");
        assert_eq!(first(&["-q", "--ephemeral"]), "start");
        assert_eq!(first(&["--id", "status"]), "start");
        assert_eq!(first(&["--prot", "1"]), "start");
    }

    #[test]
    fn commands_and_global_flags_are_left_alone() {
        assert_eq!(first(&["status", "--port"]), "status");
        assert_eq!(first(&["-o", "json", "config", "show", "--port", "1"]), "-o");
        assert_eq!(first(&["--help"]), "--help");
        assert_eq!(first(&["--output", "json", "gte", "/a"]), "--output");
        assert_eq!(first(&[]), "");
    }

    #[test]
    fn colour_is_known_before_parsing() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(colour(&words(&["--color", "never"])), ColorChoice::Never);
        assert_eq!(colour(&words(&["--color=always", "--help"])), ColorChoice::Always);
        assert_eq!(colour(&words(&["get"])), ColorChoice::Auto);
    }
}
