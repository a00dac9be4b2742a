//! Serves connections: how many, how long they may be silent, and how they end when the process drains.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::conn_io::ConnIo;
use super::crowd::{Connections, Counted};
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// How long a new connection may take to send its first request's headers.
const FIRST_HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// How long headers may take later on; hyper counts the silence between two requests in.
const HEADERS_WITHIN: Duration = Duration::from_secs(75);

/// Most requests on one connection.
const REQUESTS_MAX: u32 = 10_000;

/// Largest block of headers, and most fields in it.
const HEADER_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 64;

/// Pause after the system could not give us a connection (usually: no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a listener needs.
#[derive(Clone)]
pub struct Serving {
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
    let _open = Open::count(&serving.metrics);
    let _ = socket.set_nodelay(true);
    let metrics = serving.metrics.clone();
    let io = TokioIo::new(ConnIo::new(socket, move || metrics.connections_cut.with_label_values(&["never_reading"]).inc()));
    let requests = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&requests);
    let answering = hyper::service::service_fn(move |request| {
        let is_last = counted.fetch_add(1, Ordering::Relaxed) + 1 >= REQUESTS_MAX;
        let mut service = service.clone();
        async move {
            let mut response = service.call(request).await?;
            if is_last {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let conn = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(io, answering);
    tokio::pin!(conn);
    let first = tokio::time::sleep(FIRST_HEADERS_WITHIN);
    tokio::pin!(first);
    let stopping = serving.tasks.stopping();
    tokio::pin!(stopping);
    let (mut waiting_for_first, mut draining) = (true, false);
    loop {
        tokio::select! {
            ended = conn.as_mut() => {
                if let Err(e) = ended {
                    tracing::debug!(error = %e, "a connection broke off");
                }
                return;
            }
            () = &mut first, if waiting_for_first => {
                if requests.load(Ordering::Relaxed) == 0 {
                    serving.metrics.connections_cut.with_label_values(&["silent"]).inc();
                    return;
                }
                waiting_for_first = false;
            }
            () = &mut stopping, if !draining => {
                draining = true;
                conn.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Counts an open connection as long as it lives.
struct Open(Metrics);

impl Open {
    fn count(metrics: &Metrics) -> Self {
        metrics.connections.inc();
        Self(metrics.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}
