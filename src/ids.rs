//! Names of things: one type per kind of identifier, so that an `out_trade_no` cannot stand where a payment id is meant.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;

/// Declares a text identifier: cheap to clone, shown as it is, compared exactly.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps text that is already known to be such an identifier.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

text_id! {
    /// A merchant of `routes.toml` (`[[merchant]] id`).
    MerchantId
}
text_id! {
    /// The public name of a payment: `pay_` and 32 hexadecimal digits that cannot be guessed.
    PaymentId
}
text_id! {
    /// WeChat Pay's `out_trade_no`: 6 to 32 of `[0-9A-Za-z_\-|*]`, unique within a merchant number.
    OutTradeNo
}
text_id! {
    /// WeChat Pay's `out_refund_no`: 1 to 64 of `[0-9A-Za-z_\-|*@]`, unique within a merchant number.
    OutRefundNo
}
text_id! {
    /// What `x-request-id` says of one HTTP request: `req_` and 32 hexadecimal digits.
    RequestId
}
text_id! {
    /// The key under which one merchant's payment exists once: the caller's own, or one derived from the request.
    IdempotencyKey
}
text_id! {
    /// SHA-256 (hexadecimal) of a merchant and the canonical form of a request: equal for a request sent again.
    Fingerprint
}

impl PaymentId {
    /// A new identifier out of 122 random bits: whoever holds it may see the pay page.
    pub fn random() -> Self {
        Self::new(format!("pay_{}", uuid::Uuid::new_v4().simple()))
    }
}

impl RequestId {
    /// A new identifier, ordered by time.
    #[expect(clippy::disallowed_methods, reason = "the time in a request's name only sorts a log; nothing is decided by it")]
    pub fn random() -> Self {
        Self::new(format!("req_{}", uuid::Uuid::now_v7().simple()))
    }
}

impl Fingerprint {
    /// Digest of the parts, each preceded by its length so that no two lists of parts read alike.
    pub fn of(parts: &[&[u8]]) -> Self {
        Self::new(hex(digest_of("fengate/request/v1", parts).as_ref()))
    }
}

impl OutTradeNo {
    /// The number of the payment (`merchant`, `key`): a pure function, so that a crash, a retry or a second replica
    /// arrives at the same number. `fg` and 150 bits of SHA-256 in base 32.
    pub fn derive(merchant: &MerchantId, key: &IdempotencyKey) -> Self {
        Self::new(numbered("fg", &digest_of("fengate/out_trade_no/v1", &[merchant.0.as_bytes(), key.0.as_bytes()])))
    }
}

/// Thirty-two characters nobody can guess: what signed texts carry so that no two are alike.
pub fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string().to_uppercase()
}

impl OutRefundNo {
    /// The number of the refund `key` of the order `out_trade_no`: a pure function of both identities, so that a refund sent again after
    /// any accident is the same refund. `fr` and 150 bits of SHA-256 in base 32.
    pub fn derive(merchant: &MerchantId, out_trade_no: &OutTradeNo, key: &IdempotencyKey) -> Self {
        let parts = [merchant.0.as_bytes(), out_trade_no.0.as_bytes(), key.0.as_bytes()];
        Self::new(numbered("fr", &digest_of("fengate/out_refund_no/v1", &parts)))
    }
}

/// `prefix` and the first 150 bits of a digest, 5 to a letter.
fn numbered(prefix: &str, digest: &digest::Digest) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bytes = digest.as_ref();
    let letter = |n: usize| {
        let pair = u16::from_be_bytes([bytes[n * 5 / 8], bytes[n * 5 / 8 + 1]]);
        char::from(LETTERS[usize::from((pair >> (11 - n * 5 % 8)) & 31)])
    };
    prefix.chars().chain((0..30).map(letter)).collect()
}

fn digest_of(purpose: &str, parts: &[&[u8]]) -> digest::Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(purpose.as_bytes());
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish()
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_trade_no_is_a_pure_function_of_merchant_and_key() {
        let no = |merchant: &str, key: &str| OutTradeNo::derive(&MerchantId::new(merchant), &IdempotencyKey::new(key));
        assert_eq!(no("demo", "cart-77"), no("demo", "cart-77"));
        assert_ne!(no("demo", "cart-77"), no("demo", "cart-78"));
        assert_ne!(no("ab", "c"), no("a", "bc"));
        // Pinned: a change of the function would give an old payment a second number.
        assert_eq!(no("demo", "cart-77").as_str(), "fg9vn31kv8y83wpwm3ebgw228qmvhpc5");
    }

    #[test]
    fn out_refund_no_is_a_pure_function_of_payment_and_refund() {
        let no = |trade: &str, key: &str| OutRefundNo::derive(&MerchantId::new("demo"), &OutTradeNo::new(trade), &IdempotencyKey::new(key));
        assert_eq!(no("fg1", "m:R-1"), no("fg1", "m:R-1"));
        assert_ne!(no("fg1", "m:R-1"), no("fg1", "m:R-2"));
        assert_ne!(no("fg1", "m:R-1"), no("fg2", "m:R-1"));
        // Pinned: a change of the function would give an old refund a second number, and pay it twice.
        assert_eq!(no("fg1", "m:R-1").as_str(), "fr1kg0tz4hssvtqt22hg1xsmyvjzvd16");
    }

    #[test]
    fn out_trade_no_fits_what_wechat_pay_allows() {
        for n in 0..500 {
            let no = OutTradeNo::derive(&MerchantId::new("m"), &IdempotencyKey::new(format!("{n}")));
            assert_eq!(no.as_str().len(), 32);
            assert!(no.as_str().bytes().all(|b| b.is_ascii_alphanumeric()));
        }
    }
}
