//! Embeds what `steward new` writes into a folder: for Rust the SDK with the interface, its template, and its lock file; for scripts
//! the package that they import, and their templates.
//!
//! **Promise.** What is written is what stands in this repository, but for what a folder outside of it cannot have: a line of a manifest
//! that inherits from the workspace becomes the line of the root manifest, lints and tests of the SDK itself are left out, the lock
//! file is the part that the SDK needs, and links that leave the SDK's folder become plain words.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What is embedded for a language.
struct Language {
    /// Its name in the code that is written.
    name: &'static str,
    /// What of the repository a project gets, in the same places below a folder of its own.
    support: &'static [&'static str],
    /// The template of a project.
    template: &'static str,
}

const LANGUAGES: [Language; 4] = [
    Language {
        name: "RUST",
        support: &["sdk/rust/Cargo.toml", "sdk/rust/README.md", "sdk/rust/src", "sdk/rust/macros", "wit", "LICENSE"],
        template: "sdk/rust/template",
    },
    Language { name: "GO", support: &["sdk/go", "LICENSE"], template: "sdk/go/template" },
    Language { name: "C", support: &["sdk/c", "LICENSE"], template: "sdk/c/template" },
    Language { name: "PYTHON", support: &["sdk/python", "wit", "LICENSE"], template: "sdk/python/template" },
];

/// The interface between host and guests.
const WIT: &str = "wit";

/// What a project in JavaScript or TypeScript gets in its folder `steward`, and the templates of such projects.
const SCRIPT_SUPPORT: &str = "sdk/javascript/steward";
const SCRIPT_TEMPLATES: [(&str, &str); 2] =
    [("JAVASCRIPT", "sdk/javascript/template/javascript"), ("TYPESCRIPT", "sdk/javascript/template/typescript")];
/// Its manual.
const SCRIPT_MANUAL: &str = "sdk/javascript/README.md";
/// What of the SDK serves the script runner alone.
const RUNNER_ONLY: &str = "runner.js";

/// The package on which a project depends.
const SDK: &str = "steward-sdk";

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("../..");
    let out = PathBuf::from(variable("OUT_DIR"));
    let scripts = [SCRIPT_SUPPORT, SCRIPT_MANUAL, "sdk/javascript/template"];
    let places = LANGUAGES.iter().flat_map(|language| language.support).chain(&scripts);
    for watched in places.chain(&[WIT, "sdk", "Cargo.toml", "Cargo.lock"]) {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let manifest = read(&root.join("Cargo.toml"));
    let mut code = Vec::new();
    for language in &LANGUAGES {
        let places = language.support.iter().flat_map(|place| files(&root, Path::new(place)));
        let support = places.filter(|path| is_support(path)).map(|path| {
            let text = shipped(&path, read(&root.join(&path)), &manifest);
            (path.display().to_string(), text)
        });
        code.push(listed(&format!("{}_SUPPORT", language.name), support));
        code.push(listed(language.name, below(&root, language.template)));
    }
    let texts =
        files(&root, Path::new(WIT)).into_iter().map(|path| (path.display().to_string(), read(&root.join(&path))));
    // What else lies there is for people and their editors.
    let texts = texts.filter(|(path, _)| path.ends_with(".wit"));
    code.push(listed("WIT", texts));
    code.push(listed("RUST_LOCK", [("Cargo.lock".to_owned(), needed(&read(&root.join("Cargo.lock"))))]));
    code.push(listed("SCRIPT_SUPPORT", script_support(&root)));
    code.extend(SCRIPT_TEMPLATES.map(|(name, place)| listed(name, below(&root, place))));
    fs::write(out.join("embedded.rs"), code.concat()).expect("OUT_DIR can be written");
}

/// Returns true for what a project needs of an SDK: neither its own tests, nor the template, nor the runner that the host has.
fn is_support(path: &Path) -> bool {
    let name = path.display().to_string();
    let left_out = ["/template/", "/tests/", "/runner/", "/__pycache__/", "_test.go"];
    !left_out.iter().any(|part| name.contains(part))
}

/// Returns a file of an SDK as a folder outside of this repository can have it.
fn shipped(path: &Path, text: String, manifest: &str) -> String {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("toml") => stand_alone(&text, manifest),
        Some("md") => without_outer_links(&text),
        Some(_) | None => text,
    }
}

