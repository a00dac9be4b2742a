//! Profit sharing: who may receive, dividing, unfreezing, taking back.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::super::accounts::keys::digits;
use super::super::super::book::order::Order;
use super::super::super::book::products::Receiver;
use super::super::super::book::sharing::{Part, Return, Sharing, SharingError, SharingOrder};
use super::super::Call;
use super::super::error::{ApiError, Reply};
use super::super::schema::{FEN, Field, Kind, may, must};
use super::fields::{Fields, missing, used};
use super::{sealed, trades};

/// Signs of the numbers of this product.
const SIGNS: &[u8] = b"_-|*@";

const KIND: Kind = Kind::OneOf(&["MERCHANT_ID", "PERSONAL_OPENID", "PERSONAL_SUB_OPENID"]);

const RELATION: Kind = Kind::OneOf(&[
    "SERVICE_PROVIDER",
    "STORE",
    "STAFF",
    "STORE_OWNER",
    "PARTNER",
    "HEADQUARTER",
    "BRAND",
    "DISTRIBUTOR",
    "USER",
    "SUPPLIER",
    "CUSTOM",
]);

const RECEIVER: &[Field] = &[
    must("appid", Kind::Text(32)),
    may("sub_mchid", Kind::Text(32)),
    may("sub_appid", Kind::Text(32)),
    must("type", KIND),
    must("account", Kind::Text(64)),
    may("name", Kind::Text(1_024)),
    must("relation_type", RELATION),
    may("custom_relation", Kind::Text(10)),
];

const DELETED: &[Field] = &[
    must("appid", Kind::Text(32)),
    may("sub_mchid", Kind::Text(32)),
    may("sub_appid", Kind::Text(32)),
    must("type", KIND),
    must("account", Kind::Text(64)),
];

const PART: Kind = Kind::Object(&[
    must("type", KIND),
    must("account", Kind::Text(64)),
    may("name", Kind::Text(1_024)),
    must("amount", FEN),
    must("description", Kind::Text(80)),
]);

/// At most fifty receivers a request.
const ORDER: &[Field] = &[
    must("appid", Kind::Text(32)),
    may("sub_mchid", Kind::Text(32)),
    may("sub_appid", Kind::Text(32)),
    must("transaction_id", Kind::Text(32)),
    must("out_order_no", Kind::Number(1, 64, SIGNS)),
    must("receivers", Kind::List(50, &PART)),
    must("unfreeze_unsplit", Kind::Bool),
];

const UNFREEZE: &[Field] = &[
    may("sub_mchid", Kind::Text(32)),
    must("transaction_id", Kind::Text(32)),
    must("out_order_no", Kind::Number(1, 64, SIGNS)),
    must("description", Kind::Text(80)),
];

const RETURN: &[Field] = &[
    may("sub_mchid", Kind::Text(32)),
    may("order_id", Kind::Text(64)),
    may("out_order_no", Kind::Number(1, 64, SIGNS)),
    must("out_return_no", Kind::Number(1, 64, SIGNS)),
    must("return_mchid", Kind::Text(32)),
    must("amount", FEN),
    must("description", Kind::Text(80)),
];

/// What a merchant may share, in hundredths of a percent.
const RATIO_MAX: i64 = 3_000;

impl From<SharingError> for ApiError {
    fn from(error: SharingError) -> Self {
        match error {
            SharingError::TooEarly => Self::invalid("订单处理中，暂时无法分账，请稍后再试"),
            SharingError::TooLate => Self::invalid("订单已解冻或已超过可分账的期限"),
            SharingError::Limit => Self::new(StatusCode::FORBIDDEN, "RULE_LIMIT", "超出分账次数或分账比例的限制"),
            SharingError::NotEnough => Self::new(StatusCode::FORBIDDEN, "NOT_ENOUGH", "分账金额不足"),
            SharingError::Used => used(),
            SharingError::Unknown => missing("分账单不存在"),
            SharingError::Running => Self::invalid("分账处理中，请稍后再试"),
        }
    }
}

