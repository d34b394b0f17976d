//! The tour of `cargo demo`: builds guests and host, shows the main features with real requests, and keeps serving.
//!
//! With `--nodes 3` it shows a group of three nodes: the tutorial of Xenon, and the death of an owner under load. With `--once` it
//! ends after the tour; the exit code tells whether every step succeeded.

mod group;
mod guide;
mod one;

use std::process::ExitCode;

use anyhow::bail;

/// How many nodes a group of the tour has.
const NODES: &str = "3";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match tour().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn tour() -> anyhow::Result<()> {
    let (mut once, mut group) = (false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // `cargo demo` ends with one; people write another.
            "--" => {}
            "--once" => once = true,
            "--nodes" => match arguments.next().as_deref() {
                Some("1") => group = false,
                Some(NODES) => group = true,
                other => bail!("--nodes takes 1 or {NODES}, not {}", other.unwrap_or("nothing")),
            },
            other => bail!("there is no {other}: cargo demo [--nodes {NODES}] [--once]"),
        }
    }
    if group { group::tour(once).await } else { one::tour(once).await }
}
