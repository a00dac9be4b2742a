//! Merchant transfers: created, confirmed by the user on the phone, queried both ways, cancelled.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::super::super::Inner;
use super::super::super::accounts::keys::digits;
use super::super::super::accounts::rfc3339;
use super::super::super::book::transfers::{Transfer, TransferState};
use super::super::super::sign::KeyMode;
use super::super::Call;
use super::super::error::{ApiError, Reply};
use super::super::schema::{FEN, Field, Kind, may, must};
use super::fields::Fields;
use super::sealed;
use super::telling::{Event, To, tell};

/// From this amount on the user's name is needed; below the other it may not be given. In fen.
const NAME_FROM_FEN: i64 = 200_000;
const NAME_NOT_BELOW_FEN: i64 = 30;

const INFO: Kind = Kind::Object(&[must("info_type", Kind::Text(15)), must("info_content", Kind::Text(32))]);

const FIELDS: &[Field] = &[
    must("appid", Kind::Text(32)),
    must("out_bill_no", Kind::Number(1, 32, b"")),
    must("transfer_scene_id", Kind::OneOf(&["1000", "1002", "1004", "1005", "1006", "1009", "1010", "1011", "1013"])),
    must("openid", Kind::Text(64)),
    may("user_name", Kind::Text(1_024)),
    must("transfer_amount", FEN),
    must("transfer_remark", Kind::Text(32)),
    may("notify_url", Kind::NotifyUrl),
    may("user_recv_perception", Kind::Text(64)),
    must("transfer_scene_report_infos", Kind::List(10, &INFO)),
    may("user_recv_style", Kind::Object(&[must("type", Kind::OneOf(&["CONFIRM_PAGE", "RED_PACKET"]))])),
];

fn key(mchid: &str, out_bill_no: &str) -> String {
    format!("{mchid}/{out_bill_no}")
}

/// `POST /v3/fund-app/mch-transfer/transfer-bills`
pub(super) fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let parameters = parameters(call)?;
    let out_bill_no = parameters["out_bill_no"].as_str().unwrap_or_default().to_owned();
    let now = call.inner.time.now();
    let numbers = || Some((digits(26).ok()?, digits(32).ok()?));
    let (bill, package) = numbers().ok_or_else(ApiError::system)?;
    let fresh = Transfer {
        mchid: call.merchant.mchid.clone(),
        out_bill_no: out_bill_no.clone(),
        transfer_bill_no: format!("1330{bill}"),
        parameters: parameters.clone(),
        package_info: format!("sandbox{package}"),
        state: TransferState::WaitUserConfirm,
        fail_reason: None,
        is_public_key: call.mode == KeyMode::PublicKey,
        created_ms: now.0,
        updated_ms: now.0,
    };
    let key = key(&call.merchant.mchid, &out_bill_no);
    let transfer = call.inner.products.transfers.change(&key, |is, _| match is {
        Some(known) if known.parameters == parameters => Ok((None, known.clone())),
        Some(_) => Err(ApiError::new(StatusCode::BAD_REQUEST, "ALREADY_EXISTS", "该单号已存在，且参数与首次请求时不一致")),
        None => Ok((Some(fresh.clone()), fresh)),
    })?;
    let mut told = json!({
        "out_bill_no": transfer.out_bill_no, "transfer_bill_no": transfer.transfer_bill_no, "state": transfer.state.word(),
        "create_time": rfc3339(transfer.created_ms / 1_000),
    });
    if transfer.state == TransferState::WaitUserConfirm {
        told["package_info"] = transfer.package_info.as_str().into();
    }
    if let Some(reason) = &transfer.fail_reason {
        told["fail_reason"] = reason.as_str().into();
    }
    Ok(Reply::ok(&told))
}

/// What was sent, checked, with the name opened.
fn parameters(call: &Call<'_>) -> Result<Value, ApiError> {
    let fields = Fields::with_appid(call, FIELDS)?;
    let amount_fen = fields.fen("/transfer_amount");
    let name = fields.optional("user_name").map(|field| sealed::open(call, "/user_name", field)).transpose()?;
    if name.is_none() && amount_fen >= NAME_FROM_FEN {
        return Err(ApiError::parameter("/user_name", Value::Null, "转账金额达到2000元时，收款用户姓名必填"));
    }
    if name.is_some() && amount_fen < NAME_NOT_BELOW_FEN {
        return Err(ApiError::parameter("/user_name", Value::Null, "转账金额低于0.3元时，不支持校验收款用户姓名"));
    }
    let mut parameters = fields.0;
    if let Some(name) = name {
        parameters["user_name"] = name.into();
    }
    Ok(parameters)
}

