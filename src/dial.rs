//! The one HTTP client: pooled, bounded, HTTP/1.1, TLS by rustls. It follows no redirects and keeps no cookies; what it could not
//! deliver it says so, and whether a byte may have left.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

/// Idle connections kept per host.
const IDLE_PER_HOST_MAX: usize = 256;

/// How long an idle connection is kept: shorter than the 60 to 75 s of most servers, so that we close first.
const IDLE: Duration = Duration::from_secs(50);

/// Why an exchange did not come about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No connection was made: not a byte of the request has left.
    #[error("no connection: {0}")]
    NotSent(String),
    /// No answer in time; the request may have arrived.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection broke; the request may have arrived.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer is longer than allowed.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
}

impl DialError {
    /// Whether it is a matter of time.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }
}

/// The client, for requests with bodies of one kind; cheap to clone, clones share connections.
pub struct Dial<B = Full<Bytes>> {
    client: Client<HttpsConnector<HttpConnector>, B>,
}

impl<B> Clone for Dial<B> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone() }
    }
}

impl<B> std::fmt::Debug for Dial<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dial")
    }
}

impl Dial {
    /// A client that waits `connect` for a connection and sends whole bodies.
    pub fn new(connect: Duration) -> Result<Self, DialError> {
        Self::keeping(connect, IDLE)
    }
}

impl<B> Dial<B>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    /// A client that waits `connect` for a connection and keeps one that nobody uses for `idle`, which should be shorter than the other
    /// side does. Trusts the web's certificate authorities as Mozilla lists them.
    pub fn keeping(connect: Duration, idle: Duration) -> Result<Self, DialError> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(connect));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|e| DialError::NotSent(format!("TLS cannot be set up: {e}")))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(idle)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .build(https);
        Ok(Self { client })
    }

    /// Sends a request and waits `first_byte` for the headers of its answer. A request is sent again only if the pooled connection it was
    /// given turned out closed before a byte of it was written.
    pub async fn send(&self, request: Request<B>, first_byte: Duration) -> Result<Response<Incoming>, DialError> {
        match timeout(first_byte, self.client.request(request)).await {
            Err(_) => Err(DialError::Timeout(first_byte)),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(e)) if e.is_connect() => Err(DialError::NotSent(causes(&e))),
            Ok(Err(e)) => Err(DialError::Broken(causes(&e))),
        }
    }

    /// Sends a request and reads its whole answer within `within`, up to `bytes_max` bytes.
    pub async fn send_whole(&self, request: Request<B>, within: Duration, bytes_max: usize) -> Result<Response<Bytes>, DialError> {
        let exchange = async {
            let (head, body) = self.send(request, within).await?.into_parts();
            let read = Limited::new(body, bytes_max).collect().await.map_err(|e| match e.downcast_ref::<http_body_util::LengthLimitError>() {
                Some(_) => DialError::TooLarge(bytes_max),
                None => DialError::Broken(e.to_string()),
            })?;
            Ok(Response::from_parts(head, read.to_bytes()))
        };
        timeout(within, exchange).await.unwrap_or(Err(DialError::Timeout(within)))
    }
}

/// An error with what it is due to, on one line.
fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn get(port: u16) -> Request<Full<Bytes>> {
        Request::get(format!("http://127.0.0.1:{port}/")).body(Full::default()).expect("a request")
    }

    #[tokio::test]
    async fn a_refused_connection_is_known_not_to_have_sent_anything() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let error = Dial::new(Duration::from_secs(1)).expect("a client").send(get(port), Duration::from_secs(5)).await.expect_err("nobody listens");
        assert!(matches!(error, DialError::NotSent(_)), "{error}");
    }

    #[tokio::test]
    async fn a_connection_that_closes_after_the_request_is_broken_not_unsent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = async {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut seen = [0u8; 1024];
            let _ = socket.read(&mut seen).await;
        };
        let dial = Dial::new(Duration::from_secs(1)).expect("a client");
        let (error, ()) = tokio::join!(dial.send(get(port), Duration::from_secs(5)), server);
        assert!(matches!(error, Err(DialError::Broken(_))));
    }

    #[tokio::test]
    async fn a_long_answer_is_cut_off() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = async {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut seen = [0u8; 1024];
            let _ = socket.read(&mut seen).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n").await;
            let _ = socket.write_all(&[b'x'; 100]).await;
        };
        let dial = Dial::new(Duration::from_secs(1)).expect("a client");
        let (answer, ()) = tokio::join!(dial.send_whole(get(port), Duration::from_secs(5), 10), server);
        assert!(matches!(answer, Err(DialError::TooLarge(10))));
    }
}
