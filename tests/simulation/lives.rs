//! What worlds of one node and groups of several have in common: each lives once as a function of its seed, and is told when a
//! statement about it is false.

use std::any::Any;

use anyhow::{Context, Error, Result, anyhow, bail};
use steward_model::mutation::{self, Mutation};

use crate::keep_panics_quiet;

/// Lines of a trace that the report of a broken statement shows.
const LINES_SHOWN_MAX: usize = 160;

/// How a life ended, its trace, and what was seen in it.
pub(crate) type Lived<S> = (Result<()>, Vec<String>, S);

/// Returns the failure of a life that ended in a panic.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    anyhow!("panic: {}", text.unwrap_or_default())
}

/// Lives `seed`, and once more with a trace if a statement is false.
///
/// # Errors
/// The statement, with the last lines of the trace before it.
pub(crate) fn run<S>(what: &str, seed: u64, live: impl Fn(u64, bool) -> Lived<S>) -> Result<S> {
    let (lived, _, seen) = live(seed, false);
    let Err(error) = lived else { return Ok(seen) };
    let (_, trace, _) = live(seed, true);
    let start = trace.len().saturating_sub(LINES_SHOWN_MAX);
    Err(error.context(format!("{what} {seed}, last steps:\n  {}\n", trace[start..].join("\n  "))))
}

/// Breaks a rule in one life after the other until it is noticed, and checks by what.
///
/// # Errors
/// If it is not noticed in `count` lives, or by another statement than those named in `by`.
pub(crate) fn is_noticed<S>(
    broken: Mutation,
    by: &[&str],
    (what, count): (&str, u64),
    judge: impl Fn(u64) -> Result<S>,
) -> Result<()> {
    keep_panics_quiet();
    for seed in 0..count {
        mutation::set(Some(broken));
        let judged = judge(seed);
        mutation::set(None);
        let Err(error) = judged else { continue };
        let text = format!("{error:#}");
        if by.iter().any(|name| text.contains(name)) {
            println!("{broken:?} is noticed in {what} {seed} by {}", text.chars().take(160).collect::<String>());
            return Ok(());
        }
        return Err(error).with_context(|| format!("{broken:?} is noticed in {what} {seed}, but not by {by:?}"));
    }
    bail!("{broken:?} is not noticed in {count} of them: {what}")
}
