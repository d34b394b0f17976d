//! Scripts: commands to a core, with the trace that they must give.
//!
//! Each `*.txt` file beside this one is a run of the partition replica's core: of one that a script talks to (`replica`), or of a
//! whole group with disks and links (`cluster`). Blocks are separated by blank lines; a
//! block is commands, `---`, and the trace. After a change that is meant to alter traces, `UPDATE_SCRIPTS=1 cargo scripts`
//! writes them anew; the difference belongs into the review.
//!
//! ```text
//! # A comment says what the block shows.
//! row epoch=1 primary=1.1 in-sync=1.1 w=1 r=1
//! ---
//! tailing -> candidate
//!   persist the promise of epoch 1
//! ```

mod cluster;
mod notation;
mod replica;
mod script;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use script::Script;

#[test]
fn scripts_give_their_expected_traces() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut differing = Vec::new();
    for path in scripts_in(&folder)? {
        if let Some(difference) = run(&path).with_context(|| format!("run {}", path.display()))? {
            differing.push(difference);
        }
    }
    if !differing.is_empty() {
        bail!("{}\nif the new traces are right, write them with UPDATE_SCRIPTS=1", differing.join("\n"));
    }
    Ok(())
}

fn scripts_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).context("list the scripts")? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    if paths.is_empty() {
        bail!("there are no scripts in {}", folder.display());
    }
    Ok(paths)
}

/// Runs one script and returns how its trace differs, or writes it if that was asked for.
fn run(path: &Path) -> Result<Option<String>> {
    let text = std::fs::read_to_string(path)?;
    let script = Script::parse(&text)?;
    let mut interpreter = replica::Interpreter::default();
    let ran = script.run(|command| interpreter.run(command))?;
    if ran.to_string() == text {
        return Ok(None);
    }
    if std::env::var_os("UPDATE_SCRIPTS").is_some() {
        std::fs::write(path, ran.to_string())?;
        return Ok(None);
    }
    Ok(Some(format!("{}:\n{}", path.display(), script.difference(&ran))))
}
