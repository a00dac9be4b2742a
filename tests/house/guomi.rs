//! The merchant that trades by the national algorithms: signs with SM2, gets SM2 answers, SM4 certificates and SM4 callbacks.

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use sm2::dsa::signature::{Signer, Verifier};
use sm2::dsa::{Signature, SigningKey, VerifyingKey};
use sm2::elliptic_curve::common::getrandom::SysRng;
use sm2::pkcs8::{DecodePrivateKey, DecodePublicKey};
use sm2::pke::{DecryptingKey, EncryptingKey};
use sm2::{PublicKey, SecretKey};
use sm3::{Digest, Sm3};
use x509_cert::Certificate;
use x509_cert::der::{DecodePem, EncodePem};

use super::market::{Market, verdict};
use super::stall::Stall;
use super::visitor::{self, Answer};

const USER_ID: &str = "1234567812345678";

struct Shop<'m> {
    market: &'m Market,
    json: Value,
}

impl<'m> Shop<'m> {
    fn of(market: &'m Market) -> Self {
        Self { market, json: market.file("guomi.json") }
    }

    fn text(&self, name: &str) -> &str {
        self.json[name].as_str().expect("text")
    }

    async fn call(&self, method: &str, target: &str, body: &str) -> Answer {
        let seconds = fengate::clock::Clock::system().now().seconds();
        let text = format!("{method}\n{target}\n{seconds}\nn0nce\n{body}\n");
        let key = SigningKey::new(USER_ID, &SecretKey::from_pkcs8_pem(self.text("private_key")).expect("a key")).expect("a key");
        let signature: Signature = key.sign(text.as_bytes());
        let signature = STANDARD.encode(signature.to_der().as_bytes());
        self.send(
            method,
            target,
            body,
            &format!(
                "WECHATPAY2-SM2-WITH-SM3 mchid=\"{}\",nonce_str=\"n0nce\",signature=\"{signature}\",timestamp=\"{seconds}\",serial_no=\"{}\"",
                self.text("mchid"),
                self.text("serial")
            ),
        )
        .await
    }

    async fn send(&self, method: &str, target: &str, body: &str, authorization: &str) -> Answer {
        let request = Request::builder().method(method).uri(target).header("host", self.market.address.to_string()).header("accept", "*/*");
        let request = request
            .header("user-agent", "shop/1")
            .header("content-type", "application/json")
            .header("wechatpay-serial", self.text("platform_serial"));
        let request = request.header("authorization", authorization).body(Full::new(body.to_owned().into())).expect("a request");
        visitor::send(self.market.address, request).await
    }

    /// What AEAD_SM4_GCM sealed for this merchant.
    fn unsealed(&self, sealed: &Value) -> String {
        assert_eq!(sealed["algorithm"], "AEAD_SM4_GCM");
        let text = |name: &str| sealed[name].as_str().expect("text");
        let digest = Sm3::digest(self.text("apiv3_key").as_bytes());
        let cipher = AesGcm::<sm4::Sm4, U12>::new_from_slice(&digest[..16]).expect("a key");
        let msg = STANDARD.decode(text("ciphertext")).expect("base64");
        let nonce = text("nonce").as_bytes().try_into().expect("12 bytes");
        let plain = cipher.decrypt(nonce, Payload { msg: &msg, aad: text("associated_data").as_bytes() }).expect("opens");
        String::from_utf8(plain).expect("UTF-8")
    }
}

/// The key of a certificate, to verify and to seal with.
fn key_of(certificate_pem: &str) -> PublicKey {
    let certificate = Certificate::from_pem(certificate_pem).expect("a certificate");
    let pem = certificate.tbs_certificate.subject_public_key_info.to_pem(x509_cert::der::pem::LineEnding::LF).expect("PEM");
    PublicKey::from_public_key_pem(&pem).expect("a key")
}

fn is_signed(headers: &http::HeaderMap, body: &str, key: PublicKey) -> bool {
    let field = |name: &str| headers.get(name).expect("a field").to_str().expect("text");
    assert_eq!(field("wechatpay-signature-type"), "WECHATPAY2-SM2-WITH-SM3");
    let text = format!("{}\n{}\n{body}\n", field("wechatpay-timestamp"), field("wechatpay-nonce"));
    let signature = Signature::from_der(&STANDARD.decode(field("wechatpay-signature")).expect("base64")).expect("DER");
    VerifyingKey::new(USER_ID, key).expect("a key").verify(text.as_bytes(), &signature).is_ok()
}

