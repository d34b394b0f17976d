//! Bodies in one piece.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;

use super::error::Error;
use super::held::Held;

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
