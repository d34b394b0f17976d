//! What a guest writes to its standard output and error: lines of the host's log, and the last words of a guest that
//! breaks.
//!
//! Before they give up, the runtimes of many languages write there what they know about an uncaught exception or a
//! panic. A guest cannot fill the host's memory with such text: of one call, the last [`KEPT_BYTES_MAX`] bytes are
//! kept.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Most bytes that are kept of what one call writes.
const KEPT_BYTES_MAX: usize = 16 << 10;

/// One of the two outputs of an instance.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn kept(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, bytes: &[u8]) {
        let mut kept = self.kept();
        // Last words are worth more than first ones.
        let bytes = &bytes[bytes.len().saturating_sub(KEPT_BYTES_MAX)..];
        let excess = (kept.len() + bytes.len()).saturating_sub(KEPT_BYTES_MAX);
        kept.drain(..excess);
        kept.extend_from_slice(bytes);
    }

    /// Returns what was written since it was asked last, as text.
    pub(crate) fn take(&self) -> String {
        let taken = std::mem::take(&mut *self.kept());
        String::from_utf8_lossy(&taken).into_owned()
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    // The usual way writes in a task of its own, which may be late for the end of the guest.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(KEPT_BYTES_MAX)
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.add(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_taken_once_and_kept_within_bounds() {
        let output = Output::default();
        output.add(b"one\n");
        output.add(b"two");
        assert_eq!(output.take(), "one\ntwo");
        assert_eq!(output.take(), "");
        output.add(&vec![b'x'; 3 * KEPT_BYTES_MAX]);
        output.add(b"last words");
        let kept = output.take();
        assert_eq!(kept.len(), KEPT_BYTES_MAX);
        assert!(kept.ends_with("xxlast words"));
    }
}
