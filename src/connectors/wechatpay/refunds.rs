//! Refunds: the body that is sent, what each answer means, and how a refund is read out of an answer or a notice.

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::super::advice::{Advice, Failed};
use super::super::{Refund, RefundDraft, RefundOutcome, RefundQueryOutcome, RefundStatus};
use super::call::{Call, Operation, segment, written};
use super::retry::Nature;
use super::{SubMerchant, WechatPay};
use crate::ids::OutRefundNo;

const REFUND: Operation = Operation::new("refund", Nature::Money);
const QUERY_REFUND: Operation = Operation::new("query_refund", Nature::Read);

pub(super) const REFUNDS: &str = "/v3/refund/domestic/refunds";

/// The rail's limit of `reason`; counted in bytes, which satisfies either reading of its page.
const REASON_BYTES_MAX: usize = 80;

#[derive(Serialize)]
struct RefundFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
    out_trade_no: &'a str,
    out_refund_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    notify_url: &'a str,
    amount: AmountFields,
}

#[derive(Serialize)]
struct AmountFields {
    refund: i64,
    total: i64,
    currency: &'static str,
}

/// The refund, as it will be sent every time.
fn body(sub: Option<&SubMerchant>, draft: &RefundDraft<'_>) -> Bytes {
    written(&RefundFields {
        sub_mchid: sub.map(|sub| sub.sub_mchid.as_str()),
        out_trade_no: draft.out_trade_no.as_str(),
        out_refund_no: draft.out_refund_no.as_str(),
        reason: draft.reason.map(shortened).filter(|reason| !reason.trim().is_empty()),
        notify_url: draft.notify_url,
        amount: AmountFields { refund: draft.refund.minor(), total: draft.total.minor(), currency: draft.refund.currency().code() },
    })
}

/// As much of a reason as the rail takes, cut between characters.
fn shortened(reason: &str) -> &str {
    let end = reason.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= REASON_BYTES_MAX).last().unwrap_or_default();
    &reason[..end]
}

impl WechatPay {
    /// The bytes of a refund.
    pub(in crate::connectors) fn refund_body(&self, draft: &RefundDraft<'_>) -> Vec<u8> {
        body(self.sub_merchant.as_ref(), draft).to_vec()
    }

    /// Sends a refund.
    pub(in crate::connectors) async fn refund(&self, refund_body: &[u8]) -> RefundOutcome {
        let call = Call::new(REFUND, Method::POST, REFUNDS.to_owned(), Bytes::copy_from_slice(refund_body), refund);
        self.call(&call).await.map_or_else(not_refunded, RefundOutcome::Accepted)
    }

    /// Asks about a refund by its number.
    pub(in crate::connectors) async fn query_refund(&self, out_refund_no: &OutRefundNo) -> RefundQueryOutcome {
        let whose = self.sub_merchant.as_ref().map(|sub| format!("?sub_mchid={}", sub.sub_mchid)).unwrap_or_default();
        let target = format!("{REFUNDS}/{}{whose}", segment(out_refund_no.as_str()));
        let call = Call::new(QUERY_REFUND, Method::GET, target, Bytes::new(), refund);
        match self.call(&call).await {
            Ok(refund) => RefundQueryOutcome::Found(refund),
            Err(failed) if failed.is_not_found() => RefundQueryOutcome::NotFound,
            Err(failed) if failed.is_denied() => RefundQueryOutcome::Denied { code: failed.code, message: failed.message },
            Err(failed) => RefundQueryOutcome::Unknown { why: failed.why() },
        }
    }
}

/// What a failure means for a refund. Where the rail's page names no certain meaning it is unknown, and a query will tell.
fn not_refunded(failed: Failed) -> RefundOutcome {
    if failed.internal == "268498688" {
        return RefundOutcome::Conflict { code: failed.code, message: failed.message };
    }
    match failed.advice {
        Advice::SendAgain => RefundOutcome::NotSent { why: failed.why() },
        Advice::Fund => RefundOutcome::NotEnough { code: failed.code, message: failed.message },
        Advice::Repeat | Advice::RepeatLater | Advice::BackOff | Advice::AskFirst | Advice::Poll => RefundOutcome::Unknown { why: failed.why() },
        Advice::CheckKeys | Advice::Never if failed.is_denied() => RefundOutcome::Denied { code: failed.code, message: failed.message },
        Advice::CheckKeys | Advice::Never => RefundOutcome::Refused { code: failed.code, message: failed.message },
    }
}

/// Answers say `status`, notices `refund_status`.
#[derive(Deserialize)]
struct RefundReport {
    #[serde(default)]
    mchid: Option<String>,
    out_trade_no: String,
    transaction_id: String,
    out_refund_no: String,
    refund_id: String,
    #[serde(alias = "refund_status")]
    status: String,
    #[serde(default)]
    success_time: Option<String>,
    #[serde(default)]
    user_received_account: Option<String>,
    amount: RefundAmount,
}

#[derive(Deserialize)]
struct RefundAmount {
    total: i64,
    refund: i64,
    #[serde(default)]
    currency: Option<String>,
}

/// Reads a refund out of a verified answer or an unsealed notice.
pub(super) fn refund(json: &[u8]) -> Result<Refund, String> {
    let fields: RefundReport = serde_json::from_slice(json).map_err(|e| format!("no refund: {e}"))?;
    Ok(Refund {
        mchid: fields.mchid,
        out_trade_no: fields.out_trade_no,
        transaction_id: fields.transaction_id,
        out_refund_no: fields.out_refund_no,
        refund_id: fields.refund_id,
        status: status(fields.status),
        success_time: fields.success_time.filter(|time| !time.is_empty()),
        user_received_account: fields.user_received_account.filter(|account| !account.is_empty()),
        amount_total_fen: fields.amount.total,
        amount_refund_fen: fields.amount.refund,
        currency: fields.amount.currency,
    })
}

