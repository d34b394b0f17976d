//! Manifests: members by name in dependency order, versions in one place, one crate per job, one oldest compiler.

use crate::tree::{File, Finding, Tree};

/// Crates that would do a job which another dependency, or the standard library, does already.
const SECOND_FOR_A_JOB: [(&str, &str); 18] = [
    ("async-std", "tokio is the one runtime"),
    ("atty", "std::io::IsTerminal"),
    ("axum", "hyper, tower and tower-http carry the HTTP edge"),
    ("bincode", "postcard is the one encoding of values"),
    ("chrono", "jiff is the one calendar"),
    ("crc32fast", "crc32c is the one checksum"),
    ("dashmap", "a lock per shard from the standard library, or quick_cache"),
    ("figment", "clap reads flags and environment"),
    ("lazy_static", "std::sync::LazyLock"),
    ("native-tls", "rustls"),
    ("once_cell", "std::sync::OnceLock"),
    ("openssl", "rustls"),
    ("parking_lot", "std::sync"),
    ("reqwest", "hyper-util is the one HTTP client"),
    ("ring", "rustls with another provider"),
    ("serde_yaml", "archived by its author"),
    ("structopt", "clap has the derive"),
    ("time", "jiff is the one calendar"),
];

/// The kind of a dependency table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// Linked into the product.
    Normal,
    /// Used by tests, examples and benches.
    Development,
    /// Used by the build script.
    Build,
    /// `[workspace.dependencies]`.
    Workspace,
}

/// One line of a dependency table.
pub(crate) struct Dependency<'a> {
    pub(crate) name: &'a str,
    pub(crate) line: usize,
    pub(crate) section: Section,
    /// What stands behind the name: `.workspace = true`, ` = "1.0"`.
    rest: &'a str,
}

/// Checks the manifests of the workspace.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let Some(root) = tree.files().find(|file| file.path == "Cargo.toml") else { return };
    one_per_job(root, findings);
    one_compiler(tree, root, findings);
    let members = members(&root.text);
    let folders: Vec<&str> = members.iter().map(|(_, folder)| *folder).collect();
    let mut earlier: Vec<&str> = Vec::new();
    for (line, folder) in &members {
        if folder.contains('*') {
            findings.push(root.finding(*line, "members", "name each member: a glob takes folders that are none"));
            continue;
        }
        let path = format!("{folder}/Cargo.toml");
        let Some(file) = tree.files().find(|file| file.path == path) else {
            findings.push(root.finding(*line, "members", format!("{path} does not exist")));
            continue;
        };
        one_per_job(file, findings);
        inherited(file, findings);
        for dependency in dependencies(&file.text).filter(|found| found.section != Section::Development) {
            let needed = folders.iter().find(|folder| package(tree, folder) == Some(dependency.name));
            if let Some(needed) = needed.filter(|needed| !earlier.contains(needed)) {
                let mend = format!("{folder} stands before {needed}, which it depends on: list it after");
                findings.push(root.finding(*line, "members", mend));
            }
        }
        earlier.push(folder);
    }
}

fn one_per_job(file: &File, findings: &mut Vec<Finding>) {
    for dependency in dependencies(&file.text) {
        if let Some((name, instead)) = SECOND_FOR_A_JOB.iter().find(|(name, _)| *name == dependency.name) {
            findings.push(file.finding(dependency.line, "one-per-job", format!("do without {name}: {instead}")));
        }
    }
}

/// Where public CI says which compiler it takes.
const WORKFLOW: &str = ".github/workflows/ci.yml";

/// Checks that public CI runs on the oldest compiler that the manifest promises.
fn one_compiler(tree: &Tree, root: &File, findings: &mut Vec<Finding>) {
    let after = |file: &File, word: &str| {
        let found = (1..).zip(file.text.lines()).find_map(|(line, text)| Some((line, text.trim().strip_prefix(word)?)));
        found.map(|(line, version)| (line, version.trim().trim_matches('"').to_owned()))
    };
    let Some(workflow) = tree.files().find(|file| file.path == WORKFLOW) else { return };
    let promised = after(root, "rust-version =").map(|(_, version)| version);
    let (line, taken) = after(workflow, "RUST:").map_or((1, None), |(line, version)| (line, Some(version)));
    if taken != promised {
        let mend = format!("take the `rust-version` of the root manifest, {}", promised.unwrap_or_default());
        findings.push(workflow.finding(line, "one-compiler", mend));
    }
}

