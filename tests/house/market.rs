//! A market: a sandbox alone, and merchants that sign what they send as WeChat Pay's SDKs do.

use std::net::SocketAddr;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fengate::clock::Clock;
use fengate::sandbox::{Sandbox, Settings};
use fengate::tasks::Tasks;
use http::Request;
use http_body_util::Full;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::visitor::{self, Answer};

/// A sandbox in a folder that goes away.
pub(crate) struct Market {
    pub(crate) address: SocketAddr,
    pub(crate) dir: tempfile::TempDir,
    tasks: Tasks,
}

/// A merchant with its keys.
pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
    pub(crate) mchid: String,
    pub(crate) appid: String,
    pub(crate) serial: String,
    pub(crate) apiv3_key: String,
    pub(crate) sub_mchids: Vec<String>,
    key: RsaKeyPair,
    pub(crate) clock: Clock,
}

impl Market {
    pub(crate) async fn open() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (tasks, address) = serve(dir.path()).await;
        Self { address, dir, tasks }
    }

    /// Ends this sandbox and starts another in the same folder.
    pub(crate) async fn restart(&mut self) {
        self.tasks.stop();
        self.tasks.drained().await;
        (self.tasks, self.address) = serve(self.dir.path()).await;
    }

    /// The demo merchant.
    pub(crate) fn demo(&self) -> Shop {
        self.shop(&self.file("account.json"))
    }

    /// Another merchant, by its name.
    pub(crate) fn merchant(&self, name: &str) -> Shop {
        let merchants = self.file("merchants.json");
        let found = merchants["merchants"].as_array().expect("a list").iter().find(|merchant| merchant["name"] == name);
        self.shop(found.unwrap_or_else(|| panic!("no merchant {name}")))
    }

    pub(crate) fn file(&self, name: &str) -> Value {
        file(self.dir.path(), name)
    }

    fn shop(&self, json: &Value) -> Shop {
        Shop::at(self.address, json)
    }

    /// Says something to the desk or the phone; it has to be taken.
    pub(crate) async fn say(&self, path: &str, json: Value) -> Value {
        let answer = visitor::post(self.address, path, &[], json.to_string()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    pub(crate) async fn see(&self, path: &str) -> Value {
        visitor::get(self.address, path, &[]).await.json()
    }
}

/// A JSON file of a sandbox's folder.
pub(crate) fn file(dir: &std::path::Path, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(dir.join(name)).expect("a file")).expect("JSON")
}

impl Shop {
    /// The merchant of a file, at the sandbox there.
    pub(crate) fn at(address: SocketAddr, json: &Value) -> Self {
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let der = PrivatePkcs8KeyDer::from_pem_slice(text("private_key").as_bytes()).expect("PEM");
        let subs = json["sub_mchids"].as_array().into_iter().flatten().map(|number| number.as_str().expect("a number").to_owned());
        Self {
            address,
            mchid: text("mchid"),
            appid: text("appid"),
            serial: text("serial"),
            apiv3_key: text("apiv3_key"),
            sub_mchids: subs.collect(),
            key: RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("RSA"),
            clock: Clock::system(),
        }
    }
}

async fn serve(dir: &std::path::Path) -> (Tasks, SocketAddr) {
    let tasks = Tasks::new();
    let settings = Settings { dir: dir.to_owned(), callback_time_divisor: 1 };
    let sandbox = Sandbox::open(&settings, Clock::system(), tasks.clone()).expect("opens");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tasks.background(sandbox.serve(listener));
    (tasks, address)
}

