//! In which content coding an answer goes out, and what coding does to its entity tag.
//!
//! Problem: whether a coding can be applied is known after the request has been carried out. If nothing that the client
//! takes is left then, a refusal would say that nothing happened, and an update has.
//!
//! Promise: what the client takes decides between the codings and none, and never about the status: an answer that no
//! coding suits goes out uncoded (RFC 9110, section 12.5.3, leaves that open). A coded answer has another tag than the
//! plain one, `"3-118+gzip"` for `"3-118"`, for their bytes differ. Both name the same state in a condition.

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue};

/// A content coding that this host writes and reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// RFC 1952, also called `x-gzip`.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// How much a client wants something, in thousandths; 0: not at all.
type Weight = u16;

const FULL_WEIGHT: Weight = 1000;

impl Coding {
    /// All names as a header lists them.
    pub(super) const ALL_NAMES: &str = "gzip, zstd";

    /// Returns the coding of this name, in upper case or lower (RFC 9110, section 8.4.1).
    pub(super) fn named(name: &str) -> Option<Coding> {
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            return Some(Coding::Gzip);
        }
        name.eq_ignore_ascii_case("zstd").then_some(Coding::Zstd)
    }

    /// Returns the name as a header has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Coding::Gzip => "+gzip",
            Coding::Zstd => "+zstd",
        }
    }
}

/// What a request says about the coding of its answer.
#[derive(Debug)]
pub(super) struct Wish {
    /// What to apply to an answer that is worth it.
    pub(super) coding: Option<Coding>,
    /// The tags that the client has, if a coding may be applied.
    known: Vec<HeaderValue>,
}

impl Wish {
    /// Reads the headers of a request.
    pub(super) fn of(headers: &HeaderMap) -> Wish {
        let coding = chosen(headers);
        let known = coding.map(|_| headers.get_all(IF_NONE_MATCH).iter().cloned().collect());
        Wish { coding, known: known.unwrap_or_default() }
    }

    /// Gives the answer that nothing has changed the tag under which the client has the coded state.
    pub(super) fn tag_unchanged(&self, answer: &mut HeaderMap) {
        let Some(coding) = self.coding else { return };
        let Some(tag) = answer.get(ETAG).and_then(|tag| coded_tag(tag, coding)) else { return };
        let names = |known: &HeaderValue| known.as_bytes().windows(tag.len()).any(|window| window == tag.as_bytes());
        if self.known.iter().any(names) {
            answer.insert(ETAG, tag);
        }
    }
}

/// Returns the coding that the client prefers; none: it takes neither, or wants the plain answer.
fn chosen(headers: &HeaderMap) -> Option<Coding> {
    let (mut gzip, mut zstd, mut identity, mut rest) = (None, None, None, None);
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for element in values.flat_map(|value| value.split(',')) {
        let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
        // What cannot be understood counts as not said.
        let Some(weight) = weight(parameters) else { continue };
        let slot = match name.trim() {
            "*" => &mut rest,
            name if name.eq_ignore_ascii_case("identity") => &mut identity,
            name => match Coding::named(name) {
                Some(Coding::Gzip) => &mut gzip,
                Some(Coding::Zstd) => &mut zstd,
                None => continue,
            },
        };
        *slot = (*slot).max(Some(weight));
    }
    let weight = |said: Option<Weight>| said.or(rest).unwrap_or(0);
    let (gzip, zstd) = (weight(gzip), weight(zstd));
    // Who names no wish for the plain answer has none, as long as it takes another one.
    let plain = identity.or(rest).unwrap_or(0);
    match gzip.max(zstd) {
        0 => None,
        best if best < plain => None,
        best if best == zstd => Some(Coding::Zstd),
        _ => Some(Coding::Gzip),
    }
}

