//! How new the answer to a read has to be: `?consistency=local` and `atLeast=<epoch>-<offset>`, the latter as a header too.
//!
//! Both are for GETs of one document. Elsewhere they would be understood by nobody and promise something all the same, so they are
//! refused there; a service without documents may use these names as it likes.

use steward_model::digits::digits;
use steward_model::{Epoch, Offset, Position};

use super::decode::parameter;
use super::error::Error;
use super::headers::AT_LEAST;
use crate::operation::{Freshness, plain_tag};

const CONSISTENCY: &str = "consistency";
const AT_LEAST_PARAMETER: &str = "atLeast";

/// Returns how new the answer has to be, given the query of a request and the value of its header.
///
/// # Errors
/// [`Error::Parameter`] or [`Error::Header`] names what cannot be understood.
pub(super) fn freshness(query: &str, header: Option<&str>) -> Result<Freshness, Error> {
    if query.is_empty() && header.is_none() {
        return Ok(Freshness::Newest);
    }
    let local = match parameter(query, CONSISTENCY)?.as_deref() {
        None => false,
        Some("local") => true,
        Some(other) => {
            let reason = format!("is {other:?}: write local, or leave it out for the newest state");
            return Err(Error::Parameter { name: CONSISTENCY, reason });
        }
    };
    let in_query = match parameter(query, AT_LEAST_PARAMETER)? {
        Some(text) => Some(position(&text).ok_or_else(|| {
            let reason = format!("is {text:?}: {EXAMPLE}");
            Error::Parameter { name: AT_LEAST_PARAMETER, reason }
        })?),
        None => None,
    };
    let in_header = match header {
        Some(text) => Some(position(text).ok_or_else(|| {
            let reason = format!("is {text:?}: {EXAMPLE}");
            Error::Header { name: AT_LEAST, reason }
        })?),
        None => None,
    };
    match (in_query, in_header) {
        (Some(in_query), Some(in_header)) if in_query != in_header => {
            let reason = format!("names another position than the parameter {AT_LEAST_PARAMETER}: send one of them");
            Err(Error::Header { name: AT_LEAST, reason })
        }
        (None, None) if !local => Ok(Freshness::Newest),
        (in_query, in_header) => Ok(Freshness::Copy { at_least: in_query.or(in_header) }),
    }
}

/// What to write where a position is wanted.
const EXAMPLE: &str = "write <epoch>-<offset>, as an ETag has it, such as 3-118";

/// Returns the position that `text` names: an entity tag, with its quotes or without.
fn position(text: &str) -> Option<Position> {
    let text = text.trim();
    let text = text.strip_prefix("W/").unwrap_or(text);
    let text = text.strip_prefix('"').map_or(Some(text), |rest| rest.strip_suffix('"'))?;
    let text = plain_tag(text);
    let (epoch, offset) = text.split_once('-')?;
    Some(Position { epoch: Epoch::from_u64(digits(epoch)?), offset: Offset(digits(offset)?) })
}

/// Refuses what is only for reads of one document.
///
/// # Errors
/// [`Error::Parameter`] or [`Error::Header`] if the request has it, saying why it means nothing here: `reason`.
pub(super) fn refuse(query: &str, header: Option<&str>, reason: &str) -> Result<(), Error> {
    if header.is_some() {
        return Err(Error::Header { name: AT_LEAST, reason: reason.to_owned() });
    }
    for name in [CONSISTENCY, AT_LEAST_PARAMETER] {
        if !query.is_empty() && parameter(query, name)?.is_some() {
            return Err(Error::Parameter { name, reason: reason.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u64, offset: u64) -> Position {
        Position { epoch: Epoch::from_u64(epoch), offset: Offset(offset) }
    }

    fn read(query: &str, header: Option<&str>) -> Freshness {
        freshness(query, header).expect("understood")
    }

    #[test]
    fn a_read_is_of_the_newest_state_unless_it_says_otherwise() {
        assert_eq!(read("", None), Freshness::Newest);
        assert_eq!(read("documentVersion=3", None), Freshness::Newest);
        assert_eq!(read("consistency=local", None), Freshness::Copy { at_least: None });
    }

    #[test]
    fn a_position_is_read_with_and_without_the_quotes_of_an_entity_tag() {
        for text in ["atLeast=3-118", "atLeast=%223-118%22", "atLeast=W/%223-118%22&consistency=local"] {
            assert_eq!(read(text, None), Freshness::Copy { at_least: Some(at(3, 118)) }, "{text}");
        }
        assert_eq!(read("", Some("\"3-118+zstd\"")), Freshness::Copy { at_least: Some(at(3, 118)) });
        assert_eq!(read("", Some("\"3-118\"")), Freshness::Copy { at_least: Some(at(3, 118)) });
        assert_eq!(read("atLeast=3-118", Some("3-118")), Freshness::Copy { at_least: Some(at(3, 118)) });
    }

    #[test]
    fn wrong_values_are_refused() {
        for query in [
            "consistency=eventual",
            "consistency",
            "atLeast=7",
            "atLeast=-1-2",
            "atLeast=+1-2",
            "atLeast=a-b",
            "atLeast=%223-1",
        ] {
            assert!(freshness(query, None).is_err(), "{query}");
        }
        assert!(freshness("", Some("soon")).is_err());
        assert!(freshness("atLeast=3-118", Some("3-119")).is_err());
    }

    #[test]
    fn what_is_for_reads_alone_is_refused_elsewhere() {
        assert!(refuse("a=1", None, "is for reads").is_ok());
        assert!(refuse("a=1&consistency=local", None, "is for reads").is_err());
        assert!(refuse("", Some("3-1"), "is for reads").is_err());
    }
}
