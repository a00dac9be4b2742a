//! Where a connection stands between requests. hyper has one timer for a request's headers and for the silence before them; a client may be
//! silent for long, but once a request has begun its headers must come soon.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// What the connection's reader and its requests tell each other; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Heads(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Requests whose headers have come.
    seen: AtomicU32,
    /// One of them has not been answered to its end.
    answering: AtomicBool,
}

impl Heads {
    /// A request's headers are there; gives back how many requests that makes.
    pub(super) fn complete(&self) -> u32 {
        self.0.answering.store(true, Ordering::Relaxed);
        self.0.seen.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number of the request whose headers come next; `None` while one is being answered: what comes then is its body.
    pub(super) fn awaited(&self) -> Option<u32> {
        (!self.0.answering.load(Ordering::Relaxed)).then(|| self.0.seen.load(Ordering::Relaxed))
    }

    /// `body` is the answer: with its end the next request may begin.
    pub(super) fn until_end_of<B>(self, body: B) -> Answering<B> {
        Answering { body, end: End(self) }
    }
}

pin_project! {
    /// An answer under way.
    pub(super) struct Answering<B> {
        #[pin]
        body: B,
        end: End,
    }
}

struct End(Heads);

impl Drop for End {
    fn drop(&mut self) {
        self.0.0.answering.store(false, Ordering::Relaxed);
    }
}

impl<B: Body> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
