//! Gathers the pieces of a stream that are there at the same moment into one write: a system call for each event costs more than everything else
//! fengate does for it. Nothing waits for time to pass: what is there goes out as soon as two turns of the scheduler have brought no more.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;

/// Enough for one write.
const WRITE_BYTES: usize = 16 * 1024;

/// Turns the scheduler gives to others before a write. Measured: after one, the task that reads from the provider has not run yet; after two it
/// has, and a third brings nothing more.
const TURNS: u8 = 2;

/// Gathers the pieces of `inner`.
pub(super) struct Gather<S> {
    inner: S,
    first: Bytes,
    more: BytesMut,
    /// How many turns the others have had since the last piece.
    turns_given: u8,
    ended: bool,
}

impl<S: Stream<Item = Bytes> + Unpin> Gather<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, first: Bytes::new(), more: BytesMut::new(), turns_given: 0, ended: false }
    }

    fn hold(&mut self, piece: Bytes) {
        if self.first.is_empty() {
            self.first = piece;
            return;
        }
        if self.more.is_empty() {
            self.more.extend_from_slice(&self.first);
        }
        self.more.extend_from_slice(&piece);
    }

    fn held(&self) -> usize {
        self.first.len().max(self.more.len())
    }

    /// What is held, as one piece; a piece that came alone is not copied.
    fn release(&mut self) -> Bytes {
        self.turns_given = 0;
        let first = std::mem::take(&mut self.first);
        if self.more.is_empty() { first } else { self.more.split().freeze() }
    }
}

impl<S: Stream<Item = Bytes> + Unpin> Stream for Gather<S> {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        while !this.ended && this.held() < WRITE_BYTES {
            match Pin::new(&mut this.inner).poll_next(context) {
                Poll::Ready(Some(piece)) => {
                    this.hold(piece);
                    this.turns_given = 0;
                }
                Poll::Ready(None) => this.ended = true,
                Poll::Pending if this.held() == 0 => return Poll::Pending,
                Poll::Pending if this.turns_given >= TURNS => return Poll::Ready(Some(this.release())),
                Poll::Pending => {
                    // Whoever reads from the provider hands over one piece at a time: let it run before writing.
                    this.turns_given += 1;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready((this.held() > 0).then(|| this.release()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn what_is_there_goes_out_together_and_nothing_is_lost() {
        let pieces: Vec<Bytes> = (0..5_000).map(|n| Bytes::from(format!("data: {n}\n\n"))).collect();
        let whole: Vec<u8> = pieces.concat();
        let gathered: Vec<Bytes> = Gather::new(futures_util::stream::iter(pieces)).collect().await;
        assert_eq!(gathered.concat(), whole);
        assert!(gathered.len() < 20, "{}", gathered.len());
    }

    #[tokio::test]
    async fn a_piece_does_not_wait_for_the_next() {
        let (send, mut receive) = tokio::sync::mpsc::channel::<Bytes>(8);
        let mut gather = Gather::new(Box::pin(futures_util::stream::poll_fn(move |context| receive.poll_recv(context))));
        for n in 0..3u8 {
            send.send(Bytes::from(vec![n])).await.expect("sent");
            assert_eq!(gather.next().await, Some(Bytes::from(vec![n])), "while the sender is still there");
        }
        send.send(Bytes::from_static(b"a")).await.expect("sent");
        send.send(Bytes::from_static(b"b")).await.expect("sent");
        drop(send);
        assert_eq!(gather.next().await, Some(Bytes::from_static(b"ab")));
        assert_eq!(gather.next().await, None);
    }
}
