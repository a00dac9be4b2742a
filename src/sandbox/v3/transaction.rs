//! An order and a refund in WeChat Pay's words, as answers and notices say them: what has no value is absent.

use serde_json::{Value, json};

use super::super::accounts::rfc3339;
use super::super::book::order::{Order, TradeState};
use super::super::book::refunds::{Refund, Status};

/// The openid of whoever holds the phone, where the order names none.
pub(crate) const PHONE_OPENID: &str = "oSandboxPayer000000000000001";

/// The order as a query answers and a notice reports it.
pub(crate) fn transaction(order: &Order) -> Value {
    let mut json = json!({
        "out_trade_no": order.out_trade_no(), "promotion_detail": [], "scene_info": {"device_id": device_id(order)},
        "trade_state": order.state.word(), "trade_state_desc": described(order.state),
    });
    let names: &[&str] = if order.sub_mchid().is_empty() { &["appid", "mchid"] } else { &["sp_appid", "sp_mchid", "sub_appid", "sub_mchid"] };
    for name in names {
        if let Some(value) = order.parameters[*name].as_str() {
            json[*name] = value.into();
        }
    }
    let total = order.total();
    json["amount"] = match order.paid_at {
        None => json!({"payer_currency": "CNY", "total": total}),
        Some(_) => json!({"currency": "CNY", "payer_currency": "CNY", "payer_total": total, "total": total}),
    };
    if let (Some(transaction_id), Some(at)) = (&order.transaction_id, order.paid_at) {
        json["transaction_id"] = transaction_id.as_str().into();
        json["trade_type"] = order.product.trade_type().into();
        json["bank_type"] = "OTHERS".into();
        json["success_time"] = rfc3339(at.seconds()).into();
        json["payer"] = payer(order);
        if let Some(attach) = order.parameters["attach"].as_str() {
            json["attach"] = attach.into();
        }
    }
    json
}

fn device_id(order: &Order) -> &str {
    order.parameters["scene_info"]["device_id"].as_str().unwrap_or_default()
}

fn described(state: TradeState) -> &'static str {
    match state {
        TradeState::NotPay => "订单未支付",
        TradeState::Success => "支付成功",
        TradeState::Refund => "订单发生过退款，退款详情请查询退款单",
        TradeState::Closed => "订单已关闭",
        TradeState::Revoked => "订单已撤销",
        TradeState::UserPaying => "用户支付中，请稍候",
        TradeState::PayError => "支付失败，请重新下单支付",
    }
}

/// Who paid: the openids the order named, or the phone's.
fn payer(order: &Order) -> Value {
    let named = &order.parameters["payer"];
    let openid = |name: &str| named[name].as_str();
    if order.sub_mchid().is_empty() {
        return json!({"openid": openid("openid").unwrap_or(PHONE_OPENID)});
    }
    match (openid("sp_openid"), openid("sub_openid")) {
        (Some(sp), Some(sub)) => json!({"sp_openid": sp, "sub_openid": sub}),
        (None, Some(sub)) => json!({"sub_openid": sub}),
        (sp, None) => json!({"sp_openid": sp.unwrap_or(PHONE_OPENID)}),
    }
}

/// The refund as its answers say it.
pub(crate) fn refund(order: &Order, refund: &Refund) -> Value {
    let (total, amount) = (order.total(), refund.amount());
    let from = refund.parameters["amount"]["from"].as_array().cloned().unwrap_or_default();
    let mut json = json!({
        "refund_id": refund.refund_id, "out_refund_no": refund.key.number, "transaction_id": order.transaction_id,
        "out_trade_no": order.out_trade_no(), "channel": "ORIGINAL", "user_received_account": refund.received_account,
        "create_time": rfc3339(refund.accepted_at.seconds()), "status": refund.status.word(), "funds_account": "AVAILABLE",
        "amount": {
            "total": total, "refund": amount, "from": from, "payer_total": total, "payer_refund": amount, "settlement_refund": amount,
            "settlement_total": total, "discount_refund": 0, "currency": "CNY", "refund_fee": 0,
        },
        "promotion_detail": [],
    });
    if let Some(account) = refund.parameters["funds_account"].as_str() {
        json["funds_account"] = account.into();
    }
    if refund.status == Status::Success {
        json["success_time"] = refund.ended_at.map(|at| rfc3339(at.seconds())).into();
    }
    json
}

/// The end of a refund as its notice reports it: `refund_status`, and amounts without a currency.
pub(crate) fn refund_notice(order: &Order, refund: &Refund) -> Value {
    let (total, amount) = (order.total(), refund.amount());
    let mut json = json!({
        "transaction_id": order.transaction_id, "out_trade_no": order.out_trade_no(), "refund_id": refund.refund_id,
        "out_refund_no": refund.key.number, "refund_status": refund.status.word(), "user_received_account": refund.received_account,
        "amount": {"total": total, "refund": amount, "payer_total": total, "payer_refund": amount},
    });
    if order.sub_mchid().is_empty() {
        json["mchid"] = order.key.mchid.as_str().into();
    } else {
        (json["sp_mchid"], json["sub_mchid"]) = (order.key.mchid.as_str().into(), order.sub_mchid().into());
    }
    if refund.status == Status::Success {
        json["success_time"] = refund.ended_at.map(|at| rfc3339(at.seconds())).into();
    }
    json
}
