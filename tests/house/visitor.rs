//! A visitor: a plain HTTP client for tests, one connection a request, answers as they come.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing in a test takes longer; a hang becomes a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The code of an error in OpenAI's shape, whose other members must be there.
    pub(crate) fn error_code(&self) -> String {
        let json = self.json();
        let error = json["error"].as_object().unwrap_or_else(|| panic!("no error object: {json}"));
        for member in ["message", "type", "param", "code"] {
            assert!(error.contains_key(member), "the error lacks {member}: {json}");
        }
        error["code"].as_str().expect("a code").to_owned()
    }
}

/// Sends a request on a connection of its own; the answer's body is still coming.
pub(crate) async fn open(to: SocketAddr, request: Request<Full<Bytes>>) -> hyper::Response<Incoming> {
    let socket = TcpStream::connect(to).await.expect("a connection");
    let (mut send, conn) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.expect("a handshake");
    tokio::task::spawn(conn);
    tokio::time::timeout(PATIENCE, send.send_request(request)).await.expect("an answer in time").expect("an answer")
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(to: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let (head, body) = open(to, request).await.into_parts();
    let body = tokio::time::timeout(PATIENCE, body.collect()).await.expect("a body in time").expect("a body").to_bytes();
    Answer { status: head.status, headers: head.headers, body }
}

pub(crate) async fn get(to: SocketAddr, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path).header("host", to.to_string());
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    send(to, request.body(Full::default()).expect("a request")).await
}

pub(crate) async fn post(to: SocketAddr, path: &str, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    send(to, post_request(to, path, fields, body)).await
}

pub(crate) fn post_request(to: SocketAddr, path: &str, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = Request::post(path).header("host", to.to_string()).header("content-type", "application/json");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).expect("a request")
}

/// Writes raw bytes and reads until the other side closes: for what no well-behaved client sends.
pub(crate) async fn raw(to: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(to).await.expect("a connection");
    socket.write_all(bytes).await.expect("written");
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("closed in time");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The `data:` lines of a stream.
pub(crate) fn events(stream: &str) -> Vec<String> {
    stream.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(str::to_owned).collect()
}

/// The text a client puts together out of a stream.
pub(crate) fn told(stream: &str) -> String {
    let chunks = events(stream).into_iter().filter_map(|event| serde_json::from_str::<Value>(&event).ok());
    chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

/// Waits until `look` finds something; asks every few milliseconds of real time.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let by = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < by, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