fn receiver_key(call: &Call<'_>, json: &Value) -> String {
    let text = |name: &str| json[name].as_str().unwrap_or_default();
    format!("{}/{}/{}/{}", call.merchant.mchid, text("sub_mchid"), text("type"), text("account"))
}

/// `POST /v3/profitsharing/receivers/add`
pub(super) fn add_receiver(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::with_appid(call, RECEIVER)?;
    let (kind, account, relation) = (fields.text("type"), fields.text("account"), fields.text("relation_type"));
    let name = match fields.optional("name") {
        Some(field) => Some(sealed::open(call, "/name", field)?),
        None if kind == "MERCHANT_ID" => return Err(ApiError::parameter("/name", Value::Null, "分账接收方为商户号时，名称必填")),
        None => None,
    };
    let receiver = Receiver { account: account.to_owned(), relation_type: relation.to_owned(), deleted: false };
    call.inner.products.receivers.change::<_, ApiError>(&receiver_key(call, &fields.0), |_, _| Ok((Some(receiver), ())))?;
    let mut told = json!({"type": kind, "account": account, "relation_type": relation});
    if let Some(name) = name {
        told["name"] = sealed::seal(call, &name)?.into();
    }
    for name in ["custom_relation", "sub_mchid"] {
        if let Some(text) = fields.0[name].as_str() {
            told[name] = text.into();
        }
    }
    Ok(Reply::ok(&told))
}

/// `POST /v3/profitsharing/receivers/delete`
pub(super) fn delete_receiver(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::with_appid(call, DELETED)?;
    let (kind, account) = (fields.text("type"), fields.text("account"));
    call.inner.products.receivers.change(&receiver_key(call, &fields.0), |is, _| {
        let is = is.filter(|is| !is.deleted).ok_or_else(|| ApiError::invalid("分账接收方不存在"))?;
        Ok::<_, ApiError>((Some(Receiver { deleted: true, ..is.clone() }), ()))
    })?;
    let mut told = json!({"type": kind, "account": account});
    if let Some(sub_mchid) = fields.0["sub_mchid"].as_str() {
        told["sub_mchid"] = sub_mchid.into();
    }
    Ok(Reply::ok(&told))
}

/// A payment that was made to be divided (for this sub-merchant, if one is named), what is held of it, and what was refunded, in fen.
fn held(call: &Call<'_>, transaction_id: &str, sub_mchid: Option<&str>) -> Result<(Sharing, i64), ApiError> {
    let (order, refunded_fen) = trades::of_transaction(call, transaction_id).ok_or_else(|| missing("订单不存在"))?;
    if sub_mchid.is_some_and(|sub_mchid| sub_mchid != order.sub_mchid()) {
        return Err(ApiError::invalid("子商户号与订单不匹配").internal("268447845"));
    }
    if order.parameters["settle_info"]["profit_sharing"] != true {
        return Err(ApiError::invalid("非分账订单不支持分账"));
    }
    Ok((call.inner.products.sharing.get(&key(call, transaction_id)).unwrap_or_else(|| fresh(call, transaction_id, &order)), refunded_fen))
}

fn fresh(call: &Call<'_>, transaction_id: &str, order: &Order) -> Sharing {
    Sharing {
        mchid: call.merchant.mchid.clone(),
        transaction_id: transaction_id.to_owned(),
        total_fen: order.total(),
        paid_at_ms: order.paid_at.map_or(0, |at| at.0),
        orders: Vec::new(),
        returns: Vec::new(),
        unfrozen: false,
    }
}

fn key(call: &Call<'_>, transaction_id: &str) -> String {
    format!("{}/{transaction_id}", call.merchant.mchid)
}

