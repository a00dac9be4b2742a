//! `GET /v3/certificates`: a certificate is believed because it was sealed with the merchant's APIv3 key; the answer that brings it is then
//! verified with what it brought.

use std::sync::Arc;

use http::HeaderMap;
use serde::Deserialize;
use x509_cert::Certificate;
use x509_cert::der::{DecodePem, Encode};

use super::config::Algorithm;
use super::crypt::{Apiv3Key, Sealed};
use super::keys::PlatformKey;
use super::ring::{Certificates, Certified, Ring, normal};
use super::verify::verify;
use crate::clock::UnixMs;
use crate::ids::hex;

/// Most certificates that are kept: the platform has one, or two while it changes them.
const CERTIFICATES_MAX: usize = 16;

/// Where certificates are.
pub(super) fn target(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Rsa => "/v3/certificates",
        Algorithm::Sm2 => "/v3/certificates?algorithm_type=SM2",
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    serial_no: String,
    encrypt_certificate: Sealed,
}

/// Reads the answer of `/v3/certificates`: unseals each certificate, leaves out those that have run out, and verifies the answer itself
/// with what it brought.
pub(super) fn read(algorithm: Algorithm, headers: &HeaderMap, body: &[u8], key: &Apiv3Key, now: UnixMs) -> Result<Certificates, String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|e| format!("no list of certificates: {e}"))?;
    let mut certificates = Certificates::new();
    for item in answer.data.iter().take(CERTIFICATES_MAX) {
        let certified = read_certificate(&key.unseal(&item.encrypt_certificate)?)?;
        if normal(&certified.serial) != normal(&item.serial_no) {
            return Err(format!("a certificate's number is not the {} it is listed under", item.serial_no));
        }
        if certified.key.algorithm() == algorithm && now.seconds() <= certified.until_seconds {
            certificates.insert(normal(&certified.serial), Certified { serial: item.serial_no.clone(), ..certified });
        }
    }
    let ring = Ring::empty();
    ring.renew(certificates.clone());
    verify(headers, body, &ring, now).map_err(|e| e.to_string())?;
    Ok(certificates)
}

fn read_certificate(pem: &[u8]) -> Result<Certified, String> {
    let certificate = Certificate::from_pem(pem).map_err(|e| format!("no certificate: {e}"))?.tbs_certificate;
    let seconds = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    let spki = certificate.subject_public_key_info.to_der().map_err(|e| format!("a certificate without a key: {e}"))?;
    let key = PlatformKey::new(&spki).ok_or("a certificate with a key that is neither RSA of 2048 bits or more nor SM2")?;
    Ok(Certified {
        serial: hex(certificate.serial_number.as_bytes()),
        key: Arc::new(key),
        from_seconds: seconds(certificate.validity.not_before),
        until_seconds: seconds(certificate.validity.not_after),
    })
}

#[cfg(test)]
mod tests {
    use super::super::verify::tests::{KEY, NOW, bytes_of, headers_of, vectors};
    use super::*;

    #[test]
    fn a_certificate_nobody_sealed_for_us_is_not_believed() {
        let answer = vectors("response_signature").into_iter().find(|vector| vector["id"] == "resp-certificates").expect("the vector");
        let (headers, body) = (headers_of(&answer), bytes_of(&answer, "body_utf8"));
        let key = Apiv3Key::new(Algorithm::Rsa, KEY).expect("a key");
        let certificates = read(Algorithm::Rsa, &headers, &body, &key, NOW).expect("believed");
        let mut serials: Vec<_> = certificates.values().map(|certified| certified.serial.as_str()).collect();
        serials.sort_unstable();
        assert_eq!(serials, ["0A57F09EFDC096DE15EBE81A47057A7232F1B8E1", "7132D72A03E93CDDF8C03BBD1F37EEDF00000002"]);
        let wrong = Apiv3Key::new(Algorithm::Rsa, "0123456789ABCDEFGHIJKLMNOPQRSTUW").expect("a key");
        assert!(read(Algorithm::Rsa, &headers, &body, &wrong, NOW).is_err());
        assert!(read(Algorithm::Sm2, &headers, &body, &key, NOW).is_err(), "certificates of the other algorithm are none");
        let mut other = headers.clone();
        other.insert("wechatpay-nonce", "another".parse().expect("a value"));
        assert!(read(Algorithm::Rsa, &other, &body, &key, NOW).is_err(), "the answer's own signature counts too");
        assert!(read(Algorithm::Rsa, &headers, b"{\"data\":[]}", &key, NOW).is_err());
    }
}
