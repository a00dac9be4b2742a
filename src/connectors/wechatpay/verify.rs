//! Verifies answers and notices: all fields there, not older than five minutes, a known key, and the signature over time, nonce and the raw
//! body. Only then is anything parsed.

use http::HeaderMap;

use super::ring::Ring;
use crate::clock::UnixMs;

/// How far a signature's time may be from ours, in seconds; both ways.
const AGE_SECONDS_MAX: i64 = 300;

/// What a signature starts with that is meant to fail.
const PROBE: &str = "WECHATPAY/SIGNTEST/";

/// Why something signed is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum VerifyError {
    #[error("the field {0} is missing or stands twice")]
    Missing(&'static str),
    #[error("signed {0} s from now")]
    Stale(i64),
    #[error("signed with an unknown key {0}")]
    UnknownKey(String),
    #[error("a signature probe")]
    Probe,
    #[error("the signature does not hold")]
    BadSignature,
}

/// Verifies `body` with the `Wechatpay-*` fields of `headers`.
pub(super) fn verify(headers: &HeaderMap, body: &[u8], ring: &Ring, now: UnixMs) -> Result<(), VerifyError> {
    let field = |name: &'static str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().and_then(|value| value.to_str().ok()).filter(|_| values.next().is_none());
        value.ok_or(VerifyError::Missing(name))
    };
    let (timestamp, nonce) = (field("wechatpay-timestamp")?, field("wechatpay-nonce")?);
    let (serial, signature) = (field("wechatpay-serial")?, field("wechatpay-signature")?);
    if signature.starts_with(PROBE) {
        return Err(VerifyError::Probe);
    }
    let signed_at: i64 = timestamp.parse().map_err(|_| VerifyError::Missing("wechatpay-timestamp"))?;
    let age = now.seconds().saturating_sub(signed_at);
    if age.unsigned_abs() > AGE_SECONDS_MAX.unsigned_abs() {
        return Err(VerifyError::Stale(age));
    }
    let key = ring.key(serial, now).ok_or_else(|| VerifyError::UnknownKey(serial.chars().take(64).collect()))?;
    if key.verifies(&message(timestamp, nonce, body), signature) { Ok(()) } else { Err(VerifyError::BadSignature) }
}

