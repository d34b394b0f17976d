//! Heads of requests: whatever HTTP lets through is refused with a client's status, or read the same way each time.
//!
//! ```text
//!  GET /core/examples/one?documentVersion=3     method and target, up to the first line break
//!  if-match: "1-7"                              headers, until the bytes end
//! ```
//!
//! What HTTP itself refuses is left out: that is hyper's work, not ours.

use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use steward_node::describe_head;

pub(crate) fn check(bytes: &[u8]) {
    let Some(parts) = head(bytes) else { return };
    let said = describe_head(&parts);
    assert_eq!(said, describe_head(&parts), "the same head is read in two ways");
    if let Err(problem) = said {
        // The fault is the client's, and the sentence says which.
        assert!((400..500).contains(&problem.kind.status()) && !problem.detail.is_empty(), "{problem:?}");
    }
}

fn head(bytes: &[u8]) -> Option<http::request::Parts> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = first.split_once(' ')?;
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(method.as_bytes()).ok()?;
    parts.uri = Uri::try_from(target).ok()?;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (HeaderName::from_bytes(&line[..colon]).ok()?, line[colon + 1..].trim_ascii());
        parts.headers.append(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(parts)
}