/// Returns the files below a folder, by their paths from there.
fn below(root: &Path, folder: &str) -> Vec<(String, String)> {
    let within = |path: &Path| path.strip_prefix(folder).expect("it was found below that folder").display().to_string();
    files(root, Path::new(folder)).iter().map(|path| (within(path), read(&root.join(path)))).collect()
}

/// Returns the package that scripts import, with its manual and licence.
fn script_support(root: &Path) -> Vec<(String, String)> {
    let mut support = below(root, SCRIPT_SUPPORT);
    support.retain(|(path, _)| path != RUNNER_ONLY);
    support.push(("README.md".to_owned(), without_outer_links(&read(&root.join(SCRIPT_MANUAL)))));
    support.push(("LICENSE".to_owned(), read(&root.join("LICENSE"))));
    support
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|error| panic!("cargo sets {name}: {error}"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Returns the files at or below `place`, relative to `root`, in order.
fn files(root: &Path, place: &Path) -> Vec<PathBuf> {
    let full = root.join(place);
    if full.is_file() {
        return vec![place.to_owned()];
    }
    let entries = fs::read_dir(&full).unwrap_or_else(|error| panic!("cannot list {}: {error}", full.display()));
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry of a folder").file_name()).collect();
    names.sort();
    names.iter().flat_map(|name| files(root, &place.join(name))).collect()
}

/// Returns the code of a table of texts.
fn listed(name: &str, texts: impl IntoIterator<Item = (String, String)>) -> String {
    let rows: String = texts.into_iter().map(|(path, text)| format!("    ({path:?}, {text:?}),\n")).collect();
    format!("pub(super) static {name}: &[(&str, &str)] = &[\n{rows}];\n")
}

/// Returns a manifest that needs no workspace above it.
fn stand_alone(manifest: &str, root: &str) -> String {
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        }
        if matches!(section.as_str(), "[lints]" | "[dev-dependencies]") {
            continue;
        }
        let inherited = line.strip_suffix(".workspace = true");
        let shared = if section == "[package]" { "[workspace.package]" } else { "[workspace.dependencies]" };
        lines.push(inherited.map_or_else(|| line.to_owned(), |key| root_line(root, shared, key)));
    }
    lines.join("\n").trim_end().to_owned() + "\n"
}

/// Returns the line of the root manifest that `key` inherits; paths lead from the SDK's folder.
fn root_line(root: &str, section: &str, key: &str) -> String {
    let lines = root.lines().skip_while(|line| *line != section).skip(1).take_while(|line| !line.starts_with('['));
    let found = lines.into_iter().find(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(" =")));
    found.unwrap_or_else(|| panic!("{section} of the root manifest has no {key}")).replace("\"sdk/rust/", "\"")
}

/// Returns a page whose links stay within the SDK.
fn without_outer_links(page: &str) -> String {
    let mut parts = page.split("](../..");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(opening) = text.rfind('[') {
            text.remove(opening);
        }
        text.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    text
}

/// Returns the packages of a lock file that the SDK needs, itself included.
fn needed(lock: &str) -> String {
    let mut blocks = lock.split("\n[[package]]\n");
    let head = blocks.next().unwrap_or_default();
    let blocks: Vec<String> = blocks.map(|block| block.replace(" \"steward-model\",\n", "")).collect();
    let mut wanted = vec![SDK.to_owned()];
    let mut taken = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        for (at, block) in blocks.iter().enumerate() {
            let own =
                |key: &str| block.lines().find_map(|line| line.strip_prefix(key)?.strip_suffix('"')).unwrap_or("");
            let versioned = format!("{} {}", own("name = \""), own("version = \""));
            if (own("name = \"") == name || versioned == name) && taken.insert(at) {
                let listed = block.lines().filter_map(|line| line.strip_prefix(" \"")?.strip_suffix("\","));
                wanted.extend(listed.map(str::to_owned));
            }
        }
    }
    let kept: String = taken.iter().map(|at| format!("\n[[package]]\n{}", blocks[*at])).collect();
    head.to_owned() + &kept
}