fn status(word: String) -> RefundStatus {
    match word.as_str() {
        "PROCESSING" => RefundStatus::Processing,
        "SUCCESS" => RefundStatus::Success,
        "CLOSED" => RefundStatus::Closed,
        "ABNORMAL" => RefundStatus::Abnormal,
        _ => RefundStatus::Other(word),
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::super::fault;
    use super::*;
    use crate::ids::OutTradeNo;
    use crate::money::Money;

    fn refund_text(sub: Option<&SubMerchant>, reason: Option<&str>) -> String {
        let (order, number) = (OutTradeNo::new("fg0000000000000000000000000000ab"), OutRefundNo::new("fr0000000000000000000000000000cd"));
        let draft = RefundDraft {
            out_trade_no: &order,
            out_refund_no: &number,
            refund: Money::fen(100).expect("an amount"),
            total: Money::fen(12_900).expect("an amount"),
            reason,
            notify_url: "http://127.0.0.1:8080/callbacks/wechatpay/demo",
        };
        String::from_utf8(body(sub, &draft).to_vec()).expect("UTF-8")
    }

    #[test]
    fn the_refund_is_pinned_to_the_byte() {
        // A changed byte would make every refund of yesterday a different one today (invariant M3).
        let golden = r#"{"out_trade_no":"fg0000000000000000000000000000ab","out_refund_no":"fr0000000000000000000000000000cd","reason":"不合\"脚\"","notify_url":"http://127.0.0.1:8080/callbacks/wechatpay/demo","amount":{"refund":100,"total":12900,"currency":"CNY"}}"#;
        assert_eq!(refund_text(None, Some("不合\"脚\"")), golden);
        assert!(!refund_text(None, None).contains("reason") && !refund_text(None, Some("  ")).contains("reason"), "what is not needed is left out");
        let long: serde_json::Value = serde_json::from_str(&refund_text(None, Some(&"退".repeat(40)))).expect("JSON");
        assert_eq!(long["reason"].as_str().map(str::len), Some(78), "cut between characters");
        let sub = SubMerchant { sub_mchid: "1900000109".to_owned(), sub_appid: None };
        assert!(refund_text(Some(&sub), None).starts_with(r#"{"sub_mchid":"1900000109","out_trade_no":"#));
    }

    fn outcome(status: u16, code: &str, request_id: &str) -> RefundOutcome {
        let body = if code.is_empty() { Bytes::from_static(b"<html>") } else { Bytes::from(format!(r#"{{"code":"{code}","message":"m"}}"#)) };
        let response = Response::builder().status(status).header("Request-ID", request_id).body(body).expect("a response");
        not_refunded(fault::read(&response).failed(REFUND.nature))
    }

    #[test]
    fn only_a_certain_no_is_a_no() {
        for (status, code) in [
            (400, "PARAM_ERROR"),
            (400, "INVALID_REQUEST"),
            (403, "USER_ACCOUNT_ABNORMAL"),
            (404, "RESOURCE_NOT_EXISTS"),
            (400, "REFUND_FEE_MISMATCH"),
        ] {
            assert!(matches!(outcome(status, code, ""), RefundOutcome::Refused { .. }), "{status} {code}");
        }
        for (status, code) in [(401, "SIGN_ERROR"), (403, "NO_AUTH"), (403, "REQUEST_BLOCKED"), (404, "MCH_NOT_EXISTS")] {
            assert!(matches!(outcome(status, code, ""), RefundOutcome::Denied { .. }), "{status} {code}");
        }
        assert!(matches!(outcome(403, "NOT_ENOUGH", ""), RefundOutcome::NotEnough { .. }));
        assert!(matches!(outcome(400, "INVALID_REQUEST", "08F7-268498688"), RefundOutcome::Conflict { .. }));
        for (status, code) in
            [(429, "FREQUENCY_LIMITED"), (429, "RATELIMIT_EXCEEDED"), (500, "SYSTEM_ERROR"), (502, ""), (403, ""), (404, ""), (302, "")]
        {
            assert!(matches!(outcome(status, code, ""), RefundOutcome::Unknown { .. }), "{status} {code}");
        }
    }

    #[test]
    fn answers_and_notices_name_the_status_differently() {
        let answer = r#"{"refund_id":"50","out_refund_no":"r1","transaction_id":"42","out_trade_no":"o1","channel":"ORIGINAL","user_received_account":"","create_time":"2026-01-01T08:00:00+08:00","status":"PROCESSING","amount":{"total":100,"refund":60,"payer_total":100,"payer_refund":60,"currency":"CNY"}}"#;
        let read = refund(answer.as_bytes()).expect("reads");
        assert_eq!((read.status, read.amount_refund_fen, read.currency.as_deref(), read.mchid), (RefundStatus::Processing, 60, Some("CNY"), None));
        assert_eq!((read.success_time, read.user_received_account), (None, None));
        let notice = answer.replace(r#""status":"PROCESSING""#, r#""refund_status":"ABNORMAL""#);
        assert_eq!(refund(notice.as_bytes()).map(|refund| refund.status), Ok(RefundStatus::Abnormal));
        let without = answer.replace(r#""status":"PROCESSING","#, "");
        let both = answer.replace(r#""status":"PROCESSING""#, r#""status":"PROCESSING","refund_status":"SUCCESS""#);
        let fraction = answer.replace(r#""refund":60"#, r#""refund":60.5"#);
        for bad in ["{}", "[]", "", &without, &both, &fraction] {
            assert!(refund(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
