//! How an order is read out of a verified query answer or an unsealed notice, an ordinary merchant's or a partner's.

use serde::Deserialize;

use super::super::{TradeState, Transaction};

#[derive(Deserialize)]
struct TransactionFields {
    #[serde(alias = "sp_mchid")]
    mchid: String,
    #[serde(alias = "sp_appid")]
    appid: String,
    #[serde(default)]
    sub_mchid: Option<String>,
    out_trade_no: String,
    trade_state: String,
    #[serde(default)]
    transaction_id: Option<String>,
    #[serde(default)]
    success_time: Option<String>,
    #[serde(default)]
    trade_type: Option<String>,
    #[serde(default)]
    amount: Option<TransactionAmount>,
}

#[derive(Deserialize)]
struct TransactionAmount {
    #[serde(default)]
    total: Option<i64>,
    #[serde(default)]
    currency: Option<String>,
}

/// Reads an order out of a verified answer or an unsealed notice.
pub(in crate::connectors) fn transaction(json: &[u8]) -> Result<Transaction, String> {
    let fields: TransactionFields = serde_json::from_slice(json).map_err(|e| format!("no order: {e}"))?;
    let amount = fields.amount.unwrap_or(TransactionAmount { total: None, currency: None });
    Ok(Transaction {
        mchid: fields.mchid,
        appid: fields.appid,
        sub_mchid: fields.sub_mchid,
        out_trade_no: fields.out_trade_no,
        trade_state: trade_state(fields.trade_state),
        transaction_id: fields.transaction_id.filter(|id| !id.is_empty()),
        success_time: fields.success_time.filter(|time| !time.is_empty()),
        trade_type: fields.trade_type.filter(|word| !word.is_empty()),
        amount_total: amount.total,
        currency: amount.currency,
        evidence: json.to_vec(),
    })
}

/// Reads a `trade_state` field.
pub(super) fn read_trade_state<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<TradeState, D::Error> {
    String::deserialize(deserializer).map(trade_state)
}

fn trade_state(word: String) -> TradeState {
    match word.as_str() {
        "SUCCESS" => TradeState::Success,
        "REFUND" => TradeState::Refund,
        "NOTPAY" => TradeState::NotPay,
        "CLOSED" => TradeState::Closed,
        "REVOKED" => TradeState::Revoked,
        "USERPAYING" => TradeState::UserPaying,
        "PAYERROR" => TradeState::PayError,
        _ => TradeState::Other(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unpaid_order_has_neither_currency_nor_number() {
        let json = r#"{"amount":{"payer_currency":"CNY","total":1},"appid":"wx1","mchid":"19","out_trade_no":"x","promotion_detail":[],"trade_state":"NOTPAY"}"#;
        let order = transaction(json.as_bytes()).expect("reads");
        assert_eq!((order.trade_state, order.amount_total, order.currency), (TradeState::NotPay, Some(1), None));
        for bad in ["{}", "[]", "", r#"{"mchid":"1","appid":"2","out_trade_no":"3","trade_state":"SUCCESS","amount":{"total":1.5}}"#] {
            assert!(transaction(bad.as_bytes()).is_err(), "{bad}");
        }
    }
    #[test]
    fn a_partners_order_names_both_merchants() {
        let json = r#"{"sp_mchid":"1900000001","sp_appid":"wx1","sub_mchid":"1900000109","out_trade_no":"x","trade_state":"SUCCESS","trade_type":"JSAPI","transaction_id":"42","payer":{"sp_openid":"o1","sub_openid":"o2"},"amount":{"total":1,"currency":"CNY"}}"#;
        let order = transaction(json.as_bytes()).expect("reads");
        assert_eq!((order.mchid.as_str(), order.sub_mchid.as_deref()), ("1900000001", Some("1900000109")));
        assert_eq!((order.appid.as_str(), order.trade_type.as_deref()), ("wx1", Some("JSAPI")));
    }
}
