//! The languages under examination: another one is another entry.

/// How a service is made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Made {
    /// A guest of this repository in Rust, by its name.
    Guest(&'static str),
    /// A script, by its path in the repository; the command `deploy` takes it as it is.
    Script(&'static str),
}

/// What becomes of an integer beyond 2^53 in a field that is declared as an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integers {
    /// It is kept digit for digit.
    Exact,
    /// It is refused, with the pointer of the field.
    Refused,
}

/// A service that fails when it is told to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failing {
    /// How it is made.
    pub(crate) made: Made,
    /// The field of a PATCH that says what to do.
    pub(crate) field: &'static str,
    /// What breaks with words, what never returns, what hoards memory, and what recurses without end.
    pub(crate) words: [&'static str; 4],
    /// The author's file.
    pub(crate) file: &'static str,
}

/// What a language has to show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Language {
    /// Its name; a part of the paths at which its services answer.
    pub(crate) name: &'static str,
    /// The counter of guest-examples/counter.
    pub(crate) counter: Made,
    /// The list of guest-examples/todo.
    pub(crate) todo: Option<Made>,
    /// The diary of guest-examples/duties: effects, timers, replies, starts, maintenance.
    pub(crate) diary: Option<Made>,
    /// A service that fails.
    pub(crate) failing: Option<Failing>,
    /// What becomes of large integers.
    pub(crate) integers: Integers,
}

/// All of them.
pub(crate) const LANGUAGES: [Language; 3] = [
    Language {
        name: "rust",
        counter: Made::Guest("counter"),
        todo: Some(Made::Guest("todo")),
        diary: Some(Made::Guest("duties")),
        failing: Some(Failing {
            made: Made::Guest("misbehave"),
            field: "do",
            words: ["panic", "loop", "allocate", "recurse"],
            file: "misbehave/src/lib.rs",
        }),
        integers: Integers::Exact,
    },
    Language {
        name: "javascript",
        counter: Made::Script("guest-examples/counter/javascript/counter.js"),
        todo: None,
        diary: None,
        failing: None,
        integers: Integers::Refused,
    },
    Language {
        name: "typescript",
        counter: Made::Script("guest-examples/counter/typescript/counter.ts"),
        todo: Some(Made::Script("guest-examples/todo/typescript/todo.ts")),
        diary: Some(Made::Script("guest-examples/duties/typescript/duties.ts")),
        failing: Some(Failing {
            made: Made::Script("guest-examples/duties/typescript/duties.ts"),
            field: "kind",
            words: ["trap", "loop", "hoard", "recurse"],
            file: "duties.ts",
        }),
        integers: Integers::Refused,
    },
];
