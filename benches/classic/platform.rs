//! A WeChat Pay that costs next to nothing: every request is answered with the same order, signed once in a while, and notices are made ahead.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const MCHID: &str = "1900000001";
pub(crate) const APPID: &str = "wx0123456789abcdef";
pub(crate) const KEY_ID: &str = "PUB_KEY_ID_0119000000012026010100000000000001";

/// An order as an SDK writes it.
pub(crate) const ORDER: &str = r#"{"appid":"wx0123456789abcdef","mchid":"1900000002","description":"Image store, a pair of sneakers","out_trade_no":"bench0000000001","notify_url":"https://shop.example/notify","amount":{"total":188,"currency":"CNY"}}"#;

const APIV3_KEY: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
const ANSWER: &str = r#"{"code_url":"weixin://wxpay/bizpayurl?pr=bench00zz"}"#;

pub(crate) struct Platform {
    pub(crate) address: SocketAddr,
    key: RsaKeyPair,
    answer: Arc<Mutex<Arc<[u8]>>>,
}

impl Platform {
    /// Starts it, and puts the files a merchant needs into `dir`.
    pub(crate) async fn start(dir: &Path) -> anyhow::Result<Self> {
        let (merchant, platform) = (KeyPair::generate_for(&PKCS_RSA_SHA256)?, KeyPair::generate_for(&PKCS_RSA_SHA256)?);
        std::fs::write(dir.join("merchant.pem"), merchant.serialize_pem())?;
        std::fs::write(dir.join("platform.pem"), platform.public_key_pem())?;
        std::fs::write(dir.join("apiv3.txt"), APIV3_KEY)?;
        let key = RsaKeyPair::from_pkcs8(platform.serialized_der()).map_err(|e| anyhow::anyhow!("{e}"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let this = Self { address: listener.local_addr()?, key, answer: Arc::new(Mutex::new(Arc::from(&b""[..]))) };
        this.renew();
        let answer = Arc::clone(&this.answer);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let _ = socket.set_nodelay(true);
                let answer = Arc::clone(&answer);
                tokio::spawn(async move { drop(answer_all(socket, &answer).await) });
            }
        });
        Ok(this)
    }

    /// Signs the answer anew.
    pub(crate) fn renew(&self) {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\nrequest-id: 08F7-0\r\n{}content-length: {}\r\n\r\n",
            self.fields(ANSWER),
            ANSWER.len()
        );
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::from([head.as_bytes(), ANSWER.as_bytes()].concat());
    }

    /// The signature's fields over `body`, as lines.
    fn fields(&self, body: &str) -> String {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut signature = vec![0; self.key.public_modulus_len()];
        let text = format!("{seconds}\n593BEC0C930BF1AFEB40B4A08C8FB242\n{body}\n");
        let _ = self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        format!(
            "wechatpay-timestamp: {seconds}\r\nwechatpay-nonce: 593BEC0C930BF1AFEB40B4A08C8FB242\r\nwechatpay-signature: {}\r\nwechatpay-serial: {KEY_ID}\r\nwechatpay-signature-type: WECHATPAY2-SHA256-RSA2048\r\n",
            STANDARD.encode(signature)
        )
    }

    /// The request that reports the order `number` paid.
    pub(crate) fn notice(&self, to: SocketAddr, number: &str) -> anyhow::Result<Vec<u8>> {
        let mut sealed = format!(
            r#"{{"transaction_id":"42000000{number}","amount":{{"payer_total":188,"total":188,"currency":"CNY","payer_currency":"CNY"}},"mchid":"{MCHID}","trade_state":"SUCCESS","bank_type":"OTHERS","promotion_detail":[],"success_time":"2026-01-01T08:00:00+08:00","payer":{{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}},"out_trade_no":"{number}","appid":"{APPID}","trade_state_desc":"ok","trade_type":"NATIVE"}}"#
        )
        .into_bytes();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, APIV3_KEY.as_bytes()).map_err(|e| anyhow::anyhow!("{e}"))?);
        let nonce = Nonce::try_assume_unique_for_key(b"bench0bench0").ok().context("a nonce")?;
        key.seal_in_place_append_tag(nonce, Aad::from("transaction"), &mut sealed).map_err(|e| anyhow::anyhow!("{e}"))?;
        let body = format!(
            r#"{{"id":"n-{number}","create_time":"2026-01-01T08:00:00+08:00","resource_type":"encrypt-resource","event_type":"TRANSACTION.SUCCESS","summary":"ok","resource":{{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":"{}","associated_data":"transaction","nonce":"bench0bench0"}}}}"#,
            STANDARD.encode(sealed)
        );
        Ok(super::load::post("/callbacks/wechatpay/bench", to, &self.fields(&body), body.as_bytes()))
    }
}

async fn answer_all(mut socket: TcpStream, answer: &Mutex<Arc<[u8]>>) -> anyhow::Result<()> {
    let mut held = Vec::with_capacity(16 * 1024);
    loop {
        let Some(end) = message_end(&held) else {
            if socket.read_buf(&mut held).await? == 0 {
                return Ok(());
            }
            continue;
        };
        held.drain(..end);
        let bytes = Arc::clone(&answer.lock().unwrap_or_else(PoisonError::into_inner));
        socket.write_all(&bytes).await?;
    }
}

/// Where the first whole message in `bytes` ends.
pub(crate) fn message_end(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length = text.split("content-length:").nth(1).and_then(|rest| rest.lines().next()).and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    (bytes.len() >= head + length).then_some(head + length)
}
