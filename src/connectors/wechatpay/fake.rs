//! A rail for tests: answers on a port of its own what it is told to, signed with a throw-away key, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::config::Algorithm;
use super::guomi::tests::fresh_sm2;
use super::keys::MerchantKey;
use super::tests::{config, fresh_key};
use super::verify::tests::NOW;
use super::{Platform, WechatPay};
use crate::clock::Clock;
use crate::dial::Dial;
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// The id of the fake's public key.
const KEY_ID: &str = "PUB_KEY_ID_0119000000012026010100000000000009";

/// What is answered to one request.
#[derive(Clone)]
pub(super) enum Play {
    /// A signed answer.
    Signed(u16, String),
    /// An answer without signature.
    Bare(u16, Vec<u8>),
    /// A signed answer whose body was changed on the way.
    Forged(u16, String),
    /// Reads the request and hangs up.
    HangUp,
}

pub(super) struct Fake {
    pub(super) base: String,
    /// Whole requests, in the order they came.
    asked: Arc<Mutex<Vec<String>>>,
    algorithm: Algorithm,
    public_pem: String,
    tasks: Tasks,
}

/// How a fake signs: the serial it names, and its key.
struct Signing {
    serial: String,
    key: MerchantKey,
}

impl Fake {
    /// Serves `plays` one after the other, then the last for ever. `{base}` in a body is the fake's own address.
    pub(super) async fn serving(plays: Vec<Play>) -> Self {
        let pair = fresh_key();
        Self::with(Algorithm::Rsa, KEY_ID, (pair.serialize_pem(), pair.public_key_pem()), plays).await
    }

    /// The same, signing with SM2.
    pub(super) async fn of_guomi(plays: Vec<Play>) -> Self {
        let (private, public) = fresh_sm2();
        let public = sm2::pkcs8::Document::try_from(public).expect("DER").to_pem("PUBLIC KEY", sm2::pkcs8::LineEnding::LF).expect("PEM");
        Self::with(Algorithm::Sm2, KEY_ID, (private, public), plays).await
    }

    /// The same, signing as `serial` with a key pair given in PEM.
    pub(super) async fn with(algorithm: Algorithm, serial: &str, (private_pem, public_pem): (String, String), plays: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let fake = Self { base, asked: Arc::default(), algorithm, public_pem, tasks: Tasks::new() };
        let (asked, base) = (Arc::clone(&fake.asked), fake.base.clone());
        let signing = Signing { serial: serial.to_owned(), key: MerchantKey::new(algorithm, &private_pem).expect("a key") };
        fake.tasks.background(async move {
            let mut plays = plays.into_iter();
            let mut last = Play::HangUp;
            while let Ok((socket, _)) = listener.accept().await {
                last = plays.next().unwrap_or(last);
                answer(socket, &last, &base, &signing, &asked).await;
            }
        });
        fake
    }

    /// A connector to this fake; `edit` changes its account first.
    pub(super) fn rail(&self, edit: impl FnOnce(&mut super::Config)) -> WechatPay {
        let mut config = config(&fresh_key(), None);
        config.platform = Platform::PublicKey { id: KEY_ID.to_owned(), pem: self.public_pem.clone() };
        if self.algorithm == Algorithm::Sm2 {
            config.algorithm = Algorithm::Sm2;
            config.private_key_pem = fresh_sm2().0;
        }
        config.base_url = self.base.parse::<Uri>().expect("an address");
        edit(&mut config);
        let dial = Dial::new(std::time::Duration::from_secs(1)).expect("a client");
        WechatPay::new(config, dial, Clock::standing_at(NOW), Metrics::new().expect("metrics")).expect("an account")
    }

    /// The requests so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("unpoisoned").clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

async fn answer(mut socket: TcpStream, play: &Play, base: &str, signing: &Signing, asked: &Mutex<Vec<String>>) {
    let request = read(&mut socket).await;
    asked.lock().expect("unpoisoned").push(request);
    let (status, body, signed) = match play {
        Play::Signed(status, body) | Play::Forged(status, body) => (status, body.replace("{base}", base).into_bytes(), true),
        Play::Bare(status, body) => (status, body.clone(), false),
        Play::HangUp => return,
    };
    let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\nRequest-ID: 08F7-0\r\n");
    if *status != 204 {
        head += &format!("content-length: {}\r\n", body.len());
    }
    if signed {
        let timestamp = NOW.seconds();
        let mut text = format!("{timestamp}\nnonce\n").into_bytes();
        text.extend_from_slice(&body);
        text.extend_from_slice(if matches!(play, Play::Forged(..)) { b" \n" } else { b"\n" });
        let (serial, signature) = (&signing.serial, signing.key.sign(&text).expect("signed"));
        head += &format!(
            "Wechatpay-Timestamp: {timestamp}\r\nWechatpay-Nonce: nonce\r\nWechatpay-Serial: {serial}\r\nWechatpay-Signature: {signature}\r\n"
        );
    }
    head += "\r\n";
    let _ = socket.write_all(head.as_bytes()).await;
    let _ = socket.write_all(&body).await;
}

async fn read(socket: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let mut part = [0; 4096];
    while let Ok(n) = socket.read(&mut part).await {
        seen.extend_from_slice(&part[..n]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        let length = |head: &str| head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
        if n == 0 || text.split_once("\r\n\r\n").is_some_and(|(head, body)| body.len() >= length(head).unwrap_or(0)) {
            return text;
        }
    }
    String::new()
}
