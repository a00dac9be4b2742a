//! A connection that notices when its peer stops reading, and when a request it began does not come: hyper has no timer for writing, so a client
//! that never reads would hold its stream, and the provider behind it, for ever; and its timer for headers counts the silence before them in.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::heads::Heads;

/// How long a write may wait without a byte being taken.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// How long a request's headers may take from their first byte; on a new connection, from its beginning.
pub(super) const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// A connection with a deadline on every write that makes no progress, and on the headers of every request that has begun.
pub(super) struct ConnIo<I> {
    io: I,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs while the headers of the request with this number are coming.
    headers: Option<(u32, Pin<Box<Sleep>>)>,
    heads: Heads,
    cut: Box<dyn Fn(&'static str) + Send>,
}

impl<I> ConnIo<I> {
    /// Watches a new connection; calls `cut` with the reason when it gives up on the peer.
    pub(super) fn new(io: I, heads: Heads, cut: impl Fn(&'static str) + Send + 'static) -> Self {
        let headers = Some((0, Box::pin(tokio::time::sleep(HEADERS_WITHIN))));
        Self { io, stalled: None, headers, heads, cut: Box::new(cut) }
    }

    /// Whether the headers that are coming have taken too long. `began`: bytes have just arrived.
    fn dawdles(&mut self, context: &mut Context<'_>, began: bool) -> bool {
        let awaited = self.heads.awaited();
        if self.headers.as_ref().is_some_and(|(number, _)| Some(*number) != awaited) {
            self.headers = None;
        }
        let Some(number) = awaited else { return false };
        if began && self.headers.is_none() {
            self.headers = Some((number, Box::pin(tokio::time::sleep(HEADERS_WITHIN))));
        }
        self.headers.as_mut().is_some_and(|(_, within)| within.as_mut().poll(context).is_ready())
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
                (self.cut)("never_reading");
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
            }
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for ConnIo<I> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        if self.dawdles(context, buffer.filled().len() > before) {
            (self.cut)("silent");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the headers do not come")));
        }
        polled
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
        let mut io = Box::pin(ConnIo::new(ours, Heads::default(), move |_| seen.store(true, Ordering::SeqCst)));
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
    /// What happens on a connection.
    enum Act {
        Bytes(&'static [u8]),
        HeadersComplete,
        Answered,
    }

    /// How many seconds the reader waits on a connection on which `acts` happen, each after a wait in seconds.
    async fn reads_for(acts: Vec<(u64, Act)>) -> u64 {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let heads = Heads::default();
        let mut io = ConnIo::new(ours, heads.clone(), |reason| assert_eq!(reason, "silent"));
        let began = tokio::time::Instant::now();
        let peer = async {
            for (wait, act) in acts {
                tokio::time::sleep(Duration::from_secs(wait)).await;
                match act {
                    Act::Bytes(bytes) => theirs.write_all(bytes).await.expect("written"),
                    Act::HeadersComplete => drop(heads.complete()),
                    Act::Answered => drop(heads.clone().until_end_of(())),
                }
            }
            std::future::pending::<()>().await;
        };
        let reader = async {
            let mut buffer = [0; 64];
            while io.read(&mut buffer).await.is_ok() {}
        };
        tokio::select! {
            () = peer => {}
            () = reader => {}
            () = tokio::time::sleep(Duration::from_secs(1_000)) => {}
        }
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn headers_must_come_soon_once_they_began_and_silence_between_requests_may_last() {
        assert_eq!(reads_for(vec![]).await, 10, "a silent new connection");
        assert_eq!(reads_for((0..9).map(|_| (1, Act::Bytes(b"x"))).collect()).await, 10, "one that dawdles");
        let served = |more: Vec<(u64, Act)>| {
            let first =
                [(1, Act::Bytes(b"GET")), (1, Act::HeadersComplete), (0, Act::Bytes(b"body")), (20, Act::Bytes(b"more body")), (1, Act::Answered)];
            first.into_iter().chain(more).collect::<Vec<_>>()
        };
        assert_eq!(reads_for(served(vec![])).await, 1_000, "silence after an answer is hyper's to end");
        let second = served(vec![(60, Act::Bytes(b"G")), (9, Act::Bytes(b"E"))]);
        assert_eq!(reads_for(second).await, 23 + 60 + 10, "the next request began and does not come");
    }
}