/// The text that is signed.
pub(super) fn message(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{timestamp}\n{nonce}\n").into_bytes();
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Value;

    use super::super::certs;
    use super::super::config::Algorithm;
    use super::super::crypt::Apiv3Key;
    use super::*;

    pub(in crate::connectors::wechatpay) const NOW: UnixMs = UnixMs(1_767_225_600_000);
    pub(in crate::connectors::wechatpay) const KEY: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

    pub(in crate::connectors::wechatpay) fn vectors(kind: &str) -> Vec<Value> {
        let all: Value = serde_json::from_str(include_str!("../../../tests/vectors/vectors.json")).expect("vectors");
        all["vectors"].as_array().expect("a list").iter().filter(|vector| vector["kind"] == kind).cloned().collect()
    }

    pub(in crate::connectors::wechatpay) fn text_of(vector: &Value, field: &str) -> String {
        vector[field].as_str().map_or_else(|| vector[field].to_string(), str::to_owned)
    }

    pub(in crate::connectors::wechatpay) fn bytes_of(vector: &Value, field: &str) -> Vec<u8> {
        text_of(vector, field).into_bytes()
    }

    pub(in crate::connectors::wechatpay) fn headers_of(vector: &Value) -> HeaderMap {
        let fields = vector["headers"].as_object().expect("fields");
        fields
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.as_str().expect("text").parse().expect("a value")))
            .collect::<HeaderMap>()
    }

    /// The vectors' whole ring: the public key, and both certificates out of `resp-certificates`.
    pub(in crate::connectors::wechatpay) fn whole_ring() -> Ring {
        let pem = include_str!("../../../tests/vectors/keys/wechatpay_pub_key.pem");
        let ring = Ring::holding(Algorithm::Rsa, "PUB_KEY_ID_0119000000012026010100000000000001", pem).expect("a key");
        let answer = vectors("response_signature").into_iter().find(|vector| vector["id"] == "resp-certificates").expect("the vector");
        let keys = certs::read(
            Algorithm::Rsa,
            &headers_of(&answer),
            &bytes_of(&answer, "body_utf8"),
            &Apiv3Key::new(Algorithm::Rsa, KEY).expect("a key"),
            NOW,
        )
        .expect("certificates");
        ring.renew(keys);
        ring
    }

    #[test]
    fn every_vector_is_judged_as_the_vendor_would() {
        let ring = whole_ring();
        let all: Vec<Value> = vectors("response_signature").into_iter().chain(vectors("callback")).collect();
        assert!(all.len() >= 14);
        for vector in &all {
            let verdict = verify(&headers_of(vector), &bytes_of(vector, "body_utf8"), &ring, NOW);
            let expected = match (text_of(vector, "expect").as_str(), text_of(vector, "id")) {
                ("valid", _) => Ok(()),
                ("stale", _) => Err(VerifyError::Stale(301)),
                (_, id) if id.ends_with("probe") => Err(VerifyError::Probe),
                _ => Err(VerifyError::BadSignature),
            };
            assert_eq!(verdict, expected, "{}", vector["id"]);
        }
    }

    #[test]
    fn no_flipped_bit_is_believed() {
        let ring = whole_ring();
        let vector = vectors("callback").into_iter().find(|vector| text_of(vector, "expect") == "valid").expect("a good one");
        let (headers, body) = (headers_of(&vector), bytes_of(&vector, "body_utf8"));
        assert_eq!(verify(&headers, &body, &ring, NOW), Ok(()));
        let flips = |length: usize| (0..length).flat_map(|at| (0..8).map(move |bit| (at, 1u8 << bit)));
        for (at, bit) in flips(body.len()) {
            let mut changed = body.clone();
            changed[at] ^= bit;
            assert_eq!(verify(&headers, &changed, &ring, NOW), Err(VerifyError::BadSignature), "byte {at} of the body");
        }
        let mut refused = 0;
        for name in ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial", "wechatpay-signature"] {
            let value = headers[name].as_bytes();
            for (at, bit) in flips(value.len()) {
                let mut changed = value.to_vec();
                changed[at] ^= bit;
                // Some are no header value any more: those do not even arrive.
                let Ok(field) = http::HeaderValue::from_bytes(&changed) else { continue };
                let mut fields = headers.clone();
                fields.insert(name, field);
                assert!(verify(&fields, &body, &ring, NOW).is_err(), "byte {at} of {name}");
                refused += 1;
            }
        }
        assert!(refused > 2_000, "{refused} flips of the fields");
    }

    #[test]
    fn a_missing_field_or_an_unknown_key_is_refused() {
        let ring = whole_ring();
        let vector = &vectors("callback")[0];
        let (headers, body) = (headers_of(vector), bytes_of(vector, "body_utf8"));
        assert_eq!(verify(&headers, &body, &ring, NOW), Ok(()));
        for name in ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial", "wechatpay-signature"] {
            let mut fewer = headers.clone();
            fewer.remove(name);
            assert_eq!(verify(&fewer, &body, &ring, NOW), Err(VerifyError::Missing(name)));
            let mut twice = headers.clone();
            twice.append(name, "x".parse().expect("a value"));
            assert_eq!(verify(&twice, &body, &ring, NOW), Err(VerifyError::Missing(name)));
        }
        let mut other = headers.clone();
        other.insert("wechatpay-serial", "PUB_KEY_ID_1".parse().expect("a value"));
        assert_eq!(verify(&other, &body, &ring, NOW), Err(VerifyError::UnknownKey("PUB_KEY_ID_1".to_owned())));
        assert!(matches!(verify(&headers, &body, &ring, NOW.plus_ms(301_000)), Err(VerifyError::Stale(_))));
        assert!(matches!(verify(&headers, &body, &ring, NOW.plus_ms(-301_000)), Err(VerifyError::Stale(_))));
    }
}
