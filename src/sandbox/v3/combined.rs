//! Combined orders: made, asked about, closed. Two to ten parts for ordinary merchants, up to fifty for partners.

use serde_json::{Value, json};

use super::super::accounts::rfc3339;
use super::super::book::combined::{Combined, WantedTogether};
use super::super::book::order::{Key, Order, Product};
use super::super::book::orders::OrderError;
use super::error::{ApiError, Reply};
use super::orders::{expires_at, fields, h5_url, refused};
use super::schema::{FEN, Field, Kind, OUT_TRADE_NO, check, may, must};
use super::{Answer, Call};

/// Most parts of a combined order: of a partner's, and of an ordinary merchant's.
const PARTS_MAX: usize = 50;
const ORDINARY_PARTS_MAX: usize = 10;

const PART: Kind = Kind::Object(&[
    must("mchid", Kind::Text(32)),
    must("attach", Kind::Free(128)),
    must("amount", Kind::Object(&[must("total_amount", FEN), must("currency", Kind::OneOf(&["CNY"]))])),
    must("out_trade_no", OUT_TRADE_NO),
    must("description", Kind::Text(127)),
    may("sub_mchid", Kind::Text(32)),
    may("sub_appid", Kind::Text(32)),
    may("goods_tag", Kind::Text(32)),
    may("settle_info", Kind::Object(&[may("profit_sharing", Kind::Bool), may("subsidy_amount", Kind::Int(0, i64::MAX))])),
]);

/// A `combine_out_trade_no`.
const NUMBER: Kind = Kind::Number(1, 32, b"_-|*@");

macro_rules! combine_fields {
    ($payer:expr, $scene:expr) => {
        &[
            must("combine_appid", Kind::Text(32)),
            must("combine_mchid", Kind::Text(32)),
            must("combine_out_trade_no", NUMBER),
            must("sub_orders", Kind::List(PARTS_MAX, &PART)),
            $payer,
            $scene,
            may("time_start", Kind::Time),
            may("time_expire", Kind::Time),
            must("notify_url", Kind::NotifyUrl),
            may("limit_pay", fields::LIMIT_PAY),
        ]
    };
}

const OPENID: Kind = Kind::Object(&[may("openid", Kind::Text(128)), may("sub_openid", Kind::Text(128))]);
const PLAIN: &[Field] = combine_fields!(may("combine_payer_info", OPENID), may("scene_info", fields::SCENE));
const JSAPI: &[Field] = combine_fields!(must("combine_payer_info", OPENID), may("scene_info", fields::SCENE));
const H5: &[Field] = combine_fields!(may("combine_payer_info", OPENID), must("scene_info", fields::H5_SCENE));

/// `POST /v3/combine-transactions/native`
pub(super) fn native(call: &Call<'_>) -> Answer {
    create(call, Product::Native, PLAIN)
}

/// `POST /v3/combine-transactions/jsapi`, and `/miniprogram`
pub(super) fn jsapi(call: &Call<'_>) -> Answer {
    create(call, Product::Jsapi, JSAPI)
}

/// `POST /v3/combine-transactions/app`
pub(super) fn app(call: &Call<'_>) -> Answer {
    create(call, Product::App, PLAIN)
}

/// `POST /v3/combine-transactions/h5`
pub(super) fn h5(call: &Call<'_>) -> Answer {
    create(call, Product::H5, H5)
}

fn create(call: &Call<'_>, product: Product, fields: &[Field]) -> Answer {
    let json = call.json()?;
    check(fields, &json)?;
    let payer = &json["combine_payer_info"];
    if product == Product::Jsapi && !payer["openid"].is_string() && !payer["sub_openid"].is_string() {
        return Err(ApiError::parameter("/combine_payer_info/openid", Value::Null, "JSAPI支付必须传openid").internal("268501013"));
    }
    if json["combine_mchid"] != call.merchant.mchid.as_str() {
        let message = "Http头Authorization中的mchid与post payload中的combine_mchid不一致";
        return Err(ApiError::parameter("/combine_mchid", json["combine_mchid"].clone(), message));
    }
    is_bound(call, &json)?;
    let now = call.inner.time.now();
    let wanted = WantedTogether {
        key: Key::new(&call.merchant.mchid, json["combine_out_trade_no"].as_str().unwrap_or_default()),
        product,
        parts: parts(call, &json)?,
        expires_at: expires_at(product, &json, now)?,
        parameters: &json,
        key_mode: call.mode,
    };
    let combined = call.inner.orders.combine(&wanted, now).map_err(refused)?;
    Ok(Reply::ok(&match product {
        Product::Native => json!({"code_url": combined.code_url}),
        Product::H5 => json!({"h5_url": h5_url(call, &combined.prepay_id)}),
        _ => json!({"prepay_id": combined.prepay_id}),
    }))
}

