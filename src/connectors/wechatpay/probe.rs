//! Where fuzzers and property tests come in: the signed text, verification, and the opening of notices, each as one function of any bytes
//! that says whether what must always hold did hold. Built for tests and with the feature `fuzz` only.

use aws_lc_rs::rand::fill;
use http::{HeaderMap, HeaderValue, Method};

use super::config::Algorithm;
use super::crypt::Apiv3Key;
use super::keys::MerchantKey;
use super::ring::Ring;
use super::{notice, sign, verify};
use crate::clock::UnixMs;

/// The time everything happens at.
const NOW: UnixMs = UnixMs(1_767_225_600_000);

/// The platform key everything is signed with.
const SERIAL: &str = "PUB_KEY_ID_0119000000012026010100000000000009";

/// Keys of a run: made at its start, kept nowhere.
pub struct Probe {
    platform: MerchantKey,
    ring: Ring,
    apiv3_key: Apiv3Key,
}

impl Probe {
    /// New keys; `None` only if the system's random numbers fail.
    pub fn new() -> Option<Self> {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).ok()?;
        let mut key = [0; 16];
        fill(&mut key).ok()?;
        Some(Self {
            platform: MerchantKey::new(Algorithm::Rsa, &pair.serialize_pem())?,
            ring: Ring::holding(Algorithm::Rsa, SERIAL, &pair.public_key_pem())?,
            apiv3_key: Apiv3Key::new(Algorithm::Rsa, &crate::ids::hex(&key))?,
        })
    }

    /// The text of a request, out of any bytes: five lines that say exactly what was put in, so that no two requests have one text.
    pub fn signed_text(&self, data: &[u8]) -> bool {
        let Some([target, nonce, body]) = parts(data) else { return true };
        let (target, nonce) = (printable(target), printable(nonce));
        let text = sign::message(Method::POST.as_str(), &target, NOW.seconds(), &nonce, body);
        let mut lines = text.splitn(5, |byte| *byte == b'\n');
        let mut is = |expected: &[u8]| lines.next() == Some(expected);
        let head = is(b"POST") && is(target.as_bytes()) && is(NOW.seconds().to_string().as_bytes()) && is(nonce.as_bytes());
        head && lines.next().and_then(|rest| rest.strip_suffix(b"\n")) == Some(body)
    }

    /// Verification of any fields over any body: never passes, except what the platform signed, and that not with a byte changed.
    pub fn verification(&self, data: &[u8]) -> bool {
        let Some([fields, nonce, body]) = parts(data) else { return true };
        let mut headers = HeaderMap::new();
        let names = ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial", "wechatpay-signature"];
        for (name, value) in names.into_iter().zip(fields.split(|byte| *byte == 0)) {
            let Ok(value) = HeaderValue::from_bytes(value) else { continue };
            headers.insert(name, value);
        }
        if verify::verify(&headers, body, &self.ring, NOW).is_ok() {
            return false;
        }
        let (timestamp, nonce) = (NOW.seconds().to_string(), printable(nonce));
        let Some(signature) = self.platform.sign(&verify::message(&timestamp, &nonce, body)) else { return false };
        for (name, value) in names.into_iter().zip([&timestamp, &nonce, SERIAL, &signature]) {
            let Ok(value) = HeaderValue::from_str(value) else { return true };
            headers.insert(name, value);
        }
        let mut changed = body.to_vec();
        match changed.first_mut() {
            Some(byte) => *byte ^= 1,
            None => changed.push(b'x'),
        }
        verify::verify(&headers, body, &self.ring, NOW).is_ok() && verify::verify(&headers, &changed, &self.ring, NOW).is_err()
    }

    /// Opening any notice, and any resource sealed as the platform would: an error or a notice, and no name in it longer than allowed.
    pub fn notice(&self, data: &[u8]) -> bool {
        let Some([event_type, id, plain]) = parts(data) else { return true };
        let Some(sealed) = self.apiv3_key.seal(plain, "transaction") else { return false };
        let resource = serde_json::json!({
            "algorithm": "AEAD_AES_256_GCM", "nonce": sealed.nonce, "associated_data": "transaction", "ciphertext": sealed.ciphertext,
        });
        let known = ["TRANSACTION.SUCCESS", "REFUND.SUCCESS", "REFUND.CLOSED", "MCHTRANSFER.BILL.FINISHED"];
        let foreign = String::from_utf8_lossy(event_type).into_owned();
        let event_types = known.into_iter().chain([foreign.as_str()]);
        let envelopes = event_types.map(|event_type| {
            serde_json::json!({"id": String::from_utf8_lossy(id), "event_type": event_type, "resource": resource}).to_string().into_bytes()
        });
        let fits = |word: &str| word.chars().count() <= notice::WORD_CHARS_MAX && !word.chars().any(char::is_control);
        envelopes.chain([data.to_vec()]).all(|body| match notice::unseal(&body, &self.apiv3_key) {
            Ok(notice) => fits(notice.id()) && fits(notice.event_type()),
            Err(_) => true,
        })
    }
}

/// Three parts of `data`; the first two bytes say how long the first two are.
fn parts(data: &[u8]) -> Option<[&[u8]; 3]> {
    let (&[first, second], rest) = data.split_first_chunk::<2>()?;
    let (one, rest) = rest.split_at_checked(usize::from(first))?;
    let (two, three) = rest.split_at_checked(usize::from(second))?;
    Some([one, two, three])
}

/// What can stand in a target or a field: printable ASCII.
fn printable(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(b' ' + byte % 95)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    static PROBE: LazyLock<Probe> = LazyLock::new(|| Probe::new().expect("random numbers"));

    /// Three parts as [`parts`] reads them.
    fn data() -> impl Strategy<Value = Vec<u8>> {
        let part = || prop::collection::vec(any::<u8>(), 0..60);
        let plain = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            Just(br#"{"mchid":"1","appid":"2","out_trade_no":"3","trade_state":"SUCCESS","amount":{"total":1}}"#.to_vec()),
            Just(br#"{"refund_id":"1","out_refund_no":"2","transaction_id":"3","out_trade_no":"4","refund_status":"X","amount":{"total":1,"refund":1}}"#.to_vec()),
            "[{}\\[\\]\",:a-z0-9]{0,200}".prop_map(String::into_bytes),
        ];
        (part(), part(), plain).prop_map(|(one, two, three)| [&[one.len() as u8, two.len() as u8][..], &one, &two, &three].concat())
    }

    proptest! {
        #[test]
        fn no_two_requests_have_one_text(data in data()) {
            prop_assert!(PROBE.signed_text(&data));
        }

        #[test]
        fn only_what_the_platform_signed_passes(data in data()) {
            prop_assert!(PROBE.verification(&data));
        }

        #[test]
        fn any_notice_opens_or_is_an_error(data in data()) {
            prop_assert!(PROBE.notice(&data));
        }
    }

    #[test]
    fn the_probes_can_fail() {
        let probe = Probe { ring: Ring::empty(), ..Probe::new().expect("random numbers") };
        assert!(!probe.verification(&[0, 0, b'x']), "what the platform signed must pass");
    }
}
