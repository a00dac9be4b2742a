//! A model provider under a test's control: it records what it gets, byte for byte, and answers what it is told, piece by piece.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// One thing a provider does.
#[derive(Clone)]
pub(crate) enum Act {
    /// Sends these bytes.
    Send(String),
    /// Waits until the test says so.
    Wait(Arc<Notify>),
    /// Breaks the connection off.
    Cut,
    /// Says nothing until the other side goes away, and then tells.
    Hang(Arc<Notify>),
}

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

/// A whole JSON answer.
pub(crate) fn json_answer(body: &str) -> Vec<Act> {
    status_answer(200, body)
}

pub(crate) fn status_answer(status: u16, body: &str) -> Vec<Act> {
    vec![Act::Send(format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nx-ratelimit-remaining: 7\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))]
}

/// The head of an event stream, its pieces to follow as chunks.
pub(crate) fn stream_head() -> Act {
    Act::Send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned())
}

pub(crate) fn piece(text: &str) -> Act {
    Act::Send(format!("{:x}\r\n{text}\r\n", text.len()))
}

pub(crate) fn stream_end() -> Act {
    Act::Send("0\r\n\r\n".to_owned())
}

impl Upstream {
    /// Answers the n-th request with what `script` says.
    pub(crate) async fn start(script: impl Fn(usize) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, script) = (Arc::clone(&requests), Arc::new(script));
        tokio::task::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
                tokio::task::spawn(async move { converse(socket, &seen, &*script).await });
            }
        });
        Self { address, requests }
    }

    /// A provider nobody listens at.
    pub(crate) async fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address")
    }

    /// What was sent to it: heads and bodies.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").clone()
    }

    /// Routes for a model `theirs` whose lanes are the given providers, in order, the first as lane and the others as fallback.
    pub(crate) fn routes(addresses: &[SocketAddr], more: &str) -> String {
        let mut text = String::new();
        for (n, address) in addresses.iter().enumerate() {
            text += &format!(
                "[[provider]]\nid = \"p{n}\"\nbase_url = \"http://{address}/v1\"\nkey = \"file:provider.key\"\ntimeouts = {{ connect_ms = 500, first_byte_ms = 1500, idle_ms = 1500, total_ms = 20000 }}\n"
            );
        }
        let lane = |n: usize| format!("{{ provider = \"p{n}\", model = \"theirs\" }}");
        let fallback: Vec<String> = (1..addresses.len()).map(lane).collect();
        text + &format!("[[model]]\nname = \"theirs\"\nlanes = [{}]\nfallback = [{}]\n{more}\n", lane(0), fallback.join(", "))
    }
}

/// Answers the requests of one connection until it is cut.
async fn converse(mut socket: TcpStream, seen: &Mutex<Vec<String>>, script: &(dyn Fn(usize) -> Vec<Act> + Send + Sync)) {
    while let Some(request) = read_request(&mut socket).await {
        let n = {
            let mut seen = seen.lock().expect("not poisoned");
            seen.push(request);
            seen.len() - 1
        };
        for act in script(n) {
            match act {
                Act::Send(text) => {
                    if socket.write_all(text.as_bytes()).await.is_err() {
                        return;
                    }
                }
                Act::Wait(notify) => notify.notified().await,
                Act::Cut => return,
                Act::Hang(gone) => {
                    let mut byte = [0];
                    let _ = socket.read(&mut byte).await;
                    gone.notify_one();
                    return;
                }
            }
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(|n| n.trim().to_owned()));
            if body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
                return Some(text);
            }
        }
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
