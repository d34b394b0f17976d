//! `cargo demo`: builds host, tour and services, says how long that takes, and starts the tour.
//!
//! **Problem.** On a fresh machine the build takes minutes, and its last part is one large crate that keeps one core busy. **Promise.**
//! The services of the tour are built at the same time as the host, by what it leaves of the machine; whoever waits sees at once
//! what for, and cargo's own progress meanwhile. It needs no crate, so that it runs a second after it was asked for.
//!
//! **Left out.** What is wrong with the services' build is not said here: the tour builds them again, finds them done, or tells.

use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// What the host and the tour are built from.
const HOST: [&str; 8] = ["--package", "steward-cli", "--bin", "steward", "--package", "steward-tests", "--bin", "tour"];

/// The services of the tour.
const SERVICES: [&str; 3] = ["guest-examples", "guest-example-tasks", "guest-counter"];

/// What services are compiled to.
const TARGET: &str = "wasm32-unknown-unknown";

/// Shorter builds are not worth a word.
const SHORT: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let Err(problem) = tour();
    eprintln!("demo failed: {problem}");
    ExitCode::FAILURE
}

/// Returns only if there will be no tour.
fn tour() -> Result<Infallible, String> {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository.join("target"), PathBuf::from);
    let tour = target.join("debug").join("tour");
    if !tour.exists() {
        eprintln!(
            "demo: the first build of host and services takes 6 to 10 minutes on two cores; later ones take seconds"
        );
    }
    let began = Instant::now();
    let mut services = services(&repository);
    let host = cargo(&repository).arg("build").args(HOST).status().map_err(|error| format!("run cargo: {error}"));
    let waiting = Instant::now();
    if let Some(services) = services.as_mut() {
        // Whether it succeeded is found by the tour.
        let _ = services.wait();
    }
    if !host?.success() {
        return Err("the host does not build, see above".to_owned());
    }
    if began.elapsed() > SHORT {
        let (all, services) = (began.elapsed().as_secs(), waiting.elapsed().as_secs());
        eprintln!("demo: built in {all} s, the last {services} s of them services alone");
    }
    // In its place: signals are for the tour, and its exit code is the answer.
    let error = Command::new(&tour).args(std::env::args_os().skip(1)).exec();
    Err(format!("run {}: {error}", tour.display()))
}

/// Begins to compile the services, below everything else on this machine, if it has their target; the tour knows what else there is.
fn services(repository: &Path) -> Option<Child> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).current_dir(repository).output().ok()?;
    let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout).ok()?.trim());
    if !sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        return None;
    }
    let mut command = outer(Command::new("nice"), repository);
    command.args(["-n", "19", "cargo", "build", "--quiet", "--profile", "guest", "--target", TARGET]);
    command.arg("--target-dir").arg(repository.join("target/guests"));
    command.args(SERVICES.iter().flat_map(|service| ["--package", service]));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
}

fn cargo(repository: &Path) -> Command {
    outer(Command::new("cargo"), repository)
}

/// Takes from a command what this process was told by the cargo that runs it.
fn outer(mut command: Command, repository: &Path) -> Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG") || text.starts_with("CARGO_MANIFEST") || text == "CARGO_PRIMARY_PACKAGE" {
            command.env_remove(&name);
        }
    }
    command.current_dir(repository);
    command
}
