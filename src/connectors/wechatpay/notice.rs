//! Unseals a verified notice. Verification has happened on the raw bytes before anything here is reached.

use serde::Deserialize;

use super::super::{Notice, Resource};
use super::crypt::{Apiv3Key, Sealed};
use super::{refunds, transaction};

#[derive(Deserialize)]
struct Fields {
    id: String,
    event_type: String,
    resource: Sealed,
}

/// Longest `id` and `event_type` that are kept.
const WORD_CHARS_MAX: usize = 64;

/// Unseals. Only a payment's success names a transaction, and only a refund's end a refund; notices of other kinds move nothing.
pub(super) fn unseal(body: &[u8], key: &Apiv3Key) -> Result<Notice, String> {
    let fields: Fields = serde_json::from_slice(body).map_err(|e| format!("no notice: {e}"))?;
    let word = |text: String| text.chars().filter(|c| !c.is_control()).take(WORD_CHARS_MAX).collect::<String>();
    let plain = key.unseal(&fields.resource)?;
    let resource = match fields.event_type.as_str() {
        "TRANSACTION.SUCCESS" => Resource::Transaction(transaction::transaction(&plain)?),
        "REFUND.SUCCESS" | "REFUND.ABNORMAL" | "REFUND.CLOSED" => Resource::Refund(refunds::refund(&plain)?),
        _ => Resource::Other,
    };
    Ok(Notice { id: word(fields.id), event_type: word(fields.event_type), resource })
}

#[cfg(test)]
mod tests {
    use super::super::super::{RefundStatus, TradeState};
    use super::super::verify::tests::{KEY, bytes_of, vectors};
    use super::*;

    #[test]
    fn the_vectors_unseal() {
        let key = Apiv3Key::new(KEY).expect("a key");
        for vector in vectors("callback") {
            let notice = unseal(&bytes_of(&vector, "body_utf8"), &key).expect("unseals");
            match notice.resource() {
                Resource::Transaction(transaction) => {
                    assert_eq!((&transaction.trade_state, transaction.mchid.as_str()), (&TradeState::Success, "1900000001"));
                    assert!(transaction.amount_total.is_some() && transaction.transaction_id.is_some());
                }
                Resource::Refund(refund) => {
                    assert_eq!((&refund.status, refund.mchid.as_deref()), (&RefundStatus::Success, Some("1900000001")));
                    assert!(refund.amount_refund_fen > 0 && refund.success_time.is_some());
                }
                Resource::Other => panic!("{} is known", notice.event_type()),
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