#[tokio::test]
async fn certificates_answers_and_fields_are_of_the_national_algorithms() {
    let market = Market::open().await;
    let shop = Shop::of(&market);
    let answer = shop.call("GET", "/v3/certificates?algorithm_type=SM2", "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let listed = answer.json()["data"][0].clone();
    let pem = shop.unsealed(&listed["encrypt_certificate"]);
    assert_eq!((&listed["serial_no"], answer.header("wechatpay-serial")), (&json!(shop.text("platform_serial")), shop.text("platform_serial")));
    assert!(is_signed(&answer.headers, &answer.text(), key_of(&pem)));
    assert_eq!(shop.call("GET", "/v3/certificates?algorithm_type=ALL", "").await.json()["data"].as_array().map(Vec::len), Some(2));
    let sealed = STANDARD.encode(EncryptingKey::new(key_of(&pem)).encrypt_der(&mut SysRng, "张三".as_bytes()).expect("sealed"));
    let echoed = shop.call("POST", "/v3/security/echo", &json!({"echo_message": "x", "encrypted_echo_message": sealed}).to_string()).await;
    assert_eq!(echoed.status, 200, "{}", echoed.text());
    let back = STANDARD.decode(echoed.json()["encrypted_echo_message"].as_str().expect("text")).expect("base64");
    let key = DecryptingKey::new(SecretKey::from_pkcs8_pem(shop.text("private_key")).expect("a key"));
    assert_eq!(key.decrypt_der(&back).expect("opens"), "张三".as_bytes());
    let ordinary = market.demo();
    assert_eq!(verdict(&ordinary.get("/v3/certificates?algorithm_type=SM2").await), (403, "NO_AUTH".to_owned()));
    assert_eq!(verdict(&ordinary.get("/v3/certificates?algorithm_type=X").await), (400, "PARAM_ERROR".to_owned()));
    assert_eq!(ordinary.get("/v3/certificates?algorithm_type=RSA").await.json()["data"][0]["encrypt_certificate"]["algorithm"], "AEAD_AES_256_GCM");
}

#[tokio::test]
async fn a_payment_is_reported_under_sm4_and_another_scheme_is_refused() {
    let (market, stall) = (Market::open().await, Stall::open().await);
    let shop = Shop::of(&market);
    let order = json!({
        "appid": shop.text("appid"), "mchid": shop.text("mchid"), "description": "茶", "out_trade_no": "order-0001", "notify_url": stall.url(),
        "amount": {"total": 100, "currency": "CNY"},
    });
    let made = shop.call("POST", "/v3/pay/transactions/native", &order.to_string()).await;
    assert_eq!(made.status, 200, "{}", made.text());
    market.say("/phone/pay", json!({"code_url": made.json()["code_url"]})).await;
    let notice = stall.until(1).await.remove(0);
    let content: Value = serde_json::from_str(&shop.unsealed(&notice.envelope["resource"])).expect("JSON");
    assert_eq!((&content["out_trade_no"], &content["trade_state"]), (&json!("order-0001"), &json!("SUCCESS")));
    assert_eq!(notice.headers["wechatpay-serial"], shop.text("platform_serial"));
    let seconds = fengate::clock::Clock::system().now().seconds();
    let rsa = market.demo().signed("GET", "/v3/certificates", b"", seconds).replace(&market.demo().mchid, shop.text("mchid"));
    let rsa = rsa.replace(&market.demo().serial, shop.text("serial"));
    assert_eq!(verdict(&shop.send("GET", "/v3/certificates", "", &rsa).await), (401, "SIGN_ERROR".to_owned()));
    let wrong = rsa.replace("WECHATPAY2-SHA256-RSA2048", "WECHATPAY2-SM2-WITH-SM3");
    assert_eq!(verdict(&shop.send("GET", "/v3/certificates", "", &wrong).await), (401, "SIGN_ERROR".to_owned()));
}
