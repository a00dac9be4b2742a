//! A model provider that costs next to nothing: the same bytes for every request, or a hundred events one by one.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Events of one stream, the usage report among them.
pub(crate) const EVENTS: usize = 100;

const WHOLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"fast","choices":[{"index":0,"message":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog, again and again, until the answer is about as long as a short answer is.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":42,"completion_tokens":24,"total_tokens":66},"system_fingerprint":"fp_1"}"#;

/// Starts it.
pub(crate) async fn start() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _ = socket.set_nodelay(true);
            tokio::spawn(async move {
                let _ = answer_all(socket).await;
            });
        }
    });
    Ok(address)
}

async fn answer_all(mut socket: TcpStream) -> anyhow::Result<()> {
    let whole = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{WHOLE}", WHOLE.len());
    let chunks: Vec<Vec<u8>> = (0..EVENTS).map(chunk).collect();
    let mut held = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Some(end) = request_end(&held) else {
            match socket.read(&mut buffer).await? {
                0 => return Ok(()),
                count => held.extend_from_slice(&buffer[..count]),
            }
            continue;
        };
        let request = String::from_utf8_lossy(&held[..end]).into_owned();
        held.drain(..end);
        if request.contains("\"stream\":true") {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            socket.write_all(head.as_bytes()).await?;
            for chunk in &chunks {
                socket.write_all(chunk).await?;
                if request.contains("slowly") {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            }
            socket.write_all(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n").await?;
        } else {
            socket.write_all(whole.as_bytes()).await?;
        }
    }
}

fn chunk(n: usize) -> Vec<u8> {
    let (choices, usage) = match n + 1 {
        EVENTS => ("[]".to_owned(), r#"{"prompt_tokens":42,"completion_tokens":98,"total_tokens":140}"#),
        last if last == EVENTS - 1 => (r#"[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#.to_owned(), "null"),
        _ => (format!(r#"[{{"index":0,"delta":{{"content":"word {n} "}},"logprobs":null,"finish_reason":null}}]"#), "null"),
    };
    let event = format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"fast\",\"system_fingerprint\":\"fp_1\",\"choices\":{choices},\"usage\":{usage}}}\n\n"
    );
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

/// Where the first whole request in `bytes` ends.
pub(crate) fn request_end(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length: usize =
        text.split("content-length:").nth(1).and_then(|rest| rest.lines().next()).and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    (bytes.len() >= head + length).then_some(head + length)
}