/// Checks that a member takes versions and lints from the workspace.
fn inherited(file: &File, findings: &mut Vec<Finding>) {
    for dependency in dependencies(&file.text) {
        if !dependency.rest.contains("workspace = true") {
            let mend = format!("say `{}.workspace = true` and pin the version in the root manifest", dependency.name);
            findings.push(file.finding(dependency.line, "pinned-once", mend));
        }
    }
    if !file.text.contains("[lints]\nworkspace = true") {
        findings.push(file.finding(1, "workspace-lints", "add `[lints]` with `workspace = true`"));
    }
}

/// Returns the folders in `members` of a root manifest with their lines.
fn members(manifest: &str) -> Vec<(usize, &str)> {
    let lines = (1..).zip(manifest.lines());
    let list =
        lines.skip_while(|(_, line)| !line.starts_with("members")).take_while(|(_, line)| !line.starts_with(']'));
    list.filter_map(|(line, text)| {
        let (_, quoted) = text.split_once('"')?;
        Some((line, quoted.split_once('"')?.0))
    })
    .collect()
}

/// Returns the name of the package in `folder`.
fn package<'a>(tree: &'a Tree, folder: &str) -> Option<&'a str> {
    let manifest = tree.text(&format!("{folder}/Cargo.toml"))?;
    manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
}

/// Returns the lines of all dependency tables of a manifest.
pub(crate) fn dependencies(manifest: &str) -> impl Iterator<Item = Dependency<'_>> {
    let mut section = None;
    (1..).zip(manifest.lines()).filter_map(move |(line, text)| {
        if let Some(header) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            section = section_of(header);
            return None;
        }
        let name =
            text.split(['.', ' ', '=']).next().filter(|name| name.starts_with(|c: char| c.is_ascii_alphanumeric()))?;
        Some(Dependency { name, line, section: section?, rest: &text[name.len()..] })
    })
}

fn section_of(header: &str) -> Option<Section> {
    match header.rsplit('.').next()? {
        "dependencies" if header == "workspace.dependencies" => Some(Section::Workspace),
        "dependencies" => Some(Section::Normal),
        "dev-dependencies" => Some(Section::Development),
        "build-dependencies" => Some(Section::Build),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn workspace(members: &str, upper: &str) -> Vec<String> {
        let root = format!("[workspace]\nmembers = [\n{members}]\n");
        let lower = format!("name = \"lower\"\n{LINTS}");
        let upper = format!("name = \"upper\"\n{LINTS}{upper}");
        findings(check, &[("Cargo.toml", &root), ("host/lower/Cargo.toml", &lower), ("host/upper/Cargo.toml", &upper)])
    }

    #[test]
    fn members_out_of_order_are_found() {
        let needs = "[dependencies]\nlower.workspace = true\n";
        assert_eq!(workspace("\"host/upper\",\n\"host/lower\",\n", needs), ["Cargo.toml:3: members"]);
        assert_eq!(workspace("\"host/lower\",\n\"host/upper\",\n", needs), [""; 0]);
        let tests_need = "[dev-dependencies]\nlower.workspace = true\n";
        assert_eq!(workspace("\"host/upper\",\n\"host/lower\",\n", tests_need), [""; 0]);
    }

    #[test]
    fn globs_and_missing_members_are_found() {
        assert_eq!(workspace("\"host/*\",\n\"host/none\",\n", ""), ["Cargo.toml:3: members", "Cargo.toml:4: members"]);
    }

    #[test]
    fn own_versions_and_second_crates_for_a_job_are_found() {
        let found = workspace("\"host/upper\",\n", "[build-dependencies]\ncc = \"1.0\"\nchrono.workspace = true\n");
        assert_eq!(found, ["host/upper/Cargo.toml:6: one-per-job", "host/upper/Cargo.toml:5: pinned-once"]);
    }

    #[test]
    fn another_compiler_in_public_ci_is_found() {
        let found = |taken: &str| {
            let manifest = ("Cargo.toml", "rust-version = \"1.95\"\n");
            findings(check, &[manifest, (WORKFLOW, &format!("env:\n  RUST: \"{taken}\"\n"))])
        };
        assert_eq!(found("1.96"), [".github/workflows/ci.yml:2: one-compiler"]);
        assert_eq!(found("1.95"), [""; 0]);
    }

    #[test]
    fn members_with_lints_of_their_own_are_found() {
        let files = [("Cargo.toml", "members = [\n\"a\",\n]\n"), ("a/Cargo.toml", "name = \"a\"\n")];
        assert_eq!(findings(check, &files), ["a/Cargo.toml:1: workspace-lints"]);
    }
}
