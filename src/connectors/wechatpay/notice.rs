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
pub(super) const WORD_CHARS_MAX: usize = 64;

/// Unseals. Only a payment's success names an order, and only an end names a refund or a transfer; notices of other kinds move nothing.
pub(super) fn unseal(body: &[u8], key: &Apiv3Key) -> Result<Notice, String> {
    let fields: Fields = serde_json::from_slice(body).map_err(|e| format!("no notice: {e}"))?;
    let word = |text: String| text.chars().filter(|c| !c.is_control()).take(WORD_CHARS_MAX).collect::<String>();
    let plain = key.unseal(&fields.resource)?;
    let resource = match fields.event_type.as_str() {
        "TRANSACTION.SUCCESS" if is_combined(&plain) => Resource::Combined(json(&plain)?),
        "MCHTRANSFER.BILL.FINISHED" => Resource::Transfer(json(&plain)?),
        "TRANSACTION.SUCCESS" => Resource::Transaction(transaction::transaction(&plain)?),
        "REFUND.SUCCESS" | "REFUND.ABNORMAL" | "REFUND.CLOSED" => Resource::Refund(refunds::refund(&plain)?),
        _ => Resource::Other,
    };
    Ok(Notice { id: word(fields.id), event_type: word(fields.event_type), resource })
}

fn json<T: serde::de::DeserializeOwned>(plain: &[u8]) -> Result<T, String> {
    serde_json::from_slice(plain).map_err(|e| format!("a notice that makes no sense: {e}"))
}

/// Combined orders report under the same event type as others.
fn is_combined(plain: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Probe {
        #[serde(default)]
        combine_out_trade_no: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Probe>(plain).is_ok_and(|probe| probe.combine_out_trade_no.is_some())
}

#[cfg(test)]
mod tests {
    use super::super::super::{RefundStatus, TradeState};
    use super::super::config::Algorithm;
    use super::super::verify::tests::{KEY, bytes_of, vectors};
    use super::*;

    #[test]
    fn the_vectors_unseal() {
        let key = Apiv3Key::new(Algorithm::Rsa, KEY).expect("a key");
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
                Resource::Combined(_) | Resource::Transfer(_) | Resource::Other => panic!("{} is known", notice.event_type()),
            }
        }
    }

    #[test]
    fn what_is_no_notice_is_an_error() {
        let key = Apiv3Key::new(Algorithm::Rsa, KEY).expect("a key");
        for body in [&b""[..], b"{}", b"[]", b"{\"id\":\"x\",\"event_type\":\"TRANSACTION.SUCCESS\",\"resource\":null}", b"\xff\xfe"] {
            assert!(unseal(body, &key).is_err());
        }
    }

    /// A notice as the platform seals it.
    fn sealed(event_type: &str, plain: &str) -> Vec<u8> {
        use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        use base64::Engine;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, KEY.as_bytes()).expect("a key"));
        let mut text = plain.as_bytes().to_vec();
        let nonce = Nonce::try_assume_unique_for_key(b"uluk4a9R25RW").expect("a nonce");
        key.seal_in_place_append_tag(nonce, Aad::from("x"), &mut text).expect("sealed");
        let ciphertext = base64::engine::general_purpose::STANDARD.encode(text);
        let resource =
            serde_json::json!({"algorithm": "AEAD_AES_256_GCM", "nonce": "uluk4a9R25RW", "associated_data": "x", "ciphertext": ciphertext});
        serde_json::json!({"id": "n1", "event_type": event_type, "resource": resource}).to_string().into_bytes()
    }

    #[test]
    fn each_kind_of_notice_is_what_it_reports() {
        let key = Apiv3Key::new(Algorithm::Rsa, KEY).expect("a key");
        let combined = r#"{"combine_appid":"wx1","combine_mchid":"19","combine_out_trade_no":"c1","sub_orders":[{"mchid":"19","out_trade_no":"a","trade_state":"SUCCESS","transaction_id":"42","amount":{"total_amount":10,"payer_amount":10,"currency":"CNY"}}],"combine_payer_info":{"openid":"o"}}"#;
        let notice = unseal(&sealed("TRANSACTION.SUCCESS", combined), &key).expect("unseals");
        let Resource::Combined(whole) = notice.resource() else { panic!("{notice:?}") };
        assert_eq!((whole.sub_orders[0].amount.total_fen, &whole.sub_orders[0].trade_state), (10, &TradeState::Success));
        assert!(notice.transaction().is_none() && notice.refund().is_none(), "an ordinary order it is not");
        let transfer =
            r#"{"out_bill_no":"t1","transfer_bill_no":"13","state":"FAIL","mch_id":"19","transfer_amount":30,"fail_reason":"OVERDUE_CLOSE"}"#;
        let notice = unseal(&sealed("MCHTRANSFER.BILL.FINISHED", transfer), &key).expect("unseals");
        assert!(matches!(notice.resource(), Resource::Transfer(report) if report.amount_fen == Some(30)), "{notice:?}");
        assert_eq!(unseal(&sealed("COMPLAINT.CREATE", "not even JSON"), &key).expect("unseals").resource(), &Resource::Other);
        for (event_type, plain) in [
            ("TRANSACTION.SUCCESS", "{}"),
            ("REFUND.SUCCESS", "{}"),
            ("MCHTRANSFER.BILL.FINISHED", "[]"),
            ("TRANSACTION.SUCCESS", r#"{"combine_out_trade_no":"c1"}"#),
        ] {
            assert!(unseal(&sealed(event_type, plain), &key).is_err(), "{event_type} {plain}");
        }
    }
}
