//! Serves connections: how many, how long they may be silent, and how they end when the process drains.
//!
//! One kind of answer is not ours: what is no HTTP/1 request (a bad request line, two lengths, a target or a head beyond what hyper reads) hyper
//! answers itself, 400, 414 or 431 without a body and without `x-request-id`, and closes the connection; there was no request that could be
//! named or logged. Such connections are counted as `malformed`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::IntGauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::conn_io::ConnIo;
use super::crowd::{Connections, Counted};
use super::heads::Heads;
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// How long a connection may be silent between two requests; hyper counts the headers in, for which [`super::conn_io`] has a limit of its own.
const SILENT_WITHIN: Duration = Duration::from_secs(75);

/// Most requests on one connection.
const REQUESTS_MAX: u32 = 10_000;

/// What hyper reads ahead, and most header fields of a request. How many bytes they may have is [`super::guard`]'s to say.
const BUFFER_BYTES: usize = 64 * 1024;
const HEADERS_MAX: usize = 64;

/// Pause after the system could not give us a connection (usually: no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a listener needs.
#[derive(Clone)]
pub struct Serving {
    /// Which listener this is, for metrics: `public` or `admin`.
    pub listener: &'static str,
    /// Most connections at once; one more is closed at once.
    pub connections_max: usize,
    /// Most connections of one address at once, so that none takes all of them.
    pub connections_per_address_max: usize,
    /// Where connections run, and when they are told to end.
    pub tasks: Tasks,
    /// Where connections are counted.
    pub metrics: Metrics,
}

/// Accepts connections until the process drains. `service` makes what answers the requests of one peer.
pub async fn serve<M, S, B>(listener: TcpListener, serving: Serving, service: M)
where
    M: Fn(SocketAddr) -> S,
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let slots = Arc::new(Semaphore::new(serving.connections_max));
    let by_address = Connections::default();
    let stopping = serving.tasks.stopping();
    tokio::pin!(stopping);
    loop {
        let accepted = tokio::select! {
            () = &mut stopping => return,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(connection) => connection,
            Err(e) => {
                tracing::warn!(error = %e, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            serving.metrics.connections_cut.with_label_values(&["too_many"]).inc();
            continue;
        };
        let Some(counted) = by_address.one_more(peer.ip(), serving.connections_per_address_max) else {
            serving.metrics.connections_cut.with_label_values(&["too_many_of_one"]).inc();
            continue;
        };
        let connection = connection(socket, serving.clone(), service(peer), (slot, counted));
        drop(serving.tasks.vital(connection));
    }
}

async fn connection<S, B>(socket: TcpStream, serving: Serving, service: S, place: (OwnedSemaphorePermit, Counted))
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let _place = place;
    let _open = Open::count(&serving);
    let _ = socket.set_nodelay(true);
    let (metrics, heads) = (serving.metrics.clone(), Heads::default());
    let io = TokioIo::new(ConnIo::new(socket, heads.clone(), move |reason| metrics.connections_cut.with_label_values(&[reason]).inc()));
    let answering = hyper::service::service_fn(move |request| {
        let is_last = heads.complete() >= REQUESTS_MAX;
        let (mut service, heads) = (service.clone(), heads.clone());
        async move {
            let mut response = service.call(request).await?;
            if is_last {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response.map(|body| heads.until_end_of(body)))
        }
    });
    let conn = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENT_WITHIN)
        .max_buf_size(BUFFER_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(io, answering);
    tokio::pin!(conn);
    let stopping = serving.tasks.stopping();
    tokio::pin!(stopping);
    let mut draining = false;
    loop {
        tokio::select! {
            ended = conn.as_mut() => {
                if let Err(e) = ended {
                    if e.is_parse() {
                        serving.metrics.connections_cut.with_label_values(&["malformed"]).inc();
                    }
                    tracing::debug!(error = %e, "a connection broke off");
                }
                return;
            }
            () = &mut stopping, if !draining => {
                draining = true;
                conn.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Counts an open connection as long as it lives.
struct Open(IntGauge);

impl Open {
    fn count(serving: &Serving) -> Self {
        let open = serving.metrics.connections.with_label_values(&[serving.listener]);
        open.inc();
        Self(open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
