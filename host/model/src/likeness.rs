//! What somebody meant who has written a name that there is not.

/// Likeness (Jaro-Winkler) from which on a name is taken for a misspelling of another.
const LIKENESS_MIN: f64 = 0.8;

/// Returns the one of `names` that is most like `written`, whatever their case; none if no name is like it.
pub fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    let likeness = |name: &'a str| (strsim::jaro_winkler(&written, &name.to_ascii_lowercase()), name);
    let best = names.map(likeness).max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness >= LIKENESS_MIN).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_meant_that_is_like_what_is_written() {
        let nearest = |written| nearest(written, ["port", "peer_nodes", "color"].into_iter());
        assert_eq!(nearest("PROT"), Some("port"));
        assert_eq!(nearest("peers_node"), Some("peer_nodes"));
        assert_eq!(nearest("zzz"), None);
    }
}