/// Returns the weight that the parameters of an element give it: source RFC 9110, section 12.4.2.
fn weight(parameters: &str) -> Option<Weight> {
    let text = parameters.trim();
    if text.is_empty() {
        return Some(FULL_WEIGHT);
    }
    let value = text.strip_prefix("q=").or_else(|| text.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths: Weight = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(FULL_WEIGHT),
        _ => None,
    }
}

/// Says that the answer depends on what codings the client takes.
pub(super) fn vary(answer: &mut HeaderMap) {
    let said =
        |value: &HeaderValue| value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("accept-encoding"));
    if !answer.get_all(VARY).iter().any(said) {
        answer.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// Gives a coded answer the tag of its own.
pub(super) fn tag_coded(answer: &mut HeaderMap, coding: Coding) {
    if let Some(tag) = answer.get(ETAG).and_then(|tag| coded_tag(tag, coding)) {
        answer.insert(ETAG, tag);
    }
}

/// Gives the answer to HEAD the headers that GET would have; how long the coded body would be is not known.
pub(super) fn describe_coded(answer: &mut HeaderMap, coding: Coding) {
    tag_coded(answer, coding);
    answer.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    answer.remove(CONTENT_LENGTH);
}

fn coded_tag(tag: &HeaderValue, coding: Coding) -> Option<HeaderValue> {
    let opened = tag.to_str().ok()?.strip_suffix('"')?;
    HeaderValue::try_from(format!("{opened}{}\"", coding.suffix())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen_of(accepted: &str) -> Option<Coding> {
        chosen(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_str(accepted).expect("a value"))]))
    }

    #[test]
    fn the_coding_with_the_greatest_weight_is_chosen() {
        for (accepted, coding) in [
            ("gzip", Some(Coding::Gzip)),
            ("X-GZIP", Some(Coding::Gzip)),
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip;q=0.8, zstd;q=0.2", Some(Coding::Gzip)),
            ("*", Some(Coding::Zstd)),
            ("*, zstd;q=0", Some(Coding::Gzip)),
            ("gzip;q=0.5", Some(Coding::Gzip)),
            ("gzip;q=0.001, identity;q=0", Some(Coding::Gzip)),
            ("gzip;q=0.5, identity", None),
            ("gzip;q=soon", None),
            ("gzip;q=2", None),
            ("br", None),
            ("", None),
        ] {
            assert_eq!(chosen_of(accepted), coding, "{accepted:?}");
        }
        assert_eq!(chosen(&HeaderMap::new()), None);
    }

    #[test]
    fn nothing_is_applied_where_nothing_is_taken() {
        for accepted in ["identity;q=0", "*;q=0", "br, identity;q=0", "gzip;q=0, identity;q=0", "gzip;q=0, *;q=0.0"] {
            assert_eq!(chosen_of(accepted), None, "{accepted}");
        }
    }

    #[test]
    fn a_coded_answer_has_a_tag_of_its_own_that_leads_back() {
        let mut headers = HeaderMap::from_iter([(ETAG, HeaderValue::from_static("\"3-118\""))]);
        tag_coded(&mut headers, Coding::Gzip);
        assert_eq!(headers[ETAG], "\"3-118+gzip\"");
        assert_eq!(
            ["3-118+gzip", "3-118+zstd", "3-118", "+br"].map(crate::operation::plain_tag),
            ["3-118", "3-118", "3-118", "+br"]
        );
    }

    #[test]
    fn who_has_the_coded_state_is_told_its_tag() {
        let unchanged = |known: &'static str| {
            let asked = [("accept-encoding", "gzip"), ("if-none-match", known)];
            let asked = asked.map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)));
            let mut answer = HeaderMap::from_iter([(ETAG, HeaderValue::from_static("\"3-118\""))]);
            Wish::of(&HeaderMap::from_iter(asked)).tag_unchanged(&mut answer);
            answer[ETAG].clone()
        };
        assert_eq!(unchanged("\"3-117\", \"3-118+gzip\""), "\"3-118+gzip\"");
        assert_eq!(unchanged("\"3-118\""), "\"3-118\"");
    }
}
