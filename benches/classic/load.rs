//! The load: connections that each ask, read the whole answer, and ask again, each time with a request made for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Load {
    pub(crate) to: SocketAddr,
    pub(crate) connections: usize,
    /// Between two questions of one connection; `None` for as fast as it goes.
    pub(crate) pace: Option<Duration>,
}

/// What a run came to.
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
}

impl Done {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }
}

/// A request with a JSON body; `fields` are whole lines.
pub(crate) fn post(target: &str, to: SocketAddr, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: {to}\r\n{fields}accept: application/json\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

impl Load {
    /// Asks on all connections until the time is over or `request` has no more.
    pub(crate) async fn run(&self, length: Duration, request: impl Fn(u64) -> Option<Vec<u8>> + Send + Sync + 'static) -> anyhow::Result<Done> {
        let (request, asked, began) = (Arc::new(request), Arc::new(AtomicU64::new(0)), Instant::now());
        let asking = (0..self.connections).map(|_| {
            let (request, asked, to, pace) = (Arc::clone(&request), Arc::clone(&asked), self.to, self.pace);
            tokio::spawn(async move {
                let mut socket = connect(to).await?;
                let mut held = Vec::with_capacity(16 * 1024);
                let mut ticks = tokio::time::interval(pace.unwrap_or(Duration::from_secs(1)));
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
                let mut requests = 0u64;
                while began.elapsed() < length {
                    if pace.is_some() {
                        ticks.tick().await;
                    }
                    let Some(bytes) = request(asked.fetch_add(1, Ordering::Relaxed)) else { break };
                    ask(&mut socket, &mut held, &bytes).await?;
                    requests += 1;
                    if requests.is_multiple_of(9_000) {
                        // A server may end a connection after so many requests.
                        socket = connect(to).await?;
                    }
                }
                anyhow::Ok(requests)
            })
        });
        let mut requests = 0;
        for done in futures_util::future::join_all(asking).await {
            requests += done??;
        }
        Ok(Done { requests, took: began.elapsed() })
    }
}

async fn connect(to: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpStream::connect(to).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Asks and reads the whole answer, which must be a good one.
async fn ask(socket: &mut TcpStream, held: &mut Vec<u8>, request: &[u8]) -> anyhow::Result<()> {
    socket.write_all(request).await?;
    held.clear();
    while !is_whole(held) {
        let count = socket.read_buf(held).await?;
        ensure!(count > 0, "the connection closed: {}", String::from_utf8_lossy(held));
    }
    ensure!(held.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(held));
    Ok(())
}

fn is_whole(held: &[u8]) -> bool {
    super::platform::message_end(held).is_some()
}
