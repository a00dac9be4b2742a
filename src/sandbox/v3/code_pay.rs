//! Code pay: the cashier scans the payer's code. Money moves at once, or after the payer's password; nothing is called back; what is not wanted
//! any more is reversed.

use http::StatusCode;

use super::super::book::order::{Key, Product};
use super::super::book::orders::{Standing, Wanted};
use super::super::wallet::CodeError;
use super::error::{ApiError, Reply};
use super::orders::{fields, is_bound, refused};
use super::party::{Parties, Side};
use super::schema::{Field, Kind, check, may, must};
use super::transaction::transaction;
use super::{Answer, Call};

/// `POST /v3/pay/transactions/codepay`
pub(super) fn create(call: &Call<'_>) -> Answer {
    pay(call, Side::Ordinary, fields::CODE_PAY)
}

/// `POST /v3/pay/partner/transactions/codepay`
pub(super) fn partner_create(call: &Call<'_>) -> Answer {
    pay(call, Side::Partner, fields::PARTNER_CODE_PAY)
}

fn pay(call: &Call<'_>, side: Side, fields: &[Field]) -> Answer {
    let json = call.json()?;
    check(fields, &json)?;
    let code = json["payer"]["auth_code"].as_str().unwrap_or_default();
    if code.len() != 18 || !code.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(code.get(..2), Some("10" | "11" | "12" | "13" | "14" | "15"))
    {
        return Err(ApiError::parameter("/payer/auth_code", code.into(), "付款码须为10至15开头的18位数字"));
    }
    Parties::of_body(side, &json).check(call)?;
    is_bound(call, side, &json)?;
    let (orders, now) = (&call.inner.orders, call.inner.time.now());
    let key = Key::new(&call.merchant.mchid, json["out_trade_no"].as_str().unwrap_or_default());
    let wanted = Wanted { key, product: Product::CodePay, parameters: &json, openid: None, expires_at: None, key_mode: call.mode };
    if let Standing::Open(order) = orders.standing(&wanted, now).map_err(refused)? {
        return Ok(Reply::ok(&transaction(&order)));
    }
    let asks_password = call.inner.wallet.take(code, now).map_err(code_refused)?;
    let order = orders.create(&wanted, now).map_err(refused)?;
    if asks_password {
        return Ok(Reply::ok(&transaction(&order)));
    }
    let (order, _) = orders.pay(order.handle(), now).map_err(refused)?;
    Ok(Reply::ok(&transaction(&order)))
}

fn code_refused(error: CodeError) -> ApiError {
    match error {
        CodeError::Invalid => ApiError::new(StatusCode::BAD_REQUEST, "AUTH_CODE_INVALID", "付款码无效，请刷新后再试"),
        CodeError::Expired => ApiError::new(StatusCode::BAD_REQUEST, "AUTHCODEEXPIRE", "付款码已过期，请刷新后再试"),
    }
}

/// `POST /v3/pay/transactions/out-trade-no/{out_trade_no}/reverse`
pub(super) fn reverse(call: &Call<'_>) -> Answer {
    reversed(call, Side::Ordinary, &[must("appid", Kind::Text(32)), must("mchid", Kind::Text(32))])
}

/// `POST /v3/pay/partner/transactions/out-trade-no/{out_trade_no}/reverse`
pub(super) fn partner_reverse(call: &Call<'_>) -> Answer {
    let fields =
        [must("sp_appid", Kind::Text(32)), must("sp_mchid", Kind::Text(32)), may("sub_appid", Kind::Text(32)), must("sub_mchid", Kind::Text(32))];
    reversed(call, Side::Partner, &fields)
}

fn reversed(call: &Call<'_>, side: Side, fields: &[Field]) -> Answer {
    let mut json = call.json()?;
    check(fields, &json)?;
    let sub_mchid = Parties::of_body(side, &json).check(call)?.to_owned();
    is_bound(call, side, &json)?;
    let order = call.inner.orders.reverse(&Key::new(&call.merchant.mchid, &call.number(0)), &sub_mchid).map_err(refused)?;
    json["out_trade_no"] = order.out_trade_no().into();
    Ok(Reply::ok(&json))
}