/// `GET …/out-bill-no/{out_bill_no}`
pub(super) fn query(call: &Call<'_>) -> Result<Reply, ApiError> {
    found(call, call.inner.products.transfers.get(&key(&call.merchant.mchid, &call.number(0))))
}

/// `GET …/transfer-bill-no/{transfer_bill_no}`
pub(super) fn query_by_id(call: &Call<'_>) -> Result<Reply, ApiError> {
    let number = call.number(0);
    let mine = |one: &Transfer| one.mchid == call.merchant.mchid && one.transfer_bill_no == number;
    found(call, call.inner.products.transfers.find(mine))
}

fn found(call: &Call<'_>, transfer: Option<Transfer>) -> Result<Reply, ApiError> {
    let transfer = transfer.ok_or_else(not_found)?;
    let transfer = age(call.inner, &transfer)?;
    let name = transfer.parameters["user_name"].as_str().map(|name| sealed::seal(call, name)).transpose()?;
    Ok(Reply::ok(&transfer.told(name)))
}

fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "转账单不存在")
}

/// `POST …/out-bill-no/{out_bill_no}/cancel`: CANCELING; carried out by the time somebody asks.
pub(super) fn cancel(call: &Call<'_>) -> Result<Reply, ApiError> {
    let now = call.inner.time.now();
    let key = key(&call.merchant.mchid, &call.number(0));
    let transfer = call.inner.products.transfers.change(&key, |is, _| {
        let is = is.ok_or_else(not_found)?;
        let next = is.aged(now).unwrap_or_else(|| is.clone()).cancelled(now);
        let next = next.ok_or_else(|| ApiError::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", "当前单据状态不支持撤销"))?;
        Ok::<_, ApiError>((Some(next.clone()), next))
    })?;
    Ok(Reply::ok(&json!({
        "out_bill_no": transfer.out_bill_no, "transfer_bill_no": transfer.transfer_bill_no, "state": transfer.state.word(),
        "update_time": rfc3339(transfer.updated_ms / 1_000),
    })))
}

/// Lets time do its part, and reports an end it brought.
fn age(inner: &Arc<Inner>, transfer: &Transfer) -> Result<Transfer, ApiError> {
    let now = inner.time.now();
    let (transfer, is_new) = inner.products.transfers.change(&key(&transfer.mchid, &transfer.out_bill_no), |is, _| {
        let is = is.unwrap_or(transfer);
        let aged = is.aged(now);
        Ok::<_, ApiError>((aged.clone(), (aged.clone().unwrap_or_else(|| is.clone()), aged.is_some())))
    })?;
    if is_new {
        report(inner, &transfer);
    }
    Ok(transfer)
}

fn report(inner: &Arc<Inner>, transfer: &Transfer) {
    if !transfer.state.is_final() {
        return;
    }
    let event = Event { event_type: "MCHTRANSFER.BILL.FINISHED", original_type: "mch_payment", summary: "商家转账单据终态通知" };
    let to = To { mchid: &transfer.mchid, notify_url: transfer.text("notify_url"), is_public_key: transfer.is_public_key };
    tell(inner, &to, &event, transfer.notice());
}

/// The user confirms on the phone, by the number or by what the page was handed.
pub(super) fn confirm(inner: &Arc<Inner>, handle: &str) -> Result<Transfer, ApiError> {
    let now = inner.time.now();
    let known = inner.products.transfers.find(|one| one.transfer_bill_no == handle || one.package_info == handle).ok_or_else(not_found)?;
    let transfer = inner.products.transfers.change(&key(&known.mchid, &known.out_bill_no), |is, _| {
        let next = is.and_then(|is| is.confirmed(now)).ok_or_else(|| ApiError::invalid("转账单不在待用户确认的状态"))?;
        Ok::<_, ApiError>((Some(next.clone()), next))
    })?;
    report(inner, &transfer);
    Ok(transfer)
}

/// Closes what nobody confirmed in time, and reports it.
pub(super) fn ripen(inner: &Arc<Inner>) {
    let now = inner.time.now();
    for transfer in inner.products.transfers.all().iter().filter(|transfer| transfer.aged(now).is_some()) {
        if let Err(error) = age(inner, transfer) {
            tracing::error!(?error, "a transfer of the sandbox cannot be closed");
        }
    }
}