/// `POST /v3/profitsharing/orders`
pub(super) fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::with_appid(call, ORDER)?;
    let mut parameters = fields.0.clone();
    let mut parts = Vec::new();
    let order_id = number()?;
    for (at, receiver) in fields.0["receivers"].as_array().into_iter().flatten().enumerate() {
        let (part, name) = part(call, &fields, receiver, &format!("{order_id}{:02}", at + 1))?;
        if let Some(name) = name {
            parameters["receivers"][at]["name"] = name.into();
        }
        parts.push(part);
    }
    let mut accounts: Vec<_> = parts.iter().map(|part| (&part.kind, &part.account)).collect();
    accounts.sort_unstable();
    if accounts.windows(2).any(|two| two.first() == two.last()) {
        return Err(ApiError::parameter("/receivers", Value::Null, "同一分账接收方在一次请求中只能出现一次"));
    }
    split(call, &fields, parameters, parts, order_id, fields.0["unfreeze_unsplit"] == true)
}

/// One receiver of a request, and its name if one was given. A stranger gets nothing, and is told so.
fn part(call: &Call<'_>, fields: &Fields, receiver: &Value, detail_id: &str) -> Result<(Part, Option<String>), ApiError> {
    let one = Fields(receiver.clone());
    let (kind, account, description) = (one.text("type").to_owned(), one.text("account").to_owned(), one.text("description").to_owned());
    let amount_fen = one.fen("/amount");
    let name = one.optional("name").map(|field| sealed::open(call, "/receivers/name", field)).transpose()?;
    let known = receiver_key(call, &json!({"sub_mchid": fields.0["sub_mchid"], "type": kind, "account": account}));
    let known = call.inner.products.receivers.get(&known).is_some_and(|known| !known.deleted);
    let fail_reason = (!known).then(|| "NO_RELATION".to_owned());
    Ok((Part { kind, account, amount_fen, description, detail_id: detail_id.to_owned(), fail_reason }, name))
}

fn number() -> Result<String, ApiError> {
    digits(24).map(|digits| format!("3008{digits}")).map_err(|_| ApiError::system())
}

/// Divides under the shelf's lock. The same number again finds the same; a number of another payment is used.
fn split(call: &Call<'_>, fields: &Fields, parameters: Value, parts: Vec<Part>, order_id: String, unfreeze: bool) -> Result<Reply, ApiError> {
    let transaction_id = fields.text("transaction_id").to_owned();
    let out_order_no = fields.text("out_order_no").to_owned();
    // Looked up before the shelf is locked; what others divide meanwhile is seen inside.
    let (untouched, refunded_fen) = held(call, &transaction_id, Some(fields.text("sub_mchid")))?;
    let now = call.inner.time.now();
    let told = call.inner.products.sharing.change(&key(call, &transaction_id), |is, all| {
        let elsewhere = all.values().filter(|one| one.mchid == call.merchant.mchid && one.transaction_id != transaction_id);
        if elsewhere.flat_map(|one| &one.orders).any(|order| order.out_order_no == out_order_no) {
            return Err(used());
        }
        let mut sharing = is.cloned().unwrap_or(untouched);
        if let Some(known) = sharing.order(&out_order_no) {
            let same = known.parameters == parameters || parameters["receivers"].is_null();
            return if same { Ok((None, known.told(&transaction_id, now))) } else { Err(used()) };
        }
        let order = SharingOrder { out_order_no, order_id, parameters, parts, at_ms: now.0 };
        let order = sharing.split(order, refunded_fen, unfreeze, now)?;
        Ok((Some(sharing), order.told(&transaction_id, now)))
    })?;
    Ok(with_sub_mchid(told, &fields.0["sub_mchid"]))
}

fn with_sub_mchid(mut told: Value, sub_mchid: &Value) -> Reply {
    if let Some(sub_mchid) = sub_mchid.as_str() {
        told["sub_mchid"] = sub_mchid.into();
    }
    Reply::ok(&told)
}

/// The sub-merchant of a query.
fn sub_mchid(call: &Call<'_>) -> Value {
    Some(call.query("sub_mchid")).filter(|sub_mchid| !sub_mchid.is_empty()).into()
}

/// `POST /v3/profitsharing/orders/unfreeze`: under a number that was used before it answers what that number did, and does nothing.
pub(super) fn unfreeze(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::of(call, UNFREEZE)?;
    split(call, &fields, fields.0.clone(), Vec::new(), number()?, true)
}

