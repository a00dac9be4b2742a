//! The load: connections that each ask, read the whole answer, and ask again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::upstream::EVENTS;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Whole,
    Streamed,
    Slow,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole answers",
            Self::Streamed => "streams of 100 events",
            Self::Slow => "slow streams",
        }
    }

    /// Events in one answer.
    pub(crate) fn events(self) -> usize {
        if self == Self::Whole { 1 } else { EVENTS }
    }

    fn request(self, to: SocketAddr) -> Vec<u8> {
        let (stream, words) = match self {
            Self::Whole => ("", "a question of ordinary length, such as people ask every day"),
            Self::Streamed => (r#""stream":true,"#, "a question of ordinary length, such as people ask every day"),
            Self::Slow => (r#""stream":true,"#, "slowly, please"),
        };
        let body = format!(
            r#"{{"model":"fast",{stream}"messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"{words}"}}],"temperature":0.7}}"#
        );
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer sk-bench\r\ncontent-type: application/json\r\naccept: application/json\r\nuser-agent: OpenAI/Python 3.54.0\r\nx-stainless-lang: python\r\nx-stainless-retry-count: 0\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

pub(crate) struct Load {
    to: SocketAddr,
    kind: Kind,
    connections: usize,
    /// Between two questions of one connection; `None` for as fast as it goes.
    pace: Option<Duration>,
}

/// What a run came to.
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
}

impl Load {
    pub(crate) fn new(to: SocketAddr, kind: Kind, connections: usize) -> Self {
        Self { to, kind, connections, pace: None }
    }

    /// Asks at the same rate whatever is asked: what a request costs then does not depend on how busy the other side is.
    pub(crate) fn paced(mut self) -> Self {
        self.pace = Some(Duration::from_millis(if self.kind == Kind::Whole { 1 } else { 25 }));
        self
    }

    /// Asks on all connections until the time is over.
    pub(crate) async fn run(&self, length: Duration) -> anyhow::Result<Done> {
        let began = Instant::now();
        let asking = (0..self.connections).map(|_| {
            let (to, request, pace) = (self.to, self.kind.request(self.to), self.pace);
            tokio::spawn(async move {
                let mut visit = Visit::open(to).await?;
                let mut ticks = tokio::time::interval(pace.unwrap_or(Duration::from_secs(1)));
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
                let mut requests = 0u64;
                while began.elapsed() < length {
                    if pace.is_some() {
                        ticks.tick().await;
                    }
                    visit.ask(&request).await?;
                    requests += 1;
                }
                anyhow::Ok(requests)
            })
        });
        let mut requests = 0;
        for asked in futures_util::future::join_all(asking).await {
            requests += asked??;
        }
        Ok(Done { requests, took: began.elapsed() })
    }

    /// Asks one after the other; the times in microseconds.
    pub(crate) async fn single_file(&self, count: usize) -> anyhow::Result<Vec<f64>> {
        let request = self.kind.request(self.to);
        let mut visit = Visit::open(self.to).await?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            visit.ask(&request).await?;
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
        Ok(times)
    }

    /// Opens streams, waits for the first event of each, and keeps them open.
    pub(crate) async fn hold(&self) -> anyhow::Result<Vec<TcpStream>> {
        let mut open = Vec::new();
        for _ in 0..self.connections {
            let mut socket = TcpStream::connect(self.to).await?;
            socket.write_all(&self.kind.request(self.to)).await?;
            open.push(socket);
        }
        for socket in &mut open {
            let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
            while !seen.windows(6).any(|window| window == b"data: ") {
                let count =
                    tokio::time::timeout(Duration::from_secs(20), socket.read(&mut buffer)).await.context("a slow stream did not begin")??;
                ensure!(count > 0, "a slow stream was refused: {}", String::from_utf8_lossy(&seen));
                seen.extend_from_slice(&buffer[..count]);
            }
        }
        Ok(open)
    }
}

/// One connection.
struct Visit {
    socket: TcpStream,
    held: Vec<u8>,
}

impl Visit {
    async fn open(to: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(to).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, held: Vec::with_capacity(64 * 1024) })
    }

    /// Asks and reads the whole answer, which must be a good one.
    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.socket.write_all(request).await?;
        self.held.clear();
        while !self.is_whole() {
            let count = self.socket.read_buf(&mut self.held).await?;
            ensure!(count > 0, "the connection closed: {}", String::from_utf8_lossy(&self.held));
        }
        // A server may end a connection after so many requests, and says so.
        if self.held.windows(17).take(512).any(|window| window.eq_ignore_ascii_case(b"connection: close")) {
            let address = self.socket.peer_addr()?;
            self.socket = TcpStream::connect(address).await?;
            self.socket.set_nodelay(true)?;
        }
        ensure!(self.held.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&self.held));
        Ok(())
    }

    fn is_whole(&self) -> bool {
        let Some(head) = self.held.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
        let text = &self.held[..head];
        let is_chunked = text.windows(7).any(|window| window.eq_ignore_ascii_case(b"chunked"));
        if is_chunked { self.held.ends_with(b"0\r\n\r\n") } else { super::upstream::request_end(&self.held).is_some() }
    }
}
