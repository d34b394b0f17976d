//! Bodies of requests: read up to their bound, decompressed, and checked to be JSON.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Body;
use tokio::sync::Mutex;
use tower::ServiceExt;
use tower_http::decompression::RequestDecompression;

use super::arriving::Arriving;
use super::decode::{Coding, Head, Media};
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
    let coding = parts.headers.get(CONTENT_ENCODING);
    let read = async {
        match (head.coding, coding) {
            (Coding::Identity, _) | (Coding::Compressed, None) => collect(body, max, held).await,
            (Coding::Compressed, Some(coding)) => Box::pin(decompressed(coding, body, max, held)).await,
            (Coding::Unknown, coding) => {
                let named = coding.map(|coding| String::from_utf8_lossy(coding.as_bytes()).into_owned());
                Err(Error::Coding(named.unwrap_or_default()))
            }
        }
    };
    let late = |_| Error::BodyLate { seconds: BODY_WITHIN.as_secs() };
    tokio::time::timeout(BODY_WITHIN, read).await.map_err(late)?
}

async fn decompressed(coding: &HeaderValue, body: Arriving, max: usize, held: &mut Held) -> Result<Bytes, Error> {
    let held = Mutex::new(held);
    let plain = Mutex::new(Err(Error::Coding(String::from_utf8_lossy(coding.as_bytes()).into_owned())));
    let collected = tower::service_fn(|request: Request<_>| {
        let (plain, held) = (&plain, &held);
        async move {
            *plain.lock().await = collect(request.into_body(), max, *held.lock().await).await;
            Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let mut request = Request::new(body);
    request.headers_mut().insert(CONTENT_ENCODING, coding.clone());
    let Ok(_) = RequestDecompression::new(collected).oneshot(request).await;
    plain.into_inner()
}

/// Reads a body to its end, and no further than `max` bytes.
///
/// # Errors
/// [`Error::BodyTooLarge`] as soon as that is known, [`Error::BodyLost`] if the body breaks off, [`Error::BodiesFull`] if all
/// bodies together take too much.
pub(super) async fn collect<B>(mut body: B, max: usize, counted: &mut Held) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let announced = body.size_hint().lower();
    if announced > max as u64 {
        return Err(Error::BodyTooLarge { max });
    }
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::BodyLost(error.to_string()))?;
        let Ok(chunk) = frame.into_data() else { continue };
        let held = rest.as_ref().map_or(first.len(), BytesMut::len);
        if held + chunk.len() > max {
            return Err(Error::BodyTooLarge { max });
        }
        counted.more(chunk.len())?;
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&chunk),
            // Most bodies come in one piece, which need not be copied.
            None if first.is_empty() => first = chunk,
            None => {
                let whole = usize::try_from(announced).unwrap_or(0).max(first.len() + chunk.len());
                let mut joined = BytesMut::with_capacity(whole);
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&chunk);
                rest = Some(joined);
            }
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
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
        Arc::new(Bodies::default()).nothing()
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
