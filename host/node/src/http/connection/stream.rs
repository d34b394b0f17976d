//! Whether a client reads its answers: seen at the socket, and at the body of an answer.
//!
//! With HTTP/1.1 the socket alone tells. With HTTP/2 each answer has a window of its own, and the socket stays writable
//! while nobody reads. There it shows in the body, because no further piece of it is asked for. So every body is handed
//! over in pieces, even if it lies in memory as a whole.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::super::held::Held;
use super::frames::Frames;
use super::talk::{Pending, Sending, Talk};

/// Longest piece of a body that is handed over at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A socket that takes note of whether its client reads.
pub(in crate::http) struct Watched {
    stream: TcpStream,
    talk: Arc<Talk>,
    frames: Frames,
}

impl Watched {
    pub(in crate::http) fn new(stream: TcpStream, talk: Arc<Talk>) -> Watched {
        Watched { stream, talk, frames: Frames::default() }
    }

    fn noted(&mut self, pieces: &[IoSlice<'_>], written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.talk.blocks(),
            Poll::Ready(Ok(count)) if self.frames.went_out(pieces, *count) => self.talk.took(),
            Poll::Ready(Ok(_)) => self.talk.reads(),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.noted(&[IoSlice::new(bytes)], written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.noted(pieces, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The body of an answer while it is sent.
pub(in crate::http) struct Answering<B> {
    body: B,
    /// What is left of a piece that was too long.
    rest: Bytes,
    sending: Sending,
    /// Counts what the answer holds until it is gone.
    _held: Option<Held>,
}

impl<B> Answering<B> {
    /// Returns the body of the answer to what was asked; `held` counts its bytes if they are many.
    pub(in crate::http) fn new(body: B, asked: &Pending, held: Option<Held>) -> Answering<B> {
        Answering { body, rest: Bytes::new(), sending: asked.answered(), _held: held }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answering<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.sending.goes_on();
        if !self.rest.is_empty() {
            let length = self.rest.len().min(PIECE_BYTES);
            return Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))));
        }
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            other @ (Some(Err(_)) | None) => return Poll::Ready(other),
        };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(mut data) => {
                if data.len() > PIECE_BYTES {
                    self.rest = data.split_off(PIECE_BYTES);
                }
                Frame::data(data)
            }
            Err(other) => other,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (held, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        if let Some(upper) = body.upper() {
            hint.set_upper(held + upper);
        }
        hint.set_lower(held + body.lower());
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;
    use crate::clock::Clock;

    #[tokio::test]
    async fn long_answers_go_out_in_pieces_and_whole() {
        let talk = Arc::new(Talk::new(Arc::new(Clock::default())));
        let whole = Bytes::from(vec![7_u8; 2 * PIECE_BYTES + 1]);
        let mut body = Answering::new(Full::new(whole.clone()), &talk.asked(), None);
        assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
        let first = body.frame().await.expect("a piece").expect("no fault").into_data().expect("data");
        assert_eq!(first.len(), PIECE_BYTES);
        assert_eq!(body.size_hint().exact(), Some(PIECE_BYTES as u64 + 1));
        assert!(!body.is_end_stream());
        let rest = body.collect().await.expect("no fault").to_bytes();
        assert_eq!(first.len() + rest.len(), whole.len());
    }
}
