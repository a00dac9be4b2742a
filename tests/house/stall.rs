//! A merchant's notify_url: takes notices down, opens their seals, answers what it is told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use super::visitor;

/// A notice as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) headers: HeaderMap,
    pub(crate) envelope: Value,
}

#[derive(Clone)]
pub(crate) struct Stall {
    pub(crate) address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Stall {
    /// Opens a stall; it answers 204 unless told otherwise.
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let stall = Self { address: listener.local_addr().expect("an address"), arrived: Arc::default(), answers: Arc::default() };
        let shared = stall.clone();
        tokio::task::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let shared = shared.clone();
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let shared = shared.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.expect("a body").to_bytes();
                        let envelope = serde_json::from_slice(&body).expect("JSON");
                        let arrived = Arrived { headers: head.headers, envelope };
                        let is_probe = arrived.is_probe();
                        shared.arrived.lock().expect("no panic").push(arrived);
                        let told = shared.answers.lock().expect("no panic").pop_front();
                        let status = if is_probe { 401 } else { told.unwrap_or(204) };
                        let mut response = Response::new(Full::<Bytes>::default());
                        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
                        Ok::<_, std::convert::Infallible>(response)
                    }
                });
                tokio::task::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
            }
        });
        stall
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/notify", self.address)
    }

    /// How the next notices are answered.
    pub(crate) fn answer(&self, statuses: &[u16]) {
        self.answers.lock().expect("no panic").extend(statuses);
    }

    pub(crate) fn all(&self) -> Vec<Arrived> {
        self.arrived.lock().expect("no panic").clone()
    }

    /// Waits until so many notices have come.
    pub(crate) async fn until(&self, count: usize) -> Vec<Arrived> {
        visitor::until(&format!("{count} notices"), || async { Some(self.all()).filter(|all| all.len() >= count) }).await
    }
}

impl Arrived {
    /// Whether its signature is one that must be refused; the stall answers it 401.
    pub(crate) fn is_probe(&self) -> bool {
        self.headers["wechatpay-signature"].to_str().expect("text").starts_with("WECHATPAY/SIGNTEST/")
    }

    /// What is under the seal.
    pub(crate) fn open(&self, apiv3_key: &str) -> Value {
        let resource = &self.envelope["resource"];
        let text = |name: &str| resource[name].as_str().unwrap_or_default();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, apiv3_key.as_bytes()).expect("32 bytes"));
        let mut sealed = STANDARD.decode(text("ciphertext")).expect("base64");
        let nonce = Nonce::try_assume_unique_for_key(text("nonce").as_bytes()).expect("12 bytes");
        let plain = key.open_in_place(nonce, Aad::from(text("associated_data")), &mut sealed).expect("opens");
        serde_json::from_slice(plain).expect("JSON")
    }
}
