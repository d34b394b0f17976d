//! Compiles all guests with one call of cargo.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::toolchain::{TARGET, Toolchain};
use super::{Error, Guest, Progress};

/// Compiles the guests to core modules.
pub(super) fn compile(
    toolchain: &Toolchain,
    guests: &[Guest],
    folder: &Path,
    progress: &Progress,
) -> Result<(), Error> {
    let mut command = toolchain.cargo();
    command.args(["build", "--profile", "guest", "--target", TARGET, "--target-dir"]).arg(folder);
    for guest in guests {
        command.args(["--package", guest.package]);
    }
    let names: Vec<&str> = guests.iter().map(|guest| guest.name).collect();
    progress.doing(&format!("compile {} with {toolchain}", names.join(", ")));
    let (success, output) = run(&mut command, progress)?;
    if success { Ok(()) } else { Err(Error::Compile { toolchain: *toolchain, output }) }
}

/// Runs a command, shows its last line while it runs, and returns whether it succeeded and what it said.
pub(super) fn run(command: &mut Command, progress: &Progress) -> Result<(bool, String), Error> {
    let doing = format!("run {}", command.get_program().display());
    let failed = |source| Error::Io { doing: doing.clone(), source };
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(failed)?;
    let mut output = String::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line.map_err(failed)?;
            progress.detail(line.trim());
            output.push_str(&line);
            output.push('\n');
        }
    }
    let status = child.wait().map_err(failed)?;
    Ok((status.success(), output))
}

/// Makes a command that does not notice the cargo under which this process may run.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::build::repository());
    for name in foreign(std::env::vars_os().map(|(name, _)| name)) {
        command.env_remove(name);
    }
    command
}

/// Returns the variables by which one cargo would lead another astray: its toolchain, its flags, its package.
fn foreign(names: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const KEPT: [&str; 6] =
        ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_"];
    let others = [
        "CARGO",
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
        "LD_LIBRARY_PATH",
    ];
    names
        .filter(|name| {
            let name = name.to_string_lossy();
            let kept = KEPT.iter().any(|kept| name.starts_with(kept));
            (name.starts_with("CARGO_") && !kept) || others.contains(&&*name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_outer_cargo_is_not_passed_on() {
        let names =
            ["PATH", "CARGO", "CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_PKG_NAME", "CARGO_TARGET_DIR", "RUSTFLAGS"];
        let removed = foreign(names.into_iter().map(OsString::from));
        assert_eq!(removed, ["CARGO", "CARGO_PKG_NAME", "CARGO_TARGET_DIR", "RUSTFLAGS"]);
    }
}
