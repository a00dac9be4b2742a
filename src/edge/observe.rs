//! Observe: every request gets a name, one line in the log and its place in the metrics, whatever becomes of it. No secret and no user text
//! goes into either.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::answer::Told;
use super::{Arrival, doors};
use crate::ids::RequestId;
use crate::metrics::{Metrics, seconds};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layer: outermost of the front.
#[derive(Clone)]
pub struct Observe {
    metrics: Metrics,
    peer: SocketAddr,
}

impl Observe {
    /// Observes the requests of one peer.
    pub fn new(metrics: Metrics, peer: SocketAddr) -> Self {
        Self { metrics, peer }
    }
}

impl<S> tower::Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { observe: self.clone(), inner }
    }
}

/// The service.
#[derive(Clone)]
pub struct Observed<S> {
    observe: Observe,
    inner: S,
}

impl<S, A, B> tower::Service<Request<A>> for Observed<S>
where
    S: tower::Service<Request<A>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: http_body::Body,
{
    type Response = Response<Watched<B>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let arrival = Arrival { request_id: RequestId::random(), peer: self.observe.peer, at: Instant::now() };
        let mut line = Line {
            metrics: self.observe.metrics.clone(),
            request_id: arrival.request_id.clone(),
            peer: arrival.peer,
            at: arrival.at,
            door: doors::name_of(request.uri().path()),
            method: request.method().clone(),
            status: None,
            told: Told::default(),
        };
        request.extensions_mut().insert(arrival);
        let answering = self.inner.call(request);
        Box::pin(async move {
            let mut response = answering.await?;
            line.status = Some(response.status().as_u16());
            line.told = response.extensions_mut().remove::<Told>().unwrap_or_default();
            if let (Ok(id), false) = (HeaderValue::from_str(line.request_id.as_str()), line.told.untouched) {
                response.headers_mut().insert(REQUEST_ID, id);
            }
            Ok(response.map(|body| Watched { body, line }))
        })
    }
}

pin_project! {
    /// A body whose end is written down.
    pub struct Watched<B> {
        #[pin]
        body: B,
        line: Line,
    }
}

impl<B: http_body::Body<Data = Bytes>> http_body::Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What is written when a request is over: when its answer has been written, or when its caller has gone.
struct Line {
    metrics: Metrics,
    request_id: RequestId,
    peer: SocketAddr,
    at: Instant,
    door: &'static str,
    method: http::Method,
    status: Option<u16>,
    told: Told,
}

impl Drop for Line {
    fn drop(&mut self) {
        let took = self.at.elapsed();
        let class = match self.status {
            Some(200..=299) => "2xx",
            Some(300..=399) => "3xx",
            Some(400..=499) => "4xx",
            Some(_) => "5xx",
            // The caller went away before there was an answer.
            None => "gone",
        };
        self.metrics.requests.with_label_values(&[self.door, class]).inc();
        self.metrics.request_seconds.with_label_values(&[self.door]).observe(seconds(took));
        let (merchant, detail) = (self.told.merchant.as_ref().map(crate::ids::MerchantId::as_str), self.told.detail.as_deref());
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            target: "fengate::request", request_id = %self.request_id, door = self.door, method = %self.method, status = self.status,
            merchant, code = self.told.code.as_deref(), detail, took_ms, peer = %self.peer.ip(), "request"
        );
    }
}
