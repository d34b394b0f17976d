//! Bodies of requests: read up to their bound, decompressed, and checked to be JSON.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use hyper::body::Body;

use super::arriving::Arriving;
use super::collect::collect;
use super::decode::{Coded, Head, Media};
use super::decompress;
use super::error::Error;
use super::held::Held;
use steward_model::json;

/// Longest time that a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// Returns the whole body of a request, decompressed, if it arrives and has no more than `max` bytes.
///
/// # Errors
/// [`Error`] says why not.
pub(super) async fn received(
    head: &Head,
    parts: &Parts,
    body: Arriving,
    max: usize,
    held: &mut Held,
) -> Result<Bytes, Error> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let read = async {
        match head.coding {
            Coded::Plain => collect(body, max, held).await,
            Coded::By(coding) => Box::pin(decompress::collect(coding, body, max, held)).await,
            Coded::Unknown => Err(unknown_coding(&parts.headers)),
        }
    };
    let late = |_| Error::BodyLate { seconds: BODY_WITHIN.as_secs() };
    tokio::time::timeout(BODY_WITHIN, read).await.map_err(late)?
}

/// Checks what of a body can be told before it is read: nobody sends one to hear that it has another type.
///
/// # Errors
/// [`Error::MediaType`] if it is said to be no JSON, or is said to be there and not what it is; [`Error::Coding`].
pub(super) fn foreseen(head: &Head, parts: &Parts, body: &Arriving) -> Result<(), Error> {
    if head.coding == Coded::Unknown {
        return Err(unknown_coding(&parts.headers));
    }
    match head.media {
        Media::Json | Media::MergePatch => Ok(()),
        // Whether one that says nothing of its length is empty is seen by reading it.
        Media::Unsaid if body.size_hint().lower() == 0 => Ok(()),
        Media::Unsaid | Media::Wasm | Media::Other => Err(unexpected(&parts.headers, "application/json")),
    }
}

fn unknown_coding(headers: &HeaderMap) -> Error {
    let named = headers.get_all(CONTENT_ENCODING).iter();
    let named: Vec<_> = named.map(|coding| String::from_utf8_lossy(coding.as_bytes())).collect();
    Error::Coding(named.join(", "))
}

/// Returns the body if there is one, checked to be JSON of the media type that the headers say.
///
/// # Errors
/// [`Error::MediaType`] if it is said to be something else, [`Error::NotJson`] with line and column if it is no JSON,
/// [`Error::ReservedKey`] if it has a key that no document may have.
pub(super) fn checked(head: &Head, headers: &HeaderMap, body: Bytes) -> Result<Option<Bytes>, Error> {
    let is_json = match head.media {
        Media::Json | Media::MergePatch => true,
        Media::Unsaid => body.is_empty(),
        // Nor without a body: these are the types that a browser sends for any page without asking first.
        Media::Wasm | Media::Other => false,
    };
    if !is_json {
        return Err(unexpected(headers, "application/json"));
    }
    if body.is_empty() {
        return Ok(None);
    }
    json::check(&body)?;
    Ok(Some(body))
}

/// Returns the error of a body of another type than `wanted`.
pub(super) fn unexpected(headers: &HeaderMap, wanted: &'static str) -> Error {
    let stated = headers.get(CONTENT_TYPE).map(|found| String::from_utf8_lossy(found.as_bytes()).into_owned());
    let found = stated.unwrap_or_else(|| "of no stated type".to_owned());
    Error::MediaType { found, wanted }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::HeaderValue;

    use super::super::held::Bodies;
    use super::*;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    fn said(content_type: &'static str) -> Head {
        let mut head = Head::default();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        head.read(&headers).expect("headers");
        head
    }

    #[test]
    fn bodies_of_other_types_are_refused() {
        let body = || Bytes::from_static(b"{}");
        let none = HeaderMap::new();
        let read = said("application/x-www-form-urlencoded");
        assert!(matches!(checked(&read, &none, body()), Err(Error::MediaType { .. })));
        assert!(matches!(checked(&read, &none, Bytes::new()), Err(Error::MediaType { .. })));
        assert!(matches!(checked(&Head::default(), &none, body()), Err(Error::MediaType { .. })));
        assert!(matches!(checked(&Head::default(), &none, Bytes::new()), Ok(None)));
        let read = said("Application/JSON; charset=utf-8");
        assert!(matches!(checked(&read, &none, body()), Ok(Some(_))));
    }

    fn nothing() -> Held {
        Arc::new(Bodies::of_requests(1 << 20)).nothing()
    }

    #[tokio::test]
    async fn bodies_are_read_no_further_than_they_may_go() {
        let whole = collect(Full::new(Bytes::from_static(b"12345")), 5, &mut nothing()).await;
        assert_eq!(whole.expect("fits"), "12345");
        assert!(matches!(
            collect(Full::new(Bytes::from_static(b"123456")), 5, &mut nothing()).await,
            Err(Error::BodyTooLarge { max: 5 })
        ));
        let pieces = |count: usize| {
            let frames =
                std::iter::repeat_n(Bytes::from_static(b"ab"), count).map(|chunk| Ok::<_, String>(Frame::data(chunk)));
            StreamBody::new(futures_util::stream::iter(frames))
        };
        assert_eq!(collect(pieces(3), 6, &mut nothing()).await.expect("fits"), "ababab");
        assert!(matches!(collect(pieces(usize::MAX), 6, &mut nothing()).await, Err(Error::BodyTooLarge { .. })));
    }
}
