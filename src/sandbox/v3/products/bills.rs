//! Bills: asked for by day, downloaded within five minutes from an address of this sandbox, by the merchant that asked.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::StatusCode;
use http::header::HOST;
use jiff::civil::Date;
use serde_json::json;

use super::super::super::accounts::keys::hex_of;
use super::super::super::bills::{TradeBill, day_of, fund_flow, gzip, sha1_hex, trade};
use super::super::Call;
use super::super::error::{ApiError, Reply};
use super::trades;

/// Bills go back three months, and are ready at ten the next morning in Beijing.
const MONTHS_BACK: i64 = 3;
const READY_AFTER_SECONDS: i64 = 10 * 3_600;

/// `GET /v3/bill/tradebill`
pub(super) fn trade_bill(call: &Call<'_>) -> Result<Reply, ApiError> {
    let kind = match call.query("bill_type") {
        "" | "ALL" => TradeBill::All,
        "SUCCESS" => TradeBill::Success,
        "REFUND" => TradeBill::Refund,
        "RECHARGE_REFUND" | "ALL_SPECIAL" | "SUC_SPECIAL" | "REF_SPECIAL" => return Err(no_statement()),
        other => return Err(ApiError::parameter("bill_type", other.into(), "账单类型不正确").in_query()),
    };
    let day = day(call)?;
    let sub_mchid = call.query("sub_mchid");
    let of_sub = |one: &str| sub_mchid.is_empty() || one == sub_mchid;
    let mut paid = trades::paid(call.inner, &call.merchant.mchid);
    let mut refunded = trades::refunded(call.inner, &call.merchant.mchid);
    paid.retain(|one| of_sub(&one.sub_mchid));
    refunded.retain(|one| of_sub(&one.of.sub_mchid));
    offer(call, trade(kind, day, &paid, &refunded))
}

/// `GET /v3/bill/fundflowbill`: the basic account moves; the others never do here.
pub(super) fn fund_flow_bill(call: &Call<'_>) -> Result<Reply, ApiError> {
    match call.query("account_type") {
        "" | "BASIC" => {}
        "OPERATION" | "FEES" => return Err(no_statement()),
        other => return Err(ApiError::parameter("account_type", other.into(), "资金账户类型不正确").in_query()),
    }
    let day = day(call)?;
    let mchid = &call.merchant.mchid;
    offer(call, fund_flow(day, mchid, &trades::paid(call.inner, mchid), &trades::refunded(call.inner, mchid)))
}

/// The day that is asked for: three months back at most, and over for at least ten hours unless the desk says otherwise.
fn day(call: &Call<'_>) -> Result<Date, ApiError> {
    let text = call.query("bill_date");
    let refused = |message| ApiError::parameter("bill_date", text.into(), message).in_query();
    let day: Date = text.parse().ok().filter(|_| text.len() == 10).ok_or_else(|| refused("账单日期格式应为YYYY-MM-DD"))?;
    let now = call.inner.time.now().seconds();
    let today = day_of(now);
    if day > today || day < today.saturating_sub(jiff::Span::new().months(MONTHS_BACK)) {
        return Err(refused("账单日期不在可下载的范围内"));
    }
    if call.inner.products.same_day_bills.load(Ordering::Relaxed) || day < day_of(now - READY_AFTER_SECONDS) {
        return Ok(day);
    }
    if day == today {
        return Err(no_statement());
    }
    Err(ApiError::new(StatusCode::BAD_REQUEST, "STATEMENT_CREATING", "账单生成中，请稍后再试"))
}

fn no_statement() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "NO_STATEMENT_EXIST", "账单文件不存在")
}

/// Keeps the file for five minutes and says where.
fn offer(call: &Call<'_>, text: Option<String>) -> Result<Reply, ApiError> {
    let text = text.ok_or_else(no_statement)?.into_bytes();
    let is_gzip = match call.query("tar_type") {
        "" => false,
        "GZIP" => true,
        other => return Err(ApiError::parameter("tar_type", other.into(), "压缩类型不正确").in_query()),
    };
    let hash = sha1_hex(&text);
    let file = if is_gzip { gzip(&text).ok_or_else(ApiError::system)? } else { text };
    let token = hex_of(32).map_err(|_| ApiError::system())?;
    call.inner.products.offer(token.clone(), &call.merchant.mchid, is_gzip, Bytes::from(file), call.inner.time.now());
    let host = call.parts.headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1");
    let packed = if is_gzip { "&tartype=gzip" } else { "" };
    let url = format!("http://{host}/v3/billdownload/file?token={token}{packed}");
    Ok(Reply::ok(&json!({"hash_type": "SHA1", "hash_value": hash, "download_url": url})))
}

/// `GET /v3/billdownload/file`: the file itself, unsigned.
pub(super) fn download(call: &Call<'_>) -> Result<Reply, ApiError> {
    let found = call.inner.products.download(call.query("token"), call.inner.time.now());
    let found = found.ok_or_else(|| ApiError::invalid("下载地址无效或已过期，请重新申请账单"))?;
    if found.mchid != call.merchant.mchid {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "NO_AUTH", "无权下载其他商户申请的账单"));
    }
    let content_type = if found.is_gzip { "application/x-gzip" } else { "text/plain" };
    Ok(Reply { status: StatusCode::OK, body: found.file, content_type, is_signed: false })
}
