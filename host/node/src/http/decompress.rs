//! Bodies of requests that are coded, read as what is in them.
//!
//! Both codings may come as several parts one after the other: members of gzip (RFC 1952, section 2.2), frames of zstd
//! (RFC 8878, section 3). The body is the concatenation of what is in the parts. What stands behind the last part and is
//! none itself makes the body unreadable, for nobody knows what it was meant to say.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::header::CONTENT_ENCODING;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Body;
use tokio::sync::Mutex;
use tower::ServiceExt;
use tower_http::decompression::RequestDecompression;

use super::coding::Coding;
use super::collect;
use super::error::Error;
use super::held::Held;

/// Fewest bytes of a part of gzip; those that hold nothing make no body longer.
const MEMBER_BYTES_MIN: usize = 20;

/// Returns the whole body, which has no more than `max` bytes once it is decoded.
///
/// # Errors
/// [`Error::BodyTooLarge`] as soon as that is known, [`Error::BodyLost`] if it breaks off, [`Error::BodyDamaged`] if it arrives and is not
/// in that coding, [`Error::BodiesFull`] if all bodies together take too much.
pub(super) async fn collect<B>(coding: Coding, body: B, max: usize, held: &mut Held) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + std::fmt::Display,
{
    // A decoder says the same of a body that ends too early and of a connection that does; only one of them is worth a repeat.
    let broke = AtomicBool::new(false);
    let body = body.map_err(|error| {
        broke.store(true, Ordering::Relaxed);
        error
    });
    let decoded = match coding {
        Coding::Gzip => members(body, max, held).await,
        Coding::Zstd => frames(body, max, held).await,
    };
    decoded.map_err(|error| match error {
        Error::BodyLost(reason) if !broke.load(Ordering::Relaxed) => Error::BodyDamaged { coding, reason },
        other => other,
    })
}

/// What has been decoded, up to its bound.
struct Decoded<'a> {
    bytes: Vec<u8>,
    max: usize,
    held: &'a mut Held,
    /// Why no more is taken; the decoder tells only that it is so.
    refusal: Option<Error>,
}

impl Write for Decoded<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let refused = match self.bytes.len() + piece.len() > self.max {
            true => Err(Error::BodyTooLarge { max: self.max }),
            false => self.held.more(piece.len()),
        };
        if let Err(refusal) = refused {
            self.refusal = Some(refusal);
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn members<B>(mut body: B, max: usize, held: &mut Held) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let lost = |error: &dyn std::fmt::Display| Error::BodyLost(error.to_string());
    let mut decoder = MultiGzDecoder::new(Decoded { bytes: Vec::new(), max, held, refusal: None });
    let mut arrived = 0;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|error| lost(&error))?.into_data() else { continue };
        arrived += piece.len();
        // Members that hold nothing would come for ever; what does not shrink is hardly longer than it is plain.
        if arrived > max + max / 8 + MEMBER_BYTES_MIN {
            return Err(Error::BodyTooLarge { max });
        }
        if let Err(error) = decoder.write_all(&piece) {
            return Err(decoder.get_mut().refusal.take().unwrap_or_else(|| lost(&error)));
        }
    }
    if let Err(error) = decoder.try_finish() {
        return Err(decoder.get_mut().refusal.take().unwrap_or_else(|| lost(&error)));
    }
    Ok(Bytes::from(std::mem::take(&mut decoder.get_mut().bytes)))
}

async fn frames<B>(body: B, max: usize, held: &mut Held) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let held = Mutex::new(held);
    let plain = Mutex::new(Err(Error::Coding(Coding::Zstd.name().to_owned())));
    let collected = tower::service_fn(|request: Request<_>| {
        let (plain, held) = (&plain, &held);
        async move {
            *plain.lock().await = collect::collect(request.into_body(), max, *held.lock().await).await;
            Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let mut request = Request::new(body);
    request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(Coding::Zstd.name()));
    let Ok(_) = RequestDecompression::new(collected).oneshot(request).await;
    plain.into_inner()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use futures_util::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::super::held::Bodies;
    use super::*;

    fn member(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    /// Decodes a body that arrives in pieces of `piece` bytes.
    async fn decoded(body: &[u8], piece: usize, max: usize) -> Result<Bytes, Error> {
        let pieces: Vec<_> =
            body.chunks(piece).map(|piece| Ok::<_, io::Error>(Frame::data(Bytes::copy_from_slice(piece)))).collect();
        let mut held = Arc::new(Bodies::of_requests(1 << 20)).nothing();
        collect(Coding::Gzip, StreamBody::new(stream::iter(pieces)), max, &mut held).await
    }

    #[tokio::test]
    async fn members_are_joined_wherever_the_pieces_end() {
        let both = [member(b"{\"a\":"), member(b""), member(b"1}")].concat();
        for piece in [1, 2, 7, 10, 20, 21, both.len()] {
            assert_eq!(decoded(&both, piece, 1_000).await.expect("fits"), "{\"a\":1}", "{piece}");
            for behind in [&b"\0"[..], b"junk", b"\x1f\x8b", &both[..both.len() - 1]] {
                let longer = [&both, behind].concat();
                let refused = decoded(&longer, piece, 1_000).await;
                assert!(matches!(refused, Err(Error::BodyDamaged { .. })), "{piece} {behind:?}: {refused:?}");
            }
            let broken = decoded(&both[..both.len() - 1], piece, 1_000).await;
            assert!(matches!(broken, Err(Error::BodyDamaged { .. })), "{piece}: {broken:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_lost_and_not_damaged() {
        for (coding, begun) in [(Coding::Gzip, Some(member(b"{}")[..8].to_vec())), (Coding::Zstd, None)] {
            let mut held = Arc::new(Bodies::of_requests(1 << 20)).nothing();
            let broken = Err(io::Error::from(io::ErrorKind::ConnectionReset));
            let begun = begun.into_iter().map(|bytes| Ok(Frame::data(Bytes::from(bytes))));
            let body = StreamBody::new(stream::iter(begun.chain([broken])));
            let lost = collect(coding, body, 100, &mut held).await;
            assert!(matches!(lost, Err(Error::BodyLost(_))), "{coding:?}: {lost:?}");
            let junk =
                StreamBody::new(stream::iter([Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"no such coding")))]));
            let damaged = collect(coding, junk, 100, &mut held).await;
            assert!(matches!(damaged, Err(Error::BodyDamaged { .. })), "{coding:?}: {damaged:?}");
        }
    }

    #[tokio::test]
    async fn neither_a_bomb_nor_members_without_end_go_past_the_bound() {
        let bomb = member(&vec![b' '; 100_000]);
        assert!(matches!(decoded(&bomb, 64, 99_999).await, Err(Error::BodyTooLarge { max: 99_999 })));
        assert_eq!(decoded(&bomb, 64, 100_000).await.expect("fits").len(), 100_000);
        let empty = member(b"").repeat(1_000);
        assert!(matches!(decoded(&empty, 64, 1_000).await, Err(Error::BodyTooLarge { max: 1_000 })));
    }
}
