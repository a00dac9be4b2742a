//! Unseals a verified notice. Verification has happened on the raw bytes before anything here is reached.

use serde::Deserialize;

use super::super::Transaction;
use super::crypt::{Apiv3Key, Sealed};
use super::orders;

/// What a notice carries.
pub(in crate::connectors) struct Envelope {
    pub(in crate::connectors) id: String,
    pub(in crate::connectors) event_type: String,
    pub(in crate::connectors) transaction: Option<Transaction>,
}

#[derive(Deserialize)]
struct Fields {
    id: String,
    event_type: String,
    resource: Sealed,
}

/// Longest `id` and `event_type` that are kept.
const WORD_CHARS_MAX: usize = 64;

/// Unseals. Only a payment's success names a transaction; notices of other kinds move nothing.
pub(super) fn unseal(body: &[u8], key: &Apiv3Key) -> Result<Envelope, String> {
    let fields: Fields = serde_json::from_slice(body).map_err(|e| format!("no notice: {e}"))?;
    let word = |text: String| text.chars().filter(|c| !c.is_control()).take(WORD_CHARS_MAX).collect::<String>();
    let plain = key.unseal(&fields.resource)?;
    let transaction = match fields.event_type.as_str() {
        "TRANSACTION.SUCCESS" => Some(orders::transaction(&plain)?),
        _ => None,
    };
    Ok(Envelope { id: word(fields.id), event_type: word(fields.event_type), transaction })
}

#[cfg(test)]
mod tests {
    use super::super::super::TradeState;
    use super::super::verify::tests::{KEY, bytes_of, vectors};
    use super::*;

    #[test]
    fn the_vectors_unseal() {
        let key = Apiv3Key::new(KEY).expect("a key");
        for vector in vectors("callback") {
            let envelope = unseal(&bytes_of(&vector, "body_utf8"), &key).expect("unseals");
            if envelope.event_type == "TRANSACTION.SUCCESS" {
                let transaction = envelope.transaction.expect("a transaction");
                assert_eq!((transaction.trade_state, transaction.mchid.as_str()), (TradeState::Success, "1900000001"));
                assert!(transaction.amount_total.is_some() && transaction.transaction_id.is_some());
            } else {
                assert!(envelope.transaction.is_none(), "{}", envelope.event_type);
            }
        }
    }

    #[test]
    fn what_is_no_notice_is_an_error() {
        let key = Apiv3Key::new(KEY).expect("a key");
        for body in [&b""[..], b"{}", b"[]", b"{\"id\":\"x\",\"event_type\":\"TRANSACTION.SUCCESS\",\"resource\":null}", b"\xff\xfe"] {
            assert!(unseal(body, &key).is_err());
        }
    }
}
