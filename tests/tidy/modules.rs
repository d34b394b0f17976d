//! Which file of a crate uses which other file, as the paths in its code say.
//!
//! A path is followed to the file that *defines* what it names: through modules, through what a file imports and
//! re-exports (`pub use`), and upwards (`super`). So `use super::Offset` in `log/append.rs` is a use of `offset.rs` if
//! `log/mod.rs` only re-exports `Offset`, and a use of `log/mod.rs` if it is defined there. A `mod` line and a line
//! that only re-exports are no uses.
//!
//! Left out: globs (the product has none of its own modules), calls of methods, code that macros write.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::line_of;
use crate::tree::Tree;

/// Imports that lead to one another are followed no deeper.
const FOLLOWED_MAX: usize = 16;

/// What stands before a name that is defined there.
const DEFINING: [&str; 9] = ["mod", "fn", "struct", "enum", "union", "trait", "type", "const", "static"];

/// One use of one file by another.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    /// Place of the used file in [`Modules::paths`].
    pub(crate) of: usize,
    /// The line of the first use, from 1.
    pub(crate) line: usize,
    /// The first name that is taken.
    pub(crate) name: String,
}

/// The files of one crate and how they use one another.
pub(crate) struct Modules {
    /// Paths of the files, relative to the repository.
    pub(crate) paths: Vec<String>,
    /// What each of them uses, one [`Use`] a file, in the order of `paths`.
    pub(crate) uses: Vec<Vec<Use>>,
}

impl Modules {
    /// Reads the product code of the crate whose root is in `folder`, which ends with a slash.
    pub(crate) fn of(tree: &Tree, folder: &str) -> Modules {
        let files: Vec<_> = tree.product(folder).filter(|(file, _)| file.path != format!("{folder}main.rs")).collect();
        let texts: Vec<Text> =
            files.iter().map(|(file, source)| Text::of(&file.path[folder.len()..], &source.product)).collect();
        let names = texts.iter().enumerate().map(|(at, text)| (text.module.clone(), at)).collect();
        let crate_ = Crate { texts: &texts, names };
        Modules {
            paths: files.iter().map(|(file, _)| file.path.clone()).collect(),
            uses: (0..texts.len()).map(|at| crate_.uses(at)).collect(),
        }
    }
}

/// What one file says.
struct Text<'a> {
    /// Names from the root of the crate to this module.
    module: Vec<&'a str>,
    code: &'a str,
    imports: Vec<Import<'a>>,
    /// Paths of two names and more outside of imports, with their places.
    paths: Vec<(usize, Vec<&'a str>)>,
    /// First names of paths outside of imports, those of one name too.
    spoken: BTreeSet<&'a str>,
    /// Names of variables.
    bound: BTreeSet<&'a str>,
}

/// One name that a file takes from elsewhere.
struct Import<'a> {
    at: usize,
    path: Vec<&'a str>,
    name: &'a str,
    is_public: bool,
}

