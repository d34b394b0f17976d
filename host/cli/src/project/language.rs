//! Languages in which services are written, as far as this binary knows their tools.

/// A language with an SDK and a template in this binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// Rust, built by cargo.
    Rust,
    /// Go, built by stock Go.
    Go,
    /// C, built by clang.
    C,
    /// Python, which is not built unless the project wants a component.
    Python,
    /// JavaScript, which is not built.
    JavaScript,
    /// TypeScript, whose types the host takes out.
    TypeScript,
}

impl Language {
    /// All of them; the first that finds its mark in a folder takes it.
    pub(crate) const ALL: [Language; 6] =
        [Language::Rust, Language::Go, Language::C, Language::Python, Language::JavaScript, Language::TypeScript];

    /// Returns its name, as people write it behind `--lang`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Go => "go",
            Language::C => "c",
            Language::Python => "python",
            Language::JavaScript => "javascript",
            Language::TypeScript => "typescript",
        }
    }

    /// Returns another name by which people call it, if there is one.
    fn short_name(self) -> Option<&'static str> {
        match self {
            Language::Rust => Some("rs"),
            Language::Go => Some("golang"),
            Language::C => None,
            Language::Python => Some("py"),
            Language::JavaScript => Some("js"),
            Language::TypeScript => Some("ts"),
        }
    }

    /// Returns the language of a name.
    ///
    /// # Errors
    /// A sentence with the names that there are.
    pub(crate) fn parse(name: &str) -> Result<Language, String> {
        let lower = name.to_ascii_lowercase();
        let found = Language::ALL
            .into_iter()
            .find(|language| language.name() == lower || language.short_name().is_some_and(|short| short == lower));
        found.ok_or_else(|| {
            let names = Language::ALL.map(Language::name).join(", ");
            format!("there is no SDK for {name:?} in this steward; there is one for: {names}")
        })
    }

    /// Returns the file by which a project of this language is known.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Language::Rust => "Cargo.toml",
            Language::Go => "go.mod",
            Language::C => "service.c",
            Language::Python => "service.py",
            Language::JavaScript => "service.js",
            Language::TypeScript => "service.ts",
        }
    }

    /// Returns the marks of all languages as a part of a sentence.
    pub(super) fn marks() -> String {
        Language::ALL.map(Language::mark).join(" or ")
    }

    /// Returns the entries of a project's folder that its tool writes.
    pub(super) fn made_by_tools(self) -> &'static [&'static str] {
        match self {
            Language::Rust => &["target", "Cargo.lock"],
            Language::Go | Language::C => &[],
            Language::Python => &["__pycache__"],
            Language::JavaScript | Language::TypeScript => &["node_modules", "package-lock.json"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_without_an_sdk_is_refused_with_those_that_have_one() {
        assert_eq!(Language::parse("Rust"), Ok(Language::Rust));
        for (short, language) in [
            ("rs", Language::Rust),
            ("golang", Language::Go),
            ("py", Language::Python),
            ("js", Language::JavaScript),
            ("TS", Language::TypeScript),
        ] {
            assert_eq!(Language::parse(short), Ok(language));
        }
        let refused = Language::parse("cobol").expect_err("there is none");
        let names = "rust, go, c, python, javascript, typescript";
        assert_eq!(refused, format!("there is no SDK for \"cobol\" in this steward; there is one for: {names}"));
    }
}
