//! What a script in Python imports of the files beside it: whatever reads `import …` or `from … import …` and names a file that is there.
//!
//! Names count from the folder of the script, as if Python had been called on it. What is no file of the author's, be it of Python's
//! library or a package, is left to the host to find or to miss.

use std::path::Path;

/// What the SDK is imported as; no file is taken for it.
const SDK: &str = "steward";

/// Returns the files below `folder` that the text of the file `importer` imports, by their paths there.
pub(super) fn imported(folder: &Path, importer: &str, text: &str) -> Vec<String> {
    modules(importer, text).iter().flat_map(|module| files(folder, module)).collect()
}

/// Returns the files that are read when a module is imported: its own, and those of the packages around it.
fn files(folder: &Path, module: &[String]) -> Vec<String> {
    let packages = (1..=module.len()).map(|depth| format!("{}/__init__.py", module[..depth].join("/")));
    let own = format!("{}.py", module.join("/"));
    packages.chain([own]).filter(|name| folder.join(name).is_file()).collect()
}

/// Returns the modules that a text may import, by the parts of their names. `from a import b` may mean the module `a.b` as well.
fn modules(importer: &str, text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, word) in text.match_indices("import") {
        let begins = text[..at].rfind(['\n', ';', ':']).map_or(0, |end| end + 1);
        let (before, after) = (text[begins..at].trim(), &text[at + word.len()..]);
        if !after.starts_with([' ', '\t', '(']) {
            continue;
        }
        match before.strip_prefix("from") {
            None if before.is_empty() => found.extend(listed(after).into_iter().map(parts)),
            Some(from) if from.starts_with([' ', '\t', '.']) => {
                let Some(module) = absolute(importer, from.trim()) else { continue };
                let within = listed(after).into_iter().map(|name| [module.clone(), parts(name)].concat());
                found.extend(within.collect::<Vec<_>>());
                found.push(module);
            }
            None | Some(_) => {}
        }
    }
    found.retain(|module| module.first().is_some_and(|first| first != SDK));
    found
}

/// Returns the names of a list with commas, in parentheses or up to the end of the line.
fn listed(text: &str) -> Vec<&str> {
    let text = text.trim_start_matches([' ', '\t']);
    let (text, end) = match text.strip_prefix('(') {
        Some(list) => (list, ')'),
        None => (text.lines().next().unwrap_or_default(), ';'),
    };
    let is_name = |name: &&str| name.split('.').all(|part| !part.is_empty() && part.chars().all(is_of_names));
    let mut names = Vec::new();
    for line in text.lines() {
        let code = line.split('#').next().unwrap_or_default();
        let (list, ended) = code.split_once(end).map_or((code, false), |(list, _)| (list, true));
        let words = list.split(',').filter_map(|name| name.split_whitespace().next());
        names.extend(words.filter(is_name));
        if ended {
            break;
        }
    }
    names
}

fn is_of_names(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn parts(name: &str) -> Vec<String> {
    name.split('.').map(str::to_owned).collect()
}

/// Returns the parts of a module's name behind `from`, which counts from the importer's folder if it begins with dots; none if it is no
/// name, or lies above the folder of the script.
fn absolute(importer: &str, name: &str) -> Option<Vec<String>> {
    let rest = name.trim_start_matches('.');
    let dots = name.len() - rest.len();
    let named = if rest.is_empty() { Vec::new() } else { parts(rest) };
    if !named.iter().all(|part| !part.is_empty() && part.chars().all(is_of_names)) {
        return None;
    }
    if dots == 0 {
        return Some(named);
    }
    let mut around: Vec<String> = importer.split('/').map(str::to_owned).collect();
    around.truncate(around.len().checked_sub(dots)?);
    Some([around, named].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(importer: &str, text: &str) -> Vec<String> {
        modules(importer, text).into_iter().map(|module| module.join(".")).collect()
    }

    #[test]
    fn imports_are_found_in_all_their_forms() {
        assert_eq!(found("a.py", "import x, y.z as w  # and more, import it\n"), ["x", "y.z"]);
        assert_eq!(found("a.py", "def f():\n    import x; import y\n"), ["x", "y"]);
        assert_eq!(found("a.py", "from x.y import (\n  a as b,  # (c)\n  d,\n)\n"), ["x.y.a", "x.y.d", "x.y"]);
        assert_eq!(found("a.py", "from x import *\nimportant = 1\nreimport = from_\n"), ["x"]);
        assert_eq!(
            found("p/a.py", "from . import b\nfrom.c import d\nfrom ..e import f"),
            ["p.b", "p", "p.c.d", "p.c", "e.f", "e"]
        );
        assert_eq!(
            found("a.py", "from ... import b\nfrom ../etc import c\nfrom steward import service\nimport steward.mock"),
            [""; 0]
        );
    }
}
