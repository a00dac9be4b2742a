//! Serves the sandbox: WeChat Pay v3 under `/v3`, the model under `/v1`, the phone at `/`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::{Inner, desk, host, model, pages, phone, v3};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Cut>;

/// Most connections at once.
const CONNECTIONS_MAX: usize = 4_096;

/// The largest body that is read, in bytes.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a body, and a connection's headers, may take.
const BODY_WITHIN: Duration = Duration::from_secs(30);
const HEADERS_WITHIN: Duration = Duration::from_secs(75);

/// The connection is cut without an answer: a fault that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("cut on purpose")]
pub(super) struct Cut;

/// An answer at once.
pub(super) fn whole(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

/// The same answer, broken off in the middle of its body: a fault that was asked for. One without a body stays as it is.
pub(super) fn truncated(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let length = body.size_hint().exact().unwrap_or_default();
    if length == 0 {
        return Response::from_parts(parts, body);
    }
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    let mut left = usize::try_from(length / 2).unwrap_or_default();
    let half = body.map_frame(move |frame| {
        frame.map_data(|mut data| {
            data.truncate(left);
            left -= data.len();
            data
        })
    });
    let cut = http_body_util::StreamBody::new(futures_util::stream::iter([Err::<hyper::body::Frame<Bytes>, Cut>(Cut)]));
    let frames = futures_util::StreamExt::chain(http_body_util::BodyStream::new(half), http_body_util::BodyStream::new(cut));
    Response::from_parts(parts, http_body_util::BodyExt::boxed_unsync(http_body_util::StreamBody::new(frames)))
}

pub(super) async fn serve(inner: &Arc<Inner>, listener: TcpListener) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let listen = listener.local_addr().ok();
    let stopping = inner.tasks.stopping();
    tokio::pin!(stopping);
    loop {
        let accepted = tokio::select! {
            () = &mut stopping => return,
            accepted = listener.accept() => accepted,
        };
        let (Ok((socket, _)), Ok(slot)) = (accepted, Arc::clone(&slots).try_acquire_owned()) else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let shared = Arc::clone(inner);
        // Vital: while fengate drains, payments and streams under way still need the sandbox.
        drop(inner.tasks.vital(async move {
            connection(shared, socket, listen).await;
            drop(slot);
        }));
    }
}

async fn connection(inner: Arc<Inner>, socket: TcpStream, listen: Option<SocketAddr>) {
    let _ = socket.set_nodelay(true);
    if inner.faults.refuses() && brings_v3(&socket).await {
        // With nothing to linger for, closing resets the connection.
        let _ = socket.set_zero_linger();
        return;
    }
    let shared = Arc::clone(&inner);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (inner, ours) = (Arc::clone(&shared), listen.is_none_or(|listen| host::is_ours(request.headers(), listen)));
        async move { if ours { enter(inner, request).await } else { Ok(whole(StatusCode::MISDIRECTED_REQUEST, Bytes::new())) } }
    });
    let conn = http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).serve_connection(TokioIo::new(socket), service);
    tokio::pin!(conn);
    let stopping = inner.tasks.stopping();
    tokio::pin!(stopping);
    let mut draining = false;
    loop {
        tokio::select! {
            _ = conn.as_mut() => return,
            () = &mut stopping, if !draining => {
                draining = true;
                conn.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Whether the first request on a connection is one of a merchant: looked at, not read.
async fn brings_v3(socket: &TcpStream) -> bool {
    let mut first = [0; 64];
    let seen = tokio::time::timeout(HEADERS_WITHIN, socket.peek(&mut first)).await;
    let seen = seen.ok().and_then(Result::ok).unwrap_or_default();
    first.get(..seen).is_some_and(|bytes| String::from_utf8_lossy(bytes).contains(" /v3/"))
}

async fn enter(inner: Arc<Inner>, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(BODY_WITHIN, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    let Ok(Ok(collected)) = read else { return Ok(whole(StatusCode::PAYLOAD_TOO_LARGE, Bytes::new())) };
    let body = collected.to_bytes();
    if parts.uri.path().starts_with("/v3/") {
        return v3::enter(&inner, &parts, body).await;
    }
    Ok(match (&parts.method, parts.uri.path()) {
        (&Method::POST, "/v1/chat/completions") => model::answer(body, &inner.clock).await,
        (&Method::GET, "/v1/models") => model::models(&inner.clock),
        (&Method::GET, "/") => phone::page(&inner, &parts),
        (&Method::POST, "/phone/pay") => phone::pay(&inner, &body),
        (&Method::POST, "/phone/auth-code") => phone::auth_code(&inner, &body),
        (&Method::GET, "/sandbox/orders") => desk::orders(&inner),
        (&Method::GET, "/sandbox/certificates") => desk::certificates(&inner),
        (&Method::POST, "/sandbox/certificates") => desk::rotate(&inner, &body),
        (&Method::GET, "/sandbox/clock") => desk::clock(&inner),
        (&Method::POST, "/sandbox/clock") => desk::drive(&inner, &body),
        (&Method::GET, "/sandbox/refunds") => desk::refunds(&inner),
        (&Method::GET, "/sandbox/callbacks") => desk::callbacks(&inner),
        (&Method::POST, "/sandbox/switches") => desk::switches(&inner, &body),
        (&Method::GET, "/sandbox/merchants") => desk::merchants(&inner),
        (&Method::POST, "/sandbox/faults") => desk::faults(&inner, &body),
        (&Method::GET, "/phone/cashier") => pages::cashier::open(&inner, &parts),
        (&Method::POST, "/phone/cashier") => pages::cashier::check(&inner, &body),
        (&Method::GET, "/cgi-bin/mmpayweb-bin/checkmweb") => pages::cashier::h5(&inner, &parts),
        (&Method::GET, "/operator") => pages::operator::show(&inner, &parts),
        (&Method::GET, path) if path.starts_with("/operator/keys/") => pages::keys::download(&inner, path.trim_start_matches("/operator/keys/")),
        (&Method::POST, "/phone/products") => v3::products::desk::touch(&inner, &body),
        (&Method::GET, "/sandbox/products") => v3::products::desk::list(&inner),
        (&Method::POST, "/sandbox/bills") => v3::products::desk::bills(&inner, &body),
        _ => whole(StatusCode::NOT_FOUND, Bytes::new()),
    })
}
