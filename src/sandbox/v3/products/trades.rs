//! What the products need of orders and refunds: a payment and what went back of it, and a charge that makes one.

use serde_json::json;

use super::super::super::Inner;
use super::super::super::bills::{Paid, Refunded};
use super::super::super::book::order::{Key, Order, Product};
use super::super::super::book::orders::{OrderError, Wanted};
use super::super::super::book::refunds::{Refund, Status};
use super::super::super::sign::KeyMode;
use super::super::Call;
use super::super::error::ApiError;
use super::super::transaction::transaction;
use super::fields::used;

/// The payer of every order whose merchant named none.
pub(super) const OPENID: &str = "oSandboxPayer000000000000001";

/// The payments of a merchant that went through, in order of time.
pub(super) fn paid(inner: &Inner, mchid: &str) -> Vec<Paid> {
    let orders = inner.orders.all();
    let mut paid: Vec<Paid> = orders.iter().filter(|order| order.key.mchid == mchid).filter_map(payment).collect();
    paid.sort_by_key(|one| one.at_seconds);
    paid
}

/// What went back of them, in order of time: refunds that were closed moved nothing.
pub(super) fn refunded(inner: &Inner, mchid: &str) -> Vec<Refunded> {
    let mut refunds: Vec<Refund> = inner.orders.all_refunds().into_iter().filter(|refund| refund.key.mchid == mchid && moves(refund)).collect();
    refunds.sort_by_key(|refund| refund.accepted_at);
    let mut before = std::collections::HashMap::<Key, i64>::new();
    let one = |refund: &Refund| {
        let of = payment(&inner.orders.by_number(&refund.order)?)?;
        let sum = before.entry(refund.order.clone()).or_default();
        let before_fen = std::mem::replace(sum, *sum + refund.amount());
        Some(Refunded {
            of,
            asked_at_seconds: refund.accepted_at.seconds(),
            succeeded_at_seconds: refund.ended_at.filter(|_| refund.status == Status::Success).map(|at| at.seconds()),
            refund_id: refund.refund_id.clone(),
            out_refund_no: refund.key.number.clone(),
            refund_fen: refund.amount(),
            before_fen,
        })
    };
    refunds.iter().filter_map(one).collect()
}

fn moves(refund: &Refund) -> bool {
    refund.status != Status::Closed
}

fn payment(order: &Order) -> Option<Paid> {
    let text = |name: &str| order.text(name).to_owned();
    let payer = &transaction(order)["payer"];
    let openid = [&payer["openid"], &payer["sp_openid"], &payer["sub_openid"]].into_iter().find_map(|openid| openid.as_str());
    Some(Paid {
        at_seconds: order.paid_at?.seconds(),
        appid: if order.text("appid").is_empty() { text("sp_appid") } else { text("appid") },
        mchid: order.key.mchid.clone(),
        sub_mchid: order.sub_mchid().to_owned(),
        device_id: order.parameters["scene_info"]["device_id"].as_str().unwrap_or_default().to_owned(),
        transaction_id: order.transaction_id.clone()?,
        out_trade_no: order.out_trade_no().to_owned(),
        openid: openid.unwrap_or(OPENID).to_owned(),
        trade_type: order.product.trade_type().to_owned(),
        bank_type: "OTHERS".to_owned(),
        total_fen: order.total(),
        description: text("description"),
        attach: text("attach"),
    })
}

/// A payment of the caller's by WeChat Pay's number, and what of it was refunded, in fen.
pub(super) fn of_transaction(call: &Call<'_>, transaction_id: &str) -> Option<(Order, i64)> {
    let order = call.inner.orders.by_transaction(transaction_id).filter(|order| order.key.mchid == call.merchant.mchid)?;
    let refunds = call.inner.orders.all_refunds();
    let refunded = refunds.iter().filter(|refund| refund.order == order.key && moves(refund)).map(Refund::amount).sum();
    Some((order, refunded))
}

/// What a charge without the payer's hand is for.
pub(super) struct Charge<'c> {
    pub(super) out_trade_no: &'c str,
    pub(super) appid: &'c str,
    pub(super) mchid: &'c str,
    pub(super) description: &'c str,
    pub(super) attach: &'c str,
    pub(super) total_fen: i64,
    /// Empty where its notice is not an order's.
    pub(super) notify_url: &'c str,
    pub(super) is_public_key: bool,
}

/// Charges: an order that is paid at once. The same again finds the same; true if it is new.
pub(super) fn charge(inner: &Inner, charge: &Charge<'_>) -> Result<(Order, bool), ApiError> {
    let mut parameters = json!({
        "appid": charge.appid, "mchid": charge.mchid, "out_trade_no": charge.out_trade_no, "description": charge.description,
        "notify_url": charge.notify_url, "amount": {"total": charge.total_fen, "currency": "CNY"},
    });
    if !charge.attach.is_empty() {
        parameters["attach"] = charge.attach.into();
    }
    let key = Key::new(charge.mchid, charge.out_trade_no);
    let paid_before = || inner.orders.by_number(&key).filter(|order| order.state.is_paid());
    let same = |known: Order| if known.parameters == parameters { Ok((known, false)) } else { Err(used()) };
    if let Some(known) = paid_before() {
        return same(known);
    }
    let key_mode = if charge.is_public_key { KeyMode::PublicKey } else { KeyMode::Certificates };
    let now = inner.time.now();
    let wanted = Wanted { key: key.clone(), product: Product::Papay, parameters: &parameters, openid: None, expires_at: None, key_mode };
    match inner.orders.create(&wanted, now) {
        Ok(order) => inner.orders.pay(order.handle(), now).map_err(|_| ApiError::system()),
        Err(OrderError::Paid) => paid_before().map_or_else(|| Err(ApiError::system()), same), // somebody else was quicker
        Err(OrderError::Unavailable) => Err(ApiError::system()),
        Err(_) => Err(used()),
    }
}
