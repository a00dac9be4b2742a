//! A body carried from one connection to another as it comes: a few pieces in memory at most, and an end if nothing comes any more.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

/// How long a body may give nothing before it is taken for broken.
const PIECE_WITHIN: Duration = Duration::from_secs(30);

/// Why a carried body has no whole end. Whoever receives it sees its connection break: half an answer never looks like a whole one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CarryError {
    /// It is longer than allowed.
    #[error("the body is longer than {0} bytes")]
    TooLong(u64),
    /// Nothing came for too long.
    #[error("no piece of the body came within {0:?}")]
    Stalled(Duration),
    /// Its connection broke.
    #[error("the body broke off: {0}")]
    Broken(String),
}

/// What went wrong with a carried body, for whoever gave it away.
#[derive(Clone, Debug, Default)]
pub struct Fate(Arc<OnceLock<CarryError>>);

impl Fate {
    /// Why the body broke off, if it did.
    pub fn error(&self) -> Option<&CarryError> {
        self.0.get()
    }
}

/// The body.
pub struct Carried<B = Incoming> {
    body: B,
    bytes_max: u64,
    carried: u64,
    /// Runs while the next piece is waited for.
    waiting: Option<Pin<Box<Sleep>>>,
    fate: Fate,
}

impl<B> Carried<B> {
    /// Carries `body` up to `bytes_max` bytes.
    pub fn new(body: B, bytes_max: u64) -> Self {
        Self { body, bytes_max, carried: 0, waiting: None, fate: Fate::default() }
    }

    /// Tells later what became of it.
    pub fn fate(&self) -> Fate {
        self.fate.clone()
    }

    fn broken<T>(&self, error: CarryError) -> Poll<Option<Result<T, CarryError>>> {
        // Only the first error counts, and it is the only one: nobody polls a body that has failed.
        let _ = self.fate.0.set(error.clone());
        Poll::Ready(Some(Err(error)))
    }
}

impl<B> http_body::Body for Carried<B>
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
{
    type Data = Bytes;
    type Error = CarryError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CarryError>>> {
        let Poll::Ready(piece) = Pin::new(&mut self.body).poll_frame(context) else {
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(PIECE_WITHIN)));
            return match waiting.as_mut().poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => self.broken(CarryError::Stalled(PIECE_WITHIN)),
            };
        };
        self.waiting = None;
        match piece {
            None => Poll::Ready(None),
            Some(Err(e)) => self.broken(CarryError::Broken(e.to_string())),
            Some(Ok(frame)) => {
                self.carried = self.carried.saturating_add(frame.data_ref().map_or(0, |data| data.remaining() as u64));
                if self.carried > self.bytes_max { self.broken(CarryError::TooLong(self.bytes_max)) } else { Poll::Ready(Some(Ok(frame))) }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_gives_nothing_more_ends_broken() {
        let pieces = futures_util::stream::unfold(0, |n| async move {
            if n == 2 {
                std::future::pending::<()>().await;
            }
            Some((Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"abc"))), n + 1))
        });
        let carried = Carried::new(StreamBody::new(Box::pin(pieces)), 100);
        let fate = carried.fate();
        assert_eq!(
            carried.collect().await.map(|whole| whole.to_bytes()).map_err(|e| e.to_string()),
            Err("no piece of the body came within 30s".to_owned())
        );
        assert_eq!(fate.error(), Some(&CarryError::Stalled(PIECE_WITHIN)));
    }

    #[tokio::test]
    async fn a_body_passes_whole_up_to_its_limit_and_not_a_byte_beyond() {
        let whole = |max| Carried::new(Full::new(Bytes::from_static(b"abcd")), max).collect();
        assert_eq!(whole(4).await.map(|whole| whole.to_bytes()), Ok(Bytes::from_static(b"abcd")));
        assert_eq!(whole(3).await.map(|whole| whole.to_bytes()), Err(CarryError::TooLong(3)));
    }
}
