//! Signs requests: RSA-SHA256 over method, target, time, nonce and body, each on a line of its own.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use crate::ids::nonce;

/// Signs for one merchant.
pub(super) struct Signer {
    mchid: String,
    serial: String,
    key: RsaKeyPair,
}

impl Signer {
    /// `None` if the key is no RSA private key in PEM.
    pub(super) fn new(mchid: &str, serial: &str, private_key_pem: &str) -> Option<Self> {
        let key = match PrivateKeyDer::from_pem_slice(private_key_pem.as_bytes()).ok()? {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return None,
        };
        let key = key.ok().filter(|key| !key.public_key().as_ref().is_empty())?;
        Some(Self { mchid: mchid.to_owned(), serial: serial.to_owned(), key })
    }

    /// The `Authorization` field; `None` only if the system's random numbers fail.
    pub(super) fn authorization(&self, method: &Method, target: &str, body: &[u8], timestamp: i64) -> Option<String> {
        let nonce = nonce();
        let signature = self.sign(&message(method.as_str(), target, timestamp, &nonce, body))?;
        Some(format!(
            r#"WECHATPAY2-SHA256-RSA2048 mchid="{}",nonce_str="{nonce}",timestamp="{timestamp}",serial_no="{}",signature="{signature}""#,
            self.mchid, self.serial,
        ))
    }

    /// The signature of a text, base64; `None` only if the system's random numbers fail.
    pub(super) fn sign(&self, text: &[u8]) -> Option<String> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).ok()?;
        Some(STANDARD.encode(signature))
    }

    /// What clients call this kind of signature.
    pub(super) fn sign_type(&self) -> &'static str {
        "RSA"
    }
}

/// The text that is signed.
fn message(method: &str, target: &str, timestamp: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method}\n{target}\n{timestamp}\n{nonce}\n").into_bytes();
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use rustls::pki_types::SubjectPublicKeyInfoDer;

    use super::*;
    use crate::connectors::wechatpay::tests::fresh_key;
    use crate::connectors::wechatpay::verify::tests::{bytes_of, text_of, vectors};

    #[test]
    fn the_signed_text_is_the_vendors_to_the_byte() {
        let mut seen = 0;
        for vector in vectors("request_signature").iter().filter(|vector| vector["expect"] == "valid" && vector["id"] != "req-media-upload") {
            let timestamp: i64 = text_of(vector, "timestamp").parse().or_else(|_| vector["timestamp"].as_i64().ok_or(())).expect("a time");
            let built =
                message(&text_of(vector, "method"), &text_of(vector, "url"), timestamp, &text_of(vector, "nonce"), &bytes_of(vector, "body_utf8"));
            assert_eq!(String::from_utf8_lossy(&built), text_of(vector, "signed_message_utf8"), "{}", vector["id"]);
            seen += 1;
        }
        assert!(seen >= 7, "only {seen} vectors");
    }

    #[test]
    fn published_signatures_verify_over_our_text() {
        let pem = include_bytes!("../../../tests/vectors/keys/merchant_pub_key.pem");
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem).expect("a key");
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki.as_ref());
        for vector in vectors("request_signature").iter().filter(|vector| vector["expect"] == "valid" && vector["id"] != "req-media-upload") {
            let signature = STANDARD.decode(text_of(vector, "signature")).expect("base64");
            let text = text_of(vector, "signed_message_utf8");
            assert!(key.verify(text.as_bytes(), &signature).is_ok(), "{}", vector["id"]);
        }
    }

    #[test]
    fn the_field_names_everything_and_the_signature_holds() {
        let pair = fresh_key();
        let signer = Signer::new("1900000001", "5157F0", &pair.serialize_pem()).expect("a key");
        let field = signer.authorization(&Method::POST, "/v3/x?a=%7C", b"{}\n", 1_767_225_600).expect("signed");
        let part = |name: &str| field.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).expect("a part").to_owned();
        assert_eq!((part("mchid").as_str(), part("serial_no").as_str(), part("timestamp").as_str()), ("1900000001", "5157F0", "1767225600"));
        let text = format!("POST\n/v3/x?a=%7C\n1767225600\n{}\n{{}}\n\n", part("nonce_str"));
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key_raw());
        assert!(key.verify(text.as_bytes(), &STANDARD.decode(part("signature")).expect("base64")).is_ok());
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        for pem in
            ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", include_str!("../../../tests/vectors/keys/merchant_pub_key.pem")]
        {
            assert!(Signer::new("1", "2", pem).is_none());
        }
    }
}
