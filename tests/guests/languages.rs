//! The languages under examination: another one is another entry.

use steward_tests::examples::Example;

/// How a service is made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Made {
    /// A guest of this repository in Rust, by its name.
    Guest(&'static str),
    /// A script, by its path in the repository; the command `deploy` takes it as it is.
    Script(&'static str),
    /// An example that `steward build` builds with the tool of its language. Where that says that the tool is missing, the language is
    /// passed over.
    Project(Example),
}

/// What becomes of an integer beyond 2^53 in a field that is declared as an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integers {
    /// It is kept digit for digit.
    Exact,
    /// It is refused, with the pointer of the field.
    Refused,
}

/// A word that makes a service fail, and the codes of the problems of which a client is told one.
pub(crate) type Word = (&'static str, &'static [&'static str]);

/// A service that fails when it is told to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failing {
    /// How it is made.
    pub(crate) made: Made,
    /// The field of a PATCH that says what to do.
    pub(crate) field: &'static str,
    /// What breaks with words.
    pub(crate) breaks: Word,
    /// What hoards memory.
    pub(crate) hoards: Word,
    /// What recurses without end.
    pub(crate) recurses: Word,
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
    pub(crate) todo: Made,
    /// The diary of guest-examples/duties: effects, timers, replies, starts, maintenance.
    pub(crate) diary: Made,
    /// A service that fails.
    pub(crate) failing: Failing,
    /// What becomes of large integers.
    pub(crate) integers: Integers,
    /// Calls that one instance has to serve in every run.
    pub(crate) calls: u64,
    /// What it may have in memory meanwhile.
    pub(crate) memory_bytes_max: usize,
}

/// All of them.
pub(crate) const LANGUAGES: [Language; 7] = [
    Language {
        name: "rust",
        counter: Made::Guest("counter"),
        todo: Made::Guest("todo"),
        diary: Made::Guest("duties"),
        failing: Failing {
            made: Made::Guest("misbehave"),
            field: "do",
            breaks: ("panic", &["guest-trap"]),
            hoards: ("allocate", &["guest-memory"]),
            // A stack that is used up may leave no room for words.
            recurses: ("recurse", &["guest-stack", "guest-trap"]),
            file: "misbehave/src/lib.rs",
        },
        integers: Integers::Exact,
        calls: 20_000,
        memory_bytes_max: 4 << 20,
    },
    Language {
        name: "go",
        counter: project("go", "guest-examples/counter/go"),
        todo: project("go", "guest-examples/todo/go"),
        diary: project("go", "guest-examples/duties/go"),
        failing: diary(
            project("go", "guest-examples/duties/go"),
            "duties.go",
            Codes { breaks: &["guest-panic"], ..TRAPS },
        ),
        integers: Integers::Exact,
        calls: 20_000,
        memory_bytes_max: 32 << 20,
    },
    Language {
        name: "c",
        counter: project("c", "guest-examples/counter/c"),
        todo: project("c", "guest-examples/todo/c"),
        diary: project("c", "guest-examples/duties/c"),
        failing: diary(project("c", "guest-examples/duties/c"), "service.c", TRAPS),
        integers: Integers::Exact,
        calls: 20_000,
        memory_bytes_max: 2 << 20,
    },
    Language {
        name: "python",
        counter: project("python", "guest-examples/counter/python"),
        todo: project("python", "guest-examples/todo/python"),
        diary: project("python", "guest-examples/duties/python"),
        failing: diary(project("python", "guest-examples/duties/python"), "service.py", EXCEPTIONS),
        integers: Integers::Exact,
        calls: 5_000,
        memory_bytes_max: 64 << 20,
    },
    // The very files of which components are made above.
    Language {
        name: "python-script",
        counter: Made::Script("guest-examples/counter/python/service.py"),
        todo: Made::Script("guest-examples/todo/python/service.py"),
        diary: Made::Script("guest-examples/duties/python/service.py"),
        failing: diary(Made::Script("guest-examples/duties/python/service.py"), "service.py", EXCEPTIONS),
        integers: Integers::Exact,
        calls: 2_000,
        memory_bytes_max: 64 << 20,
    },
    Language {
        name: "javascript",
        counter: Made::Script("guest-examples/counter/javascript/counter.js"),
        todo: Made::Script("guest-examples/todo/javascript/todo.js"),
        diary: Made::Script("guest-examples/duties/javascript/duties.js"),
        failing: diary(Made::Script("guest-examples/duties/javascript/duties.js"), "duties.js", TRAPS),
        integers: Integers::Refused,
        calls: 5_000,
        memory_bytes_max: 8 << 20,
    },
    Language {
        name: "typescript",
        counter: Made::Script("guest-examples/counter/typescript/counter.ts"),
        todo: Made::Script("guest-examples/todo/typescript/todo.ts"),
        diary: Made::Script("guest-examples/duties/typescript/duties.ts"),
        failing: diary(Made::Script("guest-examples/duties/typescript/duties.ts"), "duties.ts", TRAPS),
        integers: Integers::Refused,
        calls: 5_000,
        memory_bytes_max: 8 << 20,
    },
];

const fn project(language: &'static str, folder: &'static str) -> Made {
    Made::Project(Example { language, folder })
}

/// With which codes a client is told how a diary fails.
struct Codes {
    breaks: &'static [&'static str],
    hoards: &'static [&'static str],
    recurses: &'static [&'static str],
}

/// Of a language whose services end with the instance.
const TRAPS: Codes =
    Codes { breaks: &["guest-trap"], hoards: &["guest-memory"], recurses: &["guest-stack", "guest-trap"] };

/// Of a language that has an exception for everything.
const EXCEPTIONS: Codes =
    Codes { breaks: &["guest-exception"], hoards: &["guest-exception"], recurses: &["guest-exception"] };

/// Returns a diary as a service that fails: it does when its PATCH has such a kind.
const fn diary(made: Made, file: &'static str, codes: Codes) -> Failing {
    Failing {
        made,
        field: "kind",
        breaks: ("trap", codes.breaks),
        hoards: ("hoard", codes.hoards),
        recurses: ("recurse", codes.recurses),
        file,
    }
}