fn is_bound(call: &Call<'_>, json: &Value) -> Result<(), ApiError> {
    if call.merchant.appids.iter().any(|bound| json["combine_appid"] == bound.as_str()) {
        return Ok(());
    }
    Err(ApiError::new(http::StatusCode::BAD_REQUEST, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配").internal("268445527"))
}

/// The parts as orders of their own. Every ordinary merchant of the sandbox may have one: all are bound to every `combine_appid`.
fn parts(call: &Call<'_>, json: &Value) -> Result<Vec<(Key, Value)>, ApiError> {
    let list = json["sub_orders"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_partner = !call.merchant.sub_mchids.is_empty();
    let fits = if is_partner { list.len() <= PARTS_MAX } else { (2..=ORDINARY_PARTS_MAX).contains(&list.len()) };
    if !fits {
        return Err(ApiError::parameter("/sub_orders", Value::Null, "子单条数不符合要求"));
    }
    let mut found: Vec<(Key, Value)> = Vec::new();
    for (n, part) in list.iter().enumerate() {
        let text = |name: &str| part[name].as_str().unwrap_or_default();
        let (mchid, sub_mchid) = (text("mchid"), text("sub_mchid"));
        let is_known = if is_partner {
            mchid == call.merchant.mchid && call.merchant.sub_mchids.iter().any(|known| known == sub_mchid)
        } else {
            sub_mchid.is_empty() && call.inner.accounts.by_mchid(mchid).is_some_and(|merchant| merchant.sub_mchids.is_empty())
        };
        if !is_known {
            return Err(ApiError::parameter(format!("/sub_orders/{n}/mchid"), mchid.into(), "子单商户号与合单发起方没有绑定关系"));
        }
        let key = Key::new(mchid, text("out_trade_no"));
        if found.iter().any(|(other, _)| *other == key) {
            return Err(ApiError::parameter(format!("/sub_orders/{n}/out_trade_no"), part["out_trade_no"].clone(), "子单商户订单号重复"));
        }
        found.push((key, part_parameters(json, part)));
    }
    Ok(found)
}

/// What the part would have said as an order of its own.
fn part_parameters(json: &Value, part: &Value) -> Value {
    let is_partner = part["sub_mchid"].is_string();
    let (appid, mchid) = if is_partner { ("sp_appid", "sp_mchid") } else { ("appid", "mchid") };
    let mut own = json!({
        appid: json["combine_appid"], mchid: part["mchid"], "out_trade_no": part["out_trade_no"], "description": part["description"],
        "attach": part["attach"], "notify_url": json["notify_url"],
        "amount": {"total": part["amount"]["total_amount"], "currency": part["amount"]["currency"]},
    });
    for name in ["sub_mchid", "sub_appid", "settle_info", "goods_tag"] {
        if let Some(value) = part.get(name) {
            own[name] = value.clone();
        }
    }
    if let Some(openid) = json["combine_payer_info"]["openid"].as_str() {
        own["payer"] = if is_partner { json!({"sp_openid": openid}) } else { json!({"openid": openid}) };
    }
    own
}

/// `GET /v3/combine-transactions/out-trade-no/{combine_out_trade_no}`
pub(super) fn query(call: &Call<'_>) -> Answer {
    let found = call.inner.orders.together_by_number(&Key::new(&call.merchant.mchid, &call.number(0)));
    let (combined, parts) = found.ok_or_else(|| refused(OrderError::Unknown))?;
    Ok(Reply::ok(&together(&combined, &parts)))
}

const CLOSE: &[Field] = &[
    must("combine_appid", Kind::Text(32)),
    must(
        "sub_orders",
        Kind::List(
            PARTS_MAX,
            &Kind::Object(&[
                must("mchid", Kind::Text(32)),
                must("out_trade_no", OUT_TRADE_NO),
                may("sub_mchid", Kind::Text(32)),
                may("sub_appid", Kind::Text(32)),
            ]),
        ),
    ),
];

/// `POST /v3/combine-transactions/out-trade-no/{combine_out_trade_no}/close`
pub(super) fn close(call: &Call<'_>) -> Answer {
    let json = call.json()?;
    check(CLOSE, &json)?;
    is_bound(call, &json)?;
    let text = |part: &Value, name: &str| part[name].as_str().unwrap_or_default().to_owned();
    let named = json["sub_orders"].as_array().into_iter().flatten();
    let parts: Vec<Key> = named.map(|part| Key { mchid: text(part, "mchid"), number: text(part, "out_trade_no") }).collect();
    call.inner.orders.close_together(&Key::new(&call.merchant.mchid, &call.number(0)), &parts).map_err(refused)?;
    Ok(Reply::empty())
}

/// The whole as a query answers and a notice reports it.
pub(crate) fn together(combined: &Combined, parts: &[Order]) -> Value {
    let parameters = &combined.parameters;
    let mut json = json!({
        "combine_appid": parameters["combine_appid"], "combine_mchid": combined.key.mchid, "combine_out_trade_no": combined.key.number,
        "sub_orders": parts.iter().map(part).collect::<Vec<_>>(),
    });
    if let Some(device_id) = parameters["scene_info"]["device_id"].as_str() {
        json["scene_info"] = json!({"device_id": device_id});
    }
    if combined.paid_at.is_some() {
        let payer = Some(&parameters["combine_payer_info"]).filter(|payer| payer.is_object());
        json["combine_payer_info"] = payer.cloned().unwrap_or_else(|| json!({"openid": super::transaction::PHONE_OPENID}));
        json["combine_transaction_id"] = combined.transaction_id.as_deref().into();
    }
    json
}

fn part(order: &Order) -> Value {
    let mut json = json!({
        "mchid": order.key.mchid, "out_trade_no": order.out_trade_no(), "trade_state": order.state.word(), "attach": order.text("attach"),
        "amount": {"total_amount": order.total(), "currency": "CNY"},
    });
    for name in ["sub_mchid", "sub_appid"] {
        if let Some(value) = order.parameters[name].as_str() {
            json[name] = value.into();
        }
    }
    if let (Some(transaction_id), Some(at)) = (&order.transaction_id, order.paid_at) {
        json["transaction_id"] = transaction_id.as_str().into();
        json["trade_type"] = order.product.trade_type().into();
        json["bank_type"] = "OTHERS".into();
        json["success_time"] = rfc3339(at.seconds()).into();
        json["amount"] = json!({"total_amount": order.total(), "currency": "CNY", "payer_amount": order.total(), "payer_currency": "CNY"});
    }
    json
}
