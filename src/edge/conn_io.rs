//! A connection that notices when its peer stops reading: hyper has no timer for writing, so a client that never reads would hold its
//! stream, and the provider behind it, for ever.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long a write may wait without a byte being taken.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// A connection with a deadline on every write that makes no progress.
pub(super) struct ConnIo<I> {
    io: I,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    cut: Box<dyn Fn() + Send>,
}

impl<I> ConnIo<I> {
    /// Watches `io`; calls `cut` when it gives up on the peer.
    pub(super) fn new(io: I, cut: impl Fn() + Send + 'static) -> Self {
        Self { io, stalled: None, cut: Box::new(cut) }
    }

    /// Lets a pending write pass only until its deadline.
    fn watched<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_WITHIN)));
        match stalled.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                (self.cut)();
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
            }
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for ConnIo<I> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for ConnIo<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(context, bytes);
        self.watched(context, polled)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.watched(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(context);
        self.watched(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(context);
        self.watched(context, polled)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_never_reads_is_cut_and_a_slow_one_is_not() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let was_cut = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&was_cut);
        let mut io = Box::pin(ConnIo::new(ours, move || seen.store(true, Ordering::SeqCst)));
        let slow_reader = async {
            let mut byte = [0; 8];
            for _ in 0..3 {
                tokio::time::sleep(WRITE_WITHIN - Duration::from_secs(1)).await;
                let _ = theirs.read(&mut byte).await;
            }
        };
        let (written, ()) = tokio::join!(io.write_all(&[1; 24]), slow_reader);
        assert!(written.is_ok() && !was_cut.load(Ordering::SeqCst));
        let error = io.write_all(&[1; 24]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(was_cut.load(Ordering::SeqCst));
    }
}