impl<'a> Text<'a> {
    fn of(inner: &'a str, code: &'a str) -> Text<'a> {
        let inner = inner.trim_end_matches(".rs");
        let inner = inner.strip_suffix("/mod").unwrap_or(inner);
        let module = if inner == "lib" { Vec::new() } else { inner.split('/').collect() };
        let tokens = tokens(code);
        let mut text = Text {
            module,
            code,
            imports: Vec::new(),
            paths: Vec::new(),
            spoken: BTreeSet::new(),
            bound: BTreeSet::new(),
        };
        let mut at = 0;
        while at < tokens.len() {
            let (place, token) = tokens[at];
            if token == "use" && tokens.get(at + 1).is_some_and(|(_, next)| *next != "<") {
                let before = at.checked_sub(1).map_or("", |before| tokens[before].1);
                let is_public = matches!(before, "pub" | ")");
                at = text.import(&tokens, at + 1, &mut Vec::new(), (place, is_public));
            } else {
                at = text.path(&tokens, at);
            }
        }
        text
    }

    /// Takes one tree of an import, `a::{b, c as d}`, and returns the token after it.
    fn import(
        &mut self,
        tokens: &[(usize, &'a str)],
        mut at: usize,
        path: &mut Vec<&'a str>,
        (place, is_public): (usize, bool),
    ) -> usize {
        let length = path.len();
        let mut alias = None;
        while let Some((_, token)) = tokens.get(at) {
            match *token {
                "{" => {
                    at += 1;
                    while tokens.get(at).is_some_and(|(_, token)| *token != "}") {
                        at = self.import(tokens, at, path, (place, is_public));
                        at += usize::from(tokens.get(at).is_some_and(|(_, token)| *token == ","));
                    }
                    path.truncate(length);
                    return at + 1;
                }
                "," | "}" | ";" => break,
                "as" => {
                    alias = tokens.get(at + 1).map(|(_, alias)| *alias);
                    at += 1;
                }
                "::" => {}
                name => path.push(name),
            }
            at += 1;
        }
        if path.len() > 1 && path.last() == Some(&"self") {
            path.pop();
        }
        if let Some(last) = path.last() {
            self.imports.push(Import { at: place, path: path.clone(), name: alias.unwrap_or(last), is_public });
        }
        path.truncate(length);
        at
    }

    /// Takes a path if one begins at the token `at`, and returns the token after it.
    fn path(&mut self, tokens: &[(usize, &'a str)], at: usize) -> usize {
        let before = at.checked_sub(1).map_or("", |before| tokens[before].1);
        let begins = before != "::" && is_name(tokens[at].1);
        let mut names = vec![tokens[at].1];
        let mut end = at + 1;
        while begins
            && tokens.get(end).is_some_and(|(_, token)| *token == "::")
            && tokens.get(end + 1).is_some_and(|(_, token)| is_name(token))
        {
            names.push(tokens[end + 1].1);
            end += 2;
        }
        let is_field = before == "." || tokens.get(end).is_some_and(|(_, token)| *token == ":");
        if before == "let" {
            self.bound.insert(names[0]);
        }
        if begins && !is_field && !DEFINING.contains(&before) {
            self.spoken.insert(names[0]);
        }
        if names.len() > 1 {
            self.paths.push((tokens[at].0, names));
        }
        end
    }

    /// Returns true if the code itself uses what it has imported as `name`: not as a field, a method, a variable
    /// or a definition.
    fn says(&self, name: &str) -> bool {
        self.spoken.contains(name) && !self.bound.contains(name)
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Takes `code` apart into names, `::`, and single characters.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(next) = code[at..].chars().next() {
        let rest = &code[at..];
        let length = if next.is_alphanumeric() || next == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            next.len_utf8()
        };
        if !next.is_whitespace() {
            tokens.push((at, &rest[..length]));
        }
        at += length;
    }
    tokens
}

/// What a path leads to.
#[derive(Clone, Copy)]
enum Target {
    /// A module: the use is what is taken from it.
    Module(usize),
    /// Something that this file defines.
    Item(usize),
}

struct Crate<'a> {
    texts: &'a [Text<'a>],
    names: BTreeMap<Vec<&'a str>, usize>,
}

impl<'a> Crate<'a> {
    /// Returns every other file that the file `at` uses.
    fn uses(&self, at: usize) -> Vec<Use> {
        let text = &self.texts[at];
        let imports = text
            .imports
            .iter()
            .filter(|import| !import.is_public || text.says(import.name))
            .map(|import| (import.at, &import.path));
        let paths = text.paths.iter().map(|(place, path)| (*place, path));
        let mut seen = BTreeSet::from([at]);
        let mut uses = Vec::new();
        for (place, path) in imports.chain(paths) {
            if let Some(Target::Item(of)) = self.resolve(at, path, 0)
                && seen.insert(of)
            {
                let name = path.last().copied().unwrap_or_default().to_owned();
                uses.push(Use { of, line: line_of(text.code, place), name });
            }
        }
        uses
    }

    /// Returns what `path`, written in the file `at`, leads to; none if it leaves the crate.
    fn resolve(&self, at: usize, path: &[&'a str], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let start = match *first {
            "crate" => Target::Module(*self.names.get(&Vec::new())?),
            "self" => Target::Module(at),
            "super" => Target::Module(self.parent(at)?),
            name => self.child(at, name).map(Target::Module).or_else(|| self.imported(at, name, depth)?)?,
        };
        rest.iter().try_fold(start, |target, name| match target {
            Target::Item(_) => Some(target),
            Target::Module(module) if *name == "super" => self.parent(module).map(Target::Module),
            Target::Module(module) => match self.child(module, name) {
                Some(child) => Some(Target::Module(child)),
                None => self.imported(module, name, depth).unwrap_or(Some(Target::Item(module))),
            },
        })
    }

    /// Returns what the file `at` imports as `name`: none if nothing, none within if it is from another crate.
    fn imported(&self, at: usize, name: &str, depth: usize) -> Option<Option<Target>> {
        let import = self.texts[at].imports.iter().find(|import| import.name == name)?;
        // `use http;` in a file that has no module of that name would lead to itself.
        let leads_away = depth < FOLLOWED_MAX && import.path != [name];
        Some(if leads_away { self.resolve(at, &import.path, depth + 1) } else { None })
    }

    fn child(&self, at: usize, name: &str) -> Option<usize> {
        let path: Vec<&str> = self.texts[at].module.iter().copied().chain([name]).collect();
        self.names.get(&path).copied()
    }

    fn parent(&self, at: usize) -> Option<usize> {
        let (_, above) = self.texts[at].module.split_last()?;
        self.names.get(above).copied()
    }
}
