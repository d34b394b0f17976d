//! Measuring in turns, so that a machine that gets slower gets slower for both sides.

/// How often each side has its turn.
pub(crate) const ROUNDS: usize = 5;

/// Lets both sides measure in turns, after one turn each that does not count, and returns what they found.
///
/// # Errors
/// Those of the sides.
pub(crate) fn in_turns<A, B>(
    rounds: usize,
    mut ours: impl FnMut() -> anyhow::Result<A>,
    mut theirs: impl FnMut() -> anyhow::Result<B>,
) -> anyhow::Result<(Vec<A>, Vec<B>)> {
    ours()?;
    theirs()?;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        first.push(ours()?);
        second.push(theirs()?);
    }
    Ok((first, second))
}

/// Returns the median of what `figure` reads off each finding.
///
/// # Panics
/// If there is no finding.
pub(crate) fn median<T>(findings: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    let mut figures: Vec<f64> = findings.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len().is_multiple_of(2) { f64::midpoint(figures[middle - 1], figures[middle]) } else { figures[middle] }
}
