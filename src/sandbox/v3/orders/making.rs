//! Making orders: the parameters of each product checked one by one, the order made or found again.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::super::book::order::{Key, Order, Product};
use super::super::super::book::orders::Wanted;
use super::super::error::{ApiError, Reply};
use super::super::party::{Parties, Side};
use super::super::schema::{Field, check, time_seconds};
use super::super::{Answer, Call};
use super::{fields, refused};
use crate::clock::UnixMs;

/// Days an order may stay open: seven for native, fifteen for the others.
const NATIVE_DAYS_MAX: i64 = 7;
const OTHERS_DAYS_MAX: i64 = 15;

/// The shortest life of an order; an earlier end is moved to it.
const LIFE_MS_MIN: i64 = 60_000;

/// `POST /v3/pay/transactions/native`
pub(in super::super) fn native(call: &Call<'_>) -> Answer {
    create(call, Side::Ordinary, Product::Native, fields::PLAIN)
}

/// `POST /v3/pay/partner/transactions/native`
pub(in super::super) fn partner_native(call: &Call<'_>) -> Answer {
    create(call, Side::Partner, Product::Native, fields::PARTNER_PLAIN)
}

/// `POST /v3/pay/transactions/jsapi`, mini programs too
pub(in super::super) fn jsapi(call: &Call<'_>) -> Answer {
    create(call, Side::Ordinary, Product::Jsapi, fields::JSAPI)
}

/// `POST /v3/pay/partner/transactions/jsapi`
pub(in super::super) fn partner_jsapi(call: &Call<'_>) -> Answer {
    create(call, Side::Partner, Product::Jsapi, fields::PARTNER_JSAPI)
}

/// `POST /v3/pay/transactions/app`
pub(in super::super) fn app(call: &Call<'_>) -> Answer {
    create(call, Side::Ordinary, Product::App, fields::PLAIN)
}

/// `POST /v3/pay/partner/transactions/app`
pub(in super::super) fn partner_app(call: &Call<'_>) -> Answer {
    create(call, Side::Partner, Product::App, fields::PARTNER_PLAIN)
}

/// `POST /v3/pay/transactions/h5`
pub(in super::super) fn h5(call: &Call<'_>) -> Answer {
    create(call, Side::Ordinary, Product::H5, fields::H5_PAY)
}

/// `POST /v3/pay/partner/transactions/h5`
pub(in super::super) fn partner_h5(call: &Call<'_>) -> Answer {
    create(call, Side::Partner, Product::H5, fields::PARTNER_H5_PAY)
}

fn create(call: &Call<'_>, side: Side, product: Product, fields: &[Field]) -> Answer {
    let json = call.json()?;
    check(fields, &json)?;
    if json.get("detail").is_some_and(|detail| detail.to_string().len() > fields::DETAIL_BYTES_MAX) {
        return Err(ApiError::parameter("/detail", Value::Null, "商品详情超出长度限制"));
    }
    let wanted = Wanted {
        key: Key::new(&call.merchant.mchid, json["out_trade_no"].as_str().unwrap_or_default()),
        product,
        openid: openid(side, product, &json)?,
        expires_at: expires_at(product, &json, call.inner.time.now())?,
        parameters: &json,
        key_mode: call.mode,
    };
    Parties::of_body(side, &json).check(call)?;
    is_bound(call, side, &json)?;
    let order = call.inner.orders.create(&wanted, call.inner.time.now()).map_err(refused)?;
    Ok(Reply::ok(&handed(call, &order)))
}

/// Whether the application is one of the merchant's. A sub-merchant brings its own, which the sandbox does not know beforehand.
pub(in super::super) fn is_bound(call: &Call<'_>, side: Side, json: &Value) -> Result<(), ApiError> {
    let appid = json[if side == Side::Ordinary { "appid" } else { "sp_appid" }].as_str().unwrap_or_default();
    if call.merchant.appids.iter().any(|bound| bound == appid) {
        return Ok(());
    }
    Err(ApiError::new(StatusCode::BAD_REQUEST, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配").internal("268445527"))
}

/// The payer's openid and the application it belongs to; only JSAPI orders name one.
fn openid(side: Side, product: Product, json: &Value) -> Result<Option<(String, String)>, ApiError> {
    if product != Product::Jsapi {
        return Ok(None);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (payer, appid) = (&json["payer"], if side == Side::Ordinary { "appid" } else { "sp_appid" });
    let (openid, owner) = match side {
        Side::Ordinary => (text(&payer["openid"]), text(&json[appid])),
        Side::Partner if payer["sub_openid"].is_string() => (text(&payer["sub_openid"]), text(&json["sub_appid"])),
        Side::Partner => (text(&payer["sp_openid"]), text(&json[appid])),
    };
    if openid.is_empty() {
        return Err(ApiError::parameter("/payer/sp_openid", Value::Null, "JSAPI支付必须传openid").internal("268501013"));
    }
    if owner.is_empty() {
        return Err(ApiError::parameter("/sub_appid", Value::Null, "传入sub_openid时必须传入sub_appid"));
    }
    Ok(Some((openid, owner)))
}

/// When the order ends, if it says so: not within a minute, and not after the product's longest life.
pub(in super::super) fn expires_at(product: Product, json: &Value, now: UnixMs) -> Result<Option<UnixMs>, ApiError> {
    let Some(seconds) = json["time_expire"].as_str().and_then(time_seconds) else { return Ok(None) };
    let asked = UnixMs(seconds.saturating_mul(1_000));
    let days = if product == Product::Native { NATIVE_DAYS_MAX } else { OTHERS_DAYS_MAX };
    if asked > now.plus_ms(days * 86_400_000) {
        return Err(ApiError::parameter("/time_expire", json["time_expire"].clone(), "订单失效时间超出允许的范围"));
    }
    Ok(Some(asked.max(now.plus_ms(LIFE_MS_MIN))))
}

/// What the payer's side is handed.
fn handed(call: &Call<'_>, order: &Order) -> Value {
    match order.product {
        Product::Native => json!({"code_url": order.code_url}),
        Product::H5 => json!({"h5_url": h5_url(call, &order.prepay_id)}),
        _ => json!({"prepay_id": order.prepay_id}),
    }
}

/// The address an H5 page opens: at this sandbox, under the name it was called by.
pub(in super::super) fn h5_url(call: &Call<'_>, prepay_id: &str) -> String {
    let host = call.parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("wx.tenpay.com");
    let package: String = prepay_id.bytes().rev().take(10).map(|byte| char::from(b'0' + byte % 10)).collect();
    format!("http://{host}/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={prepay_id}&package={package}")
}
