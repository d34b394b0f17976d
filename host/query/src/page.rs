//! Page tokens: where a result goes on, written into the link of the next page.
//!
//! No node remembers a page. The token holds all that is needed, so that any node can answer, also after a restart; to
//! clients it is opaque.
//!
//! ```text
//! hex of   ┌──────────────┬────────────────┬───────────────┐
//!          │ check, 4 B   │ format, 1 B    │ content       │
//!          │ BLAKE3 of the rest            │ postcard      │
//!          └──────────────┴────────────────┴───────────────┘
//! ```
//!
//! The check finds links that were cut or mistyped. It is no signature: a token gives nobody more than a query would.

use serde::{Deserialize, Serialize};
use steward_model::Timestamp;
use steward_model::codec::{self, Format};

use super::order::Rank;

/// The query parameter in which a token travels.
pub const PARAMETER: &str = "$skiptoken";

/// Longest token in characters; longer ones do not fit into a URI that every client and proxy accepts.
pub const TOKEN_CHARACTERS_MAX: usize = 32 * 1024;

const CHECK_BYTES: usize = 4;

/// Why a page cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The token was not made by a steward of this version, or not all of it is there.
    #[error("page token is damaged or of another version: follow nextPageLink as it was given, or begin anew")]
    Damaged,
    /// The token was made for another query.
    #[error("page token belongs to another query: follow nextPageLink as it was given")]
    OtherQuery,
    /// The query task of the page has expired.
    #[error("query task of this page has expired: post it again, with a later documentExpirationTimeMicros if needed")]
    Expired,
    /// The query itself is too long to travel in a token.
    #[error("query is too long to be taken in pages: its token has {0} characters, {TOKEN_CHARACTERS_MAX} are allowed")]
    TooLong(usize),
}

/// Where the next page of a factory's listing begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ListingPage {
    /// Names the query for which this is a page.
    pub(super) fingerprint: [u8; 8],
    /// The last row of the page before.
    pub(super) after: Rank,
}

/// A page of a query task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TaskPage {
    /// The query specification as JSON.
    pub(super) specification: String,
    /// When the task expires, and its pages with it.
    pub(super) expires: Timestamp,
    /// The last row of the page before; none: this is the first.
    pub(super) after: Option<Rank>,
}

impl Format for ListingPage {
    const NAME: &'static str = "page of a listing";
}

impl Format for TaskPage {
    const NAME: &'static str = "page of a query task";
}

/// Writes a token.
///
/// # Errors
/// [`Error::TooLong`] if it would not fit into a URI.
pub(super) fn seal<T: Format>(content: &T) -> Result<String, Error> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let content = codec::encode(content);
    let bytes = check(&content).into_iter().chain(content);
    let token: String =
        bytes.flat_map(|byte| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]).map(char::from).collect();
    if token.len() > TOKEN_CHARACTERS_MAX { Err(Error::TooLong(token.len())) } else { Ok(token) }
}

/// Reads a token.
///
/// # Errors
/// [`Error::Damaged`] if [`seal`] cannot have written it.
pub(super) fn open<T: Format>(token: &str) -> Result<T, Error> {
    if token.len() > TOKEN_CHARACTERS_MAX || !token.len().is_multiple_of(2) {
        return Err(Error::Damaged);
    }
    let digit = |character: u8| char::from(character).to_digit(16).map(|digit| digit as u8);
    let byte = |pair: &[u8]| Some((digit(pair[0])? << 4) | digit(pair[1])?);
    let bytes: Option<Vec<u8>> = token.as_bytes().chunks_exact(2).map(byte).collect();
    let bytes = bytes.ok_or(Error::Damaged)?;
    let (found, content) = bytes.split_at_checked(CHECK_BYTES).ok_or(Error::Damaged)?;
    if found != check(content) {
        return Err(Error::Damaged);
    }
    codec::decode(content).map_err(|_| Error::Damaged)
}

/// Returns what names a query.
pub(super) fn fingerprint(query: &str) -> [u8; 8] {
    let mut print = [0; 8];
    print.copy_from_slice(&blake3::hash(query.as_bytes()).as_bytes()[..8]);
    print
}

fn check(content: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&blake3::hash(content).as_bytes()[..CHECK_BYTES]);
    check
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::evaluate::View;
    use super::super::memory::document;
    use super::super::order::SortTerm;
    use super::super::path::Path;
    use super::*;

    fn rank(body: &str) -> Rank {
        let document = document("/core/examples/n3", body);
        let terms =
            ["a", "b"].map(|path| SortTerm { path: Path::parse(path).expect("a path"), descending: path == "b" });
        Rank::of(&document, &View::new(&document, "h"), &terms)
    }

    #[test]
    fn tokens_round_trip_with_every_type_of_key() {
        for body in [r#"{"a":1,"b":"x"}"#, r#"{"a":-2.5,"b":18446744073709551615}"#, r#"{"a":true}"#] {
            let page = TaskPage { specification: "{}".into(), expires: Timestamp(7), after: Some(rank(body)) };
            let token = seal(&page).expect("short enough");
            assert!(token.chars().all(|c| c.is_ascii_hexdigit()));
            assert_eq!(open::<TaskPage>(&token), Ok(page));
        }
    }

    #[test]
    fn a_query_too_long_for_a_link_is_refused() {
        let page = TaskPage { specification: "x".repeat(20_000), expires: Timestamp(0), after: None };
        assert!(matches!(seal(&page), Err(Error::TooLong(_))));
    }

    proptest! {
        #[test]
        fn damaged_tokens_are_refused(place in 0_usize..1000, digit in "[0-9a-z]", cut in any::<bool>()) {
            let page = ListingPage { fingerprint: fingerprint("q"), after: rank("{}") };
            let good = seal(&page).expect("short enough");
            let place = place % good.len();
            let mut bad = good.clone();
            if cut { bad.truncate(place) } else { bad.replace_range(place..=place, &digit) }
            prop_assume!(bad != good);
            prop_assert_eq!(open::<ListingPage>(&bad), Err(Error::Damaged));
        }

        #[test]
        fn no_token_makes_the_reader_panic(token in "\\PC{0,20}") {
            prop_assert!(open::<ListingPage>(&token).is_err());
        }
    }
}
