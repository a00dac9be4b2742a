//! Bodies: what is answered, and how a request's body is read: within its limit and its time, or not at all.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::carried::{Carried, CarryError};
use crate::metrics::Metrics;
use crate::refusal::{Kind, Refusal};

/// How long a request's body may take from its first to its last byte.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// The body of an answer.
pub enum Body {
    /// Everything at once.
    Whole(Option<Bytes>),
    /// Pieces as they come.
    Pieces(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    /// Somebody else's answer, as it comes; it may break off.
    Carried(Box<Carried>),
}

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self::Whole(None)
    }

    /// Everything at once.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()).filter(|bytes| !bytes.is_empty()))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = CarryError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CarryError>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(pieces) => pieces.as_mut().poll_next(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes)))),
            Self::Carried(carried) => Pin::new(carried.as_mut()).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Pieces(_) => false,
            Self::Carried(carried) => carried.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Pieces(_) => SizeHint::default(),
            Self::Carried(carried) => carried.size_hint(),
        }
    }
}

/// Reads a whole body of at most `bytes_max` bytes: 413 at once if it says that it is longer, 408 if it takes too long, which ends the connection
/// and is counted.
pub async fn read(headers: &HeaderMap, body: Incoming, bytes_max: usize, metrics: &Metrics) -> Result<Bytes, Refusal> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    if declared.is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    match tokio::time::timeout(BODY_WITHIN, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(e)) if e.is::<http_body_util::LengthLimitError>() => Err(too_large(bytes_max)),
        Ok(Err(e)) => Err(Refusal::new(Kind::BadRequest, "incomplete_body", "The request body broke off.").detail(e.to_string())),
        Err(_) => {
            metrics.connections_cut.with_label_values(&["slow_body"]).inc();
            Err(Refusal::new(Kind::RequestTimeout, "body_timeout", format!("The request body did not arrive within {} s.", BODY_WITHIN.as_secs())))
        }
    }
}

fn too_large(bytes_max: usize) -> Refusal {
    Refusal::new(Kind::TooLarge, "body_too_large", format!("The request body is over the limit of {bytes_max} bytes."))
}

/// Refuses a body that says it is something other than JSON. One that says nothing is taken for JSON.
pub fn must_be_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Refusal::new(Kind::UnsupportedMedia, "unsupported_media_type", "Send the body as application/json."))
    }
}
