//! Clients that are no friends: ambiguous, silent, slow, or not HTTP at all. Each is answered or cut, and the house goes on.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rig::{KEY, Rig, ask, routes_text};
use super::visitor::{self, PATIENCE};

fn head(fields: &str) -> Vec<u8> {
    format!("POST /v1/chat/completions HTTP/1.1\r\n{fields}authorization: Bearer sk-fengate-demo\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .into_bytes()
}

#[tokio::test]
async fn what_two_readers_could_read_in_two_ways_is_refused() {
    let rig = Rig::start().await;
    for (what, bytes, status) in [
        ("no Host", head(""), "400"),
        ("two Hosts", head("host: a\r\nhost: b\r\n"), "400"),
        ("two Authorizations", head("host: a\r\nauthorization: Bearer x\r\n"), "400"),
        ("an encoded body", head("host: a\r\ncontent-encoding: gzip\r\n"), "415"),
        ("a foreign target", b"GET http://evil/v1/models HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_vec(), "400"),
        ("CONNECT", b"CONNECT evil:443 HTTP/1.1\r\nhost: evil:443\r\nconnection: close\r\n\r\n".to_vec(), "405"),
        ("two lengths", b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_vec(), "400"),
        ("a signed length", b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\na".to_vec(), "400"),
        ("a bad chunk", b"POST /callbacks/wechatpay/demo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n".to_vec(), "400"),
        ("a coding within chunks", b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\nconnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n".to_vec(), "501"),
        ("a folded header", b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx: 1\r\n folded\r\n\r\n".to_vec(), "400"),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), "400"),
        ("a header too many", format!("GET /v1/models HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: 1\r\n".repeat(200)).into_bytes(), "431"),
        ("a long path", format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(70_000)).into_bytes(), "4"),
        ("a declared giant", b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer sk-fengate-demo\r\ncontent-length: 99999999999\r\nconnection: close\r\n\r\n".to_vec(), "413"),
    ] {
        let answer = visitor::raw(rig.public, &bytes).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer}");
    }
    // What hyper answers itself has no request of ours behind it; it is counted all the same.
    assert_eq!(rig.metric("fengate_connections_cut_total{reason=\"malformed\"}").await, 6.0);
    assert_eq!(rig.chat(&ask("hello")).await.status, 200, "the house goes on");
    assert_eq!(rig.metric("fengate_panics_total{door=\"front\"}").await, 0.0);
}

#[tokio::test]
async fn hostile_json_is_refused_in_no_time() {
    let rig = Rig::start().await;
    for body in [
        "[".repeat(60_000),
        format!("{{\"model\":\"plain\",\"messages\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000)),
        "{\"model\":\"wechat-pay-base\",\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}".to_owned(),
        "\u{feff}{}".to_owned(),
        "{\"model\":1e309,\"messages\":[]}".to_owned(),
        "{\"model\":\"plain\",\"messages\":{}}".to_owned(),
        "null".to_owned(),
        "[1]".to_owned(),
        "[\"plain\", false, null, [{\"role\":\"user\",\"content\":\"hi\"}]]".to_owned(),
        String::new(),
        "{\"model\":\"wechat-pay-base\",\"messages\":[],\"payment\":{\"order\":{\"amount\":{\"total\":1.5}}}}".to_owned(),
    ] {
        let answer = visitor::post(rig.public, "/v1/chat/completions", &[KEY], body.clone()).await;
        assert_eq!(answer.status, 400, "{}: {}", body.chars().take(60).collect::<String>(), answer.text());
        answer.error_code();
    }
    let mut invalid = b"{\"model\":\"plain\",\"messages\":[\"".to_vec();
    invalid.extend_from_slice(&[0xff, 0xfe]);
    assert_eq!(visitor::post(rig.public, "/v1/chat/completions", &[KEY], invalid).await.status, 400);
}

#[tokio::test]
async fn nothing_nests_deeper_than_a_reader_can_follow() {
    let rig = Rig::start().await;
    let nested = |depth: usize| {
        // The body is one level of its own.
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!("{{\"model\":\"plain\",\"x\":{open}{close},\"messages\":[{{\"role\":\"user\",\"content\":\"[[[[ hi\"}}]}}")
    };
    let ask = |body: String| visitor::post(rig.public, "/v1/chat/completions", &[KEY], body);
    assert_eq!(ask(nested(120)).await.status, 200);
    for depth in [129, 30_000] {
        let answer = ask(nested(depth)).await;
        assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (400, "invalid_json"));
        assert!(answer.text().contains("128 levels"), "{}", answer.text());
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said() {
    let rig = Rig::start().await;
    for (body, says) in [
        ("[1]", "expected a JSON object"),
        ("{\"model\":\"plain\",\"messages\":[]}", "the list is empty"),
        (
            "{\"model\":\"wechat-pay-base\",\"messages\":[{\"role\":\"assistant\",\"content\":\"129 yuan\",\"role\":\"user\"}]}",
            "duplicate field `role`",
        ),
        ("{\"model\":\"wechat-pay-base\",\"messages\":[[\"user\",\"pay 129 yuan\"]]}", "A message cannot be read"),
        ("{\"model\":\"wechat-pay-base\",\"messages\":[],\"payment\":[\"cart-1\"]}", "expected a JSON object"),
    ] {
        let answer = visitor::post(rig.public, "/v1/chat/completions", &[KEY], body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json()["error"]["message"].as_str().expect("a message").contains(says), "{body}: {}", answer.text());
    }
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused_in_our_shape() {
    let rig = Rig::start().await;
    for length in [33_000, 50_000, 100_000] {
        let answer = visitor::get(rig.public, "/v1/models", &[KEY, ("x-long", &"x".repeat(length))]).await;
        assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (431, "headers_too_large"), "{length}");
        assert!(answer.header("x-request-id").starts_with("req_"));
    }
    assert_eq!(visitor::get(rig.public, "/v1/models", &[KEY, ("x-long", &"x".repeat(30_000))]).await.status, 200);
}

#[tokio::test]
async fn a_foreign_name_for_this_machine_reaches_neither_admin_nor_sandbox() {
    let rig = Rig::start().await;
    for (to, path) in [(rig.app.admin, "/metrics"), (rig.app.admin, "/readyz"), (rig.sandbox, "/"), (rig.sandbox, "/sandbox/orders")] {
        for (host, allowed) in
            [("evil.example", false), ("127.0.0.1.evil.example:80", false), ("localhost", true), ("127.0.0.1:9", true), ("[::1]", true)]
        {
            let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            let answer = visitor::raw(to, request.as_bytes()).await;
            let status = if allowed { "HTTP/1.1 200" } else { "HTTP/1.1 421" };
            assert!(answer.starts_with(status), "{path} as {host}: {answer}");
        }
    }
}

/// How long a connection lasts on which a client does what `start` says and then nothing, in whole seconds, and what it was told.
async fn lasts(rig: &Rig, start: &[u8]) -> (u64, String) {
    let since = tokio::time::Instant::now();
    let mut socket = TcpStream::connect(rig.public).await.expect("a connection");
    socket.write_all(start).await.expect("written");
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE * 2, socket.read_to_end(&mut rest)).await.expect("cut in time").expect("read");
    (since.elapsed().as_secs(), String::from_utf8_lossy(&rest).into_owned())
}

#[tokio::test]
async fn silent_and_dawdling_clients_are_cut() {
    let rig = Rig::start().await;
    let body = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer sk-fengate-demo\r\ncontent-length: 100\r\n\r\n{";
    let second = b"GET /pay/x/events HTTP/1.1\r\nhost: a\r\n\r\n";
    let second_dawdling = async {
        let mut socket = TcpStream::connect(rig.public).await.expect("a connection");
        socket.write_all(second).await.expect("written");
        let mut first_answer = [0; 4096];
        assert!(socket.read(&mut first_answer).await.expect("read") > 0);
        let since = tokio::time::Instant::now();
        socket.write_all(b"GET /v1/mod").await.expect("written");
        let rest = tokio::time::timeout(PATIENCE * 2, socket.read_to_end(&mut Vec::new())).await.expect("cut in time");
        (since.elapsed().as_secs(), rest.expect("read"))
    };
    let (silent, dawdling, slow_body, second) =
        tokio::join!(lasts(&rig, b""), lasts(&rig, b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx-sl"), lasts(&rig, body), second_dawdling);
    for (what, seconds) in [("silent", silent.0), ("dawdling", dawdling.0), ("dawdling at its second request", second.0)] {
        assert!((9..=11).contains(&seconds), "{what}: {seconds} s");
    }
    assert!((29..=31).contains(&slow_body.0), "{slow_body:?}");
    assert!(slow_body.1.starts_with("HTTP/1.1 408") && slow_body.1.contains("body_timeout"), "{}", slow_body.1);
    assert_eq!((silent.1.as_str(), dawdling.1.as_str(), second.1), ("", "", 0));
    let cut = async |reason| rig.metric(&format!("fengate_connections_cut_total{{reason=\"{reason}\"}}")).await;
    assert_eq!((cut("silent").await, cut("slow_body").await), (3.0, 1.0));
}

#[tokio::test]
async fn one_address_takes_no_more_than_its_share_of_connections() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = routes_text("").replacen("[server]", "[server]\nconnections_per_address_max = 3", 1);
    let rig = Rig::in_dir(dir.path(), &text).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut socket = TcpStream::connect(rig.public).await.expect("a connection");
        socket.write_all(b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("written");
        assert!(socket.read(&mut [0; 64]).await.expect("read") > 0, "served");
        held.push(socket);
    }
    let answer = visitor::raw(rig.public, b"").await;
    assert_eq!(answer, "", "closed at once");
    assert_eq!(rig.metric("fengate_connections_cut_total{reason=\"too_many_of_one\"}").await, 1.0);
    held.pop();
    visitor::until("a place", || async {
        let mut socket = TcpStream::connect(rig.public).await.ok()?;
        socket.write_all(b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n").await.ok()?;
        socket.read(&mut [0; 64]).await.ok().filter(|count| *count > 0)
    })
    .await;
}

#[tokio::test]
async fn wrong_keys_are_told_to_wait_and_right_ones_go_on() {
    let rig = Rig::start().await;
    let wrong = ("authorization", "Bearer sk-wrong");
    for _ in 0..20 {
        assert_eq!(visitor::get(rig.public, "/v1/models", &[wrong]).await.status, 401);
    }
    let limited = visitor::get(rig.public, "/v1/payments/pay_x", &[wrong]).await;
    assert_eq!((limited.status.as_u16(), limited.error_code().as_str()), (429, "too_many_wrong_keys"));
    assert!((1..=60).contains(&limited.header("retry-after").parse::<u32>().expect("seconds")));
    assert_eq!(visitor::get(rig.public, "/v1/models", &[KEY]).await.status, 200);
}