/// `GET /v3/profitsharing/orders/{out_order_no}?transaction_id=`
pub(super) fn query(call: &Call<'_>) -> Result<Reply, ApiError> {
    let transaction_id = call.query("transaction_id");
    let (sharing, _) = held(call, transaction_id, Some(call.query("sub_mchid")))?;
    let order = sharing.order(&call.number(0)).ok_or_else(|| missing("分账单不存在"))?;
    Ok(with_sub_mchid(order.told(transaction_id, call.inner.time.now()), &sub_mchid(call)))
}

/// `POST /v3/profitsharing/return-orders`
pub(super) fn take_back(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::of(call, RETURN)?;
    let (order_id, out_order_no) = (fields.optional("order_id"), fields.optional("out_order_no"));
    if order_id.is_none() && out_order_no.is_none() {
        return Err(ApiError::parameter("/out_order_no", Value::Null, "order_id和out_order_no必须填写一个"));
    }
    let fits = |order: &SharingOrder| order_id.is_none_or(|id| order.order_id == id) && out_order_no.is_none_or(|no| order.out_order_no == no);
    let mine = |one: &Sharing| one.mchid == call.merchant.mchid;
    let sharing = call.inner.products.sharing.find(|one| mine(one) && one.orders.iter().any(fits)).ok_or(SharingError::Unknown)?;
    let order = sharing.orders.iter().find(|order| fits(order)).ok_or(SharingError::Unknown)?;
    let now = call.inner.time.now();
    let wanted = Return {
        out_return_no: fields.text("out_return_no").to_owned(),
        return_id: number()?,
        out_order_no: order.out_order_no.clone(),
        order_id: order.order_id.clone(),
        return_mchid: fields.text("return_mchid").to_owned(),
        amount_fen: fields.fen("/amount"),
        description: fields.text("description").to_owned(),
        at_ms: now.0,
    };
    let told = call.inner.products.sharing.change(&key(call, &sharing.transaction_id), |is, all| {
        let elsewhere = all.values().filter(|one| mine(one) && one.transaction_id != sharing.transaction_id);
        if elsewhere.flat_map(|one| &one.returns).any(|one| one.out_return_no == wanted.out_return_no) {
            return Err(used());
        }
        let mut sharing = is.cloned().ok_or(SharingError::Unknown)?;
        let returned = sharing.take_back(wanted, now)?;
        Ok::<_, ApiError>((Some(sharing), returned.told(now)))
    })?;
    Ok(with_sub_mchid(told, &fields.0["sub_mchid"]))
}

/// `GET /v3/profitsharing/return-orders/{out_return_no}?out_order_no=`
pub(super) fn query_return(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (no, of) = (call.number(0), call.query("out_order_no"));
    let fits = |one: &Return| one.out_return_no == no && one.out_order_no == of;
    let sharing = call.inner.products.sharing.find(|one| one.mchid == call.merchant.mchid && one.returns.iter().any(fits));
    let told = sharing.and_then(|sharing| sharing.returns.iter().find(|one| fits(one)).map(|one| one.told(call.inner.time.now())));
    let told = told.ok_or_else(|| missing("回退单不存在"))?;
    Ok(with_sub_mchid(told, &sub_mchid(call)))
}

/// `GET /v3/profitsharing/transactions/{transaction_id}/amounts`
pub(super) fn amounts(call: &Call<'_>) -> Result<Reply, ApiError> {
    let transaction_id = call.number(0);
    let (sharing, refunded_fen) = held(call, &transaction_id, None)?;
    Ok(Reply::ok(&json!({"transaction_id": transaction_id, "unsplit_amount": sharing.unsplit_fen(refunded_fen)})))
}

/// `GET /v3/profitsharing/merchant-configs/{sub_mchid}`: for partners.
pub(super) fn config(call: &Call<'_>) -> Result<Reply, ApiError> {
    let sub_mchid = call.number(0);
    if !call.merchant.sub_mchids.contains(&sub_mchid) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "NO_AUTH", "与该子商户没有受理关系"));
    }
    Ok(Reply::ok(&json!({"sub_mchid": sub_mchid, "max_ratio": RATIO_MAX})))
}
