//! Signs requests: over method, target, time, nonce and body, each on a line of its own.

use http::Method;

use super::config::Algorithm;
use super::keys::MerchantKey;
use crate::ids::nonce;

/// Signs for one merchant.
pub(super) struct Signer {
    mchid: String,
    serial: String,
    key: MerchantKey,
}

impl Signer {
    /// `None` if the key is no private key of the algorithm in PEM.
    pub(super) fn new(algorithm: Algorithm, mchid: &str, serial: &str, private_key_pem: &str) -> Option<Self> {
        let key = MerchantKey::new(algorithm, private_key_pem)?;
        Some(Self { mchid: mchid.to_owned(), serial: serial.to_owned(), key })
    }

    /// The `Authorization` field; `None` only if the system's random numbers fail.
    pub(super) fn authorization(&self, method: &Method, target: &str, body: &[u8], timestamp: i64) -> Option<String> {
        let (nonce, scheme) = (nonce(), self.key.scheme());
        let signature = self.sign(&message(method.as_str(), target, timestamp, &nonce, body))?;
        Some(format!(
            r#"{scheme} mchid="{}",nonce_str="{nonce}",timestamp="{timestamp}",serial_no="{}",signature="{signature}""#,
            self.mchid, self.serial,
        ))
    }

    /// The signature of a text, base64; `None` only if the system's random numbers fail.
    pub(super) fn sign(&self, text: &[u8]) -> Option<String> {
        self.key.sign(text)
    }

    /// Opens a sensitive field of an answer.
    pub(super) fn open(&self, field: &str) -> Option<String> {
        self.key.open(field)
    }

    /// What clients call this kind of signature; `None` for GuoMi, of which no page says how clients sign.
    pub(super) fn sign_type(&self) -> Option<&'static str> {
        matches!(self.key, MerchantKey::Rsa { .. }).then_some("RSA")
    }
}

/// The text that is signed.
pub(super) fn message(method: &str, target: &str, timestamp: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method}\n{target}\n{timestamp}\n{nonce}\n").into_bytes();
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use rustls::pki_types::SubjectPublicKeyInfoDer;
    use rustls::pki_types::pem::PemObject;

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
        let signer = Signer::new(Algorithm::Rsa, "1900000001", "5157F0", &pair.serialize_pem()).expect("a key");
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
            assert!(Signer::new(Algorithm::Rsa, "1", "2", pem).is_none());
        }
    }
}