impl Shop {
    /// An order of this merchant; `more` is laid over it.
    pub(crate) fn order(&self, number: &str, total: i64, more: &Value) -> Value {
        let mut order = json!({
            "appid": self.appid, "mchid": self.mchid, "description": "测试商品", "out_trade_no": number,
            "notify_url": "http://127.0.0.1:9/notify", "amount": {"total": total, "currency": "CNY"},
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            order[name] = value.clone();
        }
        order
    }

    /// The same of a partner, for one of its sub-merchants.
    pub(crate) fn partner_order(&self, sub_mchid: &str, number: &str, total: i64, more: &Value) -> Value {
        let mut order = self.order(number, total, more);
        let members = order.as_object_mut().expect("an object");
        members.remove("appid");
        members.remove("mchid");
        (order["sp_appid"], order["sp_mchid"], order["sub_mchid"]) = (self.appid.as_str().into(), self.mchid.as_str().into(), sub_mchid.into());
        order
    }

    /// This merchant's signature of a text, in base64.
    pub(crate) fn sign(&self, text: &[u8]) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).expect("signed");
        STANDARD.encode(signature)
    }

    /// The `Authorization` field over exactly this.
    pub(crate) fn signed(&self, method: &str, target: &str, body: &[u8], seconds: i64) -> String {
        let nonce = "5K8264ILTKCH16CQ2502SI8ZNMTM67VS";
        let mut text = format!("{method}\n{target}\n{seconds}\n{nonce}\n").into_bytes();
        text.extend_from_slice(body);
        text.push(b'\n');
        format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{}\",nonce_str=\"{nonce}\",signature=\"{}\",timestamp=\"{seconds}\",serial_no=\"{}\"",
            self.mchid,
            self.sign(&text),
            self.serial
        )
    }

    /// A signed request, ready to send.
    pub(crate) fn request(&self, method: &str, target: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        let body = body.into();
        let authorization = self.signed(method, target, &body, self.clock.now().seconds());
        let request = Request::builder().method(method).uri(target).header("host", self.address.to_string());
        let request = request.header("accept", "application/json").header("user-agent", "shop/1").header("content-type", "application/json");
        request.header("authorization", authorization).body(Full::new(body)).expect("a request")
    }

    pub(crate) async fn post(&self, target: &str, json: &Value) -> Answer {
        visitor::send(self.address, self.request("POST", target, json.to_string())).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        visitor::send(self.address, self.request("GET", target, "")).await
    }
}

/// Status and code of an answer, to compare in one line.
pub(crate) fn verdict(answer: &Answer) -> (u16, String) {
    let code = if answer.body.is_empty() { String::new() } else { answer.json()["code"].as_str().unwrap_or_default().to_owned() };
    (answer.status.as_u16(), code)
}

impl Market {
    /// A sensitive field for the platform, sealed with its public key.
    pub(crate) fn sealed(&self, text: &str) -> String {
        let pem = self.file("account.json")["public_key"].as_str().expect("PEM").to_owned();
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&der).expect("RSA")).expect("RSA");
        let mut room = vec![0; key.ciphertext_size()];
        STANDARD.encode(key.encrypt(&OAEP_SHA1_MGF1SHA1, text.as_bytes(), &mut room, None).expect("sealed"))
    }

    /// A sensitive field for the demo merchant, opened with its private key.
    pub(crate) fn opened(&self, field: &Value) -> String {
        let pem = self.file("account.json")["private_key"].as_str().expect("PEM").to_owned();
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let key = OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der()).expect("RSA")).expect("RSA");
        let sealed = STANDARD.decode(field.as_str().expect("text")).expect("base64");
        let mut room = vec![0; key.min_output_size()];
        String::from_utf8(key.decrypt(&OAEP_SHA1_MGF1SHA1, &sealed, &mut room, None).expect("opens").to_vec()).expect("text")
    }

    /// Posts with the name of the key the fields are sealed for.
    pub(crate) async fn post_sealed(&self, shop: &Shop, target: &str, json: &Value) -> Answer {
        let mut request = shop.request("POST", target, json.to_string());
        let serial = self.file("account.json")["public_key_id"].as_str().expect("an id").to_owned();
        request.headers_mut().insert("wechatpay-serial", serial.parse().expect("a value"));
        visitor::send(self.address, request).await
    }
}
