//! The classic path, client-signed: a request passes to WeChat Pay as the bytes it is, and so does its answer; what cannot pass is said in
//! WeChat Pay's own shape.

use std::sync::Arc;

use http_body_util::BodyExt;
use tokio::sync::Notify;

use super::rig::Rig;
use super::upstream::{Act, Upstream, piece, status_answer, stream_end};
use super::visitor;

const SIGNED: &str = r#"WECHATPAY2-SHA256-RSA2048 mchid="1900000001",nonce_str="n",signature="c2ln",timestamp="1",serial_no="0A""#;

async fn with_vendor(script: impl Fn(usize) -> Vec<Act> + Send + Sync + 'static) -> (Rig, Upstream) {
    let upstream = Upstream::start(script).await;
    let rig = Rig::with(&format!("[classic]\nupstream = \"http://{}\"\n", upstream.address)).await;
    (rig, upstream)
}

/// Sends raw bytes and reads the one answer, whose end the closing connection is.
async fn sent(rig: &Rig, head: &str, body: &str) -> String {
    visitor::raw(rig.public, format!("{head}\r\nconnection: close\r\n\r\n{body}").as_bytes()).await
}

#[tokio::test]
async fn every_byte_passes_in_its_order_both_ways() {
    let answer = "HTTP/1.1 403 Forbidden for once\r\nserver: nginx\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-type: application/json; charset=utf-8\r\nrequest-id: 08F7-268445527\r\nwechatpay-nonce: n\r\nkeep-alive: timeout=8\r\nwechatpay-signature: c2ln\r\nset-cookie: a\r\ncontent-length: 21\r\n\r\n{ \"code\" : \"NO_AUTH\" }"
        .replace("content-length: 21", "content-length: 22");
    let wanted = answer.clone();
    let (rig, vendor) = with_vendor(move |_| vec![Act::Send(answer.clone())]).await;
    let target = "/v3/pay/transactions/out-trade-no/a|b*c%7C%2a/close?mchid=19&x=%20;;'()&&=";
    let body = "{ \"mchid\":\"1900000001\",\"t\":\"\\u6d4b测\" }\n";
    let fields = format!(
        "user-agent: sdk/1\r\nhost: {}\r\nauthorization: {SIGNED}\r\nte: trailers\r\nwechatpay-serial: PUB_KEY_ID_1\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\naccept: */*\r\nx-twice: 1\r\nx-twice: 2\r\ncontent-length: {}",
        rig.public,
        body.len()
    );
    let got = sent(&rig, &format!("POST {target} HTTP/1.1\r\n{fields}"), body).await;
    let passed = fields.replace("te: trailers\r\n", "").replace(&rig.public.to_string(), &vendor.address.to_string());
    assert_eq!(vendor.requests(), [format!("POST {target} HTTP/1.1\r\n{passed}\r\n\r\n{body}")]);
    let got = got.replace("connection: close\r\n", "");
    assert_eq!(got, wanted.replace("keep-alive: timeout=8\r\n", ""), "the answer is WeChat Pay's to the byte");
    let counted = r#"fengate_v3_requests_total{family="close",merchant="other",signed_by="client",status="4xx"}"#;
    assert_eq!(rig.metric(counted).await, 1.0);
}

#[tokio::test]
async fn pieces_pass_as_they_come_and_half_an_answer_never_looks_whole() {
    let (go, half) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (wait, cut) = (Arc::clone(&go), Arc::clone(&half));
    let head = || Act::Send("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n".to_owned());
    let (rig, _vendor) = with_vendor(move |n| match n {
        0 => vec![head(), piece("`1,`2\n"), Act::Wait(Arc::clone(&wait)), piece("`3\n"), stream_end()],
        _ => vec![head(), piece("`1,`2\n"), Act::Wait(Arc::clone(&cut)), Act::Cut],
    })
    .await;
    for (n, gate) in [go, half].into_iter().enumerate() {
        let request = http::Request::get("/v3/billdownload/file?token=x").header("host", rig.public.to_string()).header("authorization", SIGNED);
        let mut answer = visitor::open(rig.public, request.body(http_body_util::Full::default()).expect("a request")).await;
        let first = answer.body_mut().frame().await.expect("a piece").expect("a piece").into_data().expect("data");
        assert_eq!(first, "`1,`2\n", "the first piece comes before the last is there");
        gate.notify_one();
        let rest = tokio::time::timeout(visitor::PATIENCE, answer.into_body().collect()).await.expect("an end");
        match n {
            0 => assert_eq!(rest.expect("whole").to_bytes(), "`3\n"),
            _ => assert!(rest.is_err(), "a broken answer was taken for a whole one"),
        }
    }
}

#[tokio::test]
async fn a_body_without_a_length_passes_too() {
    let (rig, vendor) = with_vendor(|_| status_answer(204, "")).await;
    let head = format!("POST /v3/merchant/media/upload HTTP/1.1\r\nhost: {}\r\nauthorization: {SIGNED}\r\ntransfer-encoding: chunked", rig.public);
    let answer = sent(&rig, &head, "4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    let seen = visitor::until("the request", || async { vendor.requests().first().cloned() }).await;
    assert!(seen.contains("transfer-encoding: chunked"), "{seen}");
}

#[tokio::test]
async fn what_cannot_pass_is_refused_in_wechat_pays_shape() {
    let nobody = Upstream::nobody().await;
    let rig = Rig::with(&format!("[classic]\nupstream = \"http://{nobody}\"\n")).await;
    let at = |fields: &str| format!("POST /v3/pay/transactions/native HTTP/1.1\r\n{fields}");
    let host = format!("host: {}\r\n", rig.public);
    for (what, head, status, code) in [
        ("no proof of who asks", at(&format!("{host}content-length: 0")), 401, "SIGN_ERROR"),
        ("another scheme", at(&format!("{host}authorization: Basic x\r\ncontent-length: 0")), 401, "SIGN_ERROR"),
        ("nobody there", at(&format!("{host}authorization: {SIGNED}\r\ncontent-length: 0")), 502, "SYSTEM_ERROR"),
        ("a declared giant", at(&format!("{host}authorization: {SIGNED}\r\ncontent-length: 99999999")), 413, "INVALID_REQUEST"),
        ("two hosts", at(&format!("{host}host: b\r\nauthorization: {SIGNED}\r\ncontent-length: 0")), 400, "INVALID_REQUEST"),
    ] {
        let answer = sent(&rig, &head, "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer}");
        let body: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
        assert_eq!(body["code"], code, "{what}: {body}");
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}: {body}");
    }
}
