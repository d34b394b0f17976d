//! Names of projects: what a package, a crate, a service and a path can all be called.

use steward_model::link::UTILITY_SUFFIXES;
use steward_node::HOST_BELOW_CORE;

/// Longest name in characters.
const CHARACTERS_MAX: usize = 64;

/// What cargo or the compiler keeps for itself, and what the SDK is called.
const TAKEN: [&str; 13] = [
    "alloc",
    "build",
    "core",
    "deps",
    "examples",
    "incremental",
    "main",
    "proc-macro",
    "std",
    "steward",
    "steward-sdk",
    "steward-sdk-macros",
    "test",
];

/// Words that no crate can have as its name.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Why something cannot be the name of a project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// It has a character, or a beginning or an end, that not everything named so can have.
    #[error(
        "{given:?} cannot be the name of a project: use small letters, digits and single hyphens, a letter first, {CHARACTERS_MAX} \
         characters at most"
    )]
    Form {
        /// The name as given.
        given: String,
    },
    /// Somebody else has that name.
    #[error("a project cannot be called {given:?}: {why}")]
    Taken {
        /// The name as given.
        given: String,
        /// Who has it.
        why: &'static str,
    },
}

/// The name of a project, in kebab case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    /// Returns the name that a text is.
    ///
    /// # Errors
    /// [`Error`] if it can be none.
    pub(crate) fn parse(given: &str) -> Result<Name, Error> {
        let words = || given.split('-');
        let plain = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let is_formed = given.starts_with(|first: char| first.is_ascii_lowercase()) && words().all(plain);
        if !is_formed || given.len() > CHARACTERS_MAX {
            return Err(Error::Form { given: given.to_owned() });
        }
        let taken = |why| Err(Error::Taken { given: given.to_owned(), why });
        if KEYWORDS.contains(&given) {
            return taken("it is a word of the language");
        }
        if TAKEN.contains(&given) {
            return taken("the language's tools or the SDK have that name");
        }
        if HOST_BELOW_CORE.contains(&given) {
            return taken("its service would live at a path of the host");
        }
        if UTILITY_SUFFIXES.contains(&given) {
            return taken("every service answers at that name about itself");
        }
        Ok(Name(given.to_owned()))
    }

    /// Returns a name close to `given`; none if nothing is left of it.
    pub(crate) fn like(given: &str) -> Option<Name> {
        let mut name = String::new();
        for c in given.chars() {
            match c {
                'a'..='z' | '0'..='9' => name.push(c),
                'A'..='Z' if name.ends_with(|last: char| last.is_ascii_lowercase()) => {
                    name.extend(['-', c.to_ascii_lowercase()]);
                }
                'A'..='Z' => name.push(c.to_ascii_lowercase()),
                _ if name.ends_with('-') => {}
                _ => name.push('-'),
            }
        }
        let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase()).trim_end_matches('-');
        Name::parse(name).ok()
    }

    /// Returns it in kebab case.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns it in snake case.
    pub(crate) fn snake(&self) -> String {
        self.0.replace('-', "_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_small_words_with_hyphens() {
        for name in ["counters", "a", "my-service", "x2", "order-2-go"] {
            assert_eq!(Name::parse(name).expect("a name").as_str(), name);
        }
        for name in ["", "Counters", "my_service", "2x", "-a", "a-", "a--b", "a b", "ä", "../x", &"a".repeat(65)] {
            assert!(matches!(Name::parse(name), Err(Error::Form { .. })), "{name}");
        }
        for name in ["type", "core", "steward-sdk", "modules", "history", "effects"] {
            assert!(matches!(Name::parse(name), Err(Error::Taken { .. })), "{name}");
        }
    }

    #[test]
    fn a_name_close_to_a_wrong_one_is_found() {
        let like = |given: &str| Name::like(given).map(|name| name.0);
        assert_eq!(like("MyService").as_deref(), Some("my-service"));
        assert_eq!(like("my_service ").as_deref(), Some("my-service"));
        assert_eq!(like("2. Order!").as_deref(), Some("order"));
        assert_eq!((like("42"), like("type")), (None, None));
    }
}
