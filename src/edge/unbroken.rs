//! A streamed body that outlives a defect of its own: a panic while it is polled is counted and ends this one stream, in words where there are any.

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use crate::metrics::Metrics;

/// `pieces`, ending in `last_words` if it panics. After a panic nothing of it is polled again.
pub(super) fn unbroken<S>(pieces: S, metrics: Metrics, last_words: impl Fn() -> Option<Bytes> + Send) -> impl Stream<Item = Bytes> + Send
where
    S: Stream<Item = Bytes> + Send,
{
    AssertUnwindSafe(pieces).catch_unwind().filter_map(move |piece| {
        std::future::ready(piece.map_or_else(
            |_| {
                metrics.panics.with_label_values(&["stream"]).inc();
                last_words()
            },
            Some,
        ))
    })
}
