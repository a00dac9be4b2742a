//! Bills: asked for, fetched from the rail's own hosts only, checked against the digest of the signed answer, unpacked within bounds, and
//! read by heading.

use std::io::Read as _;
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::Uri;
use jiff::civil::Date;
use serde::Deserialize;

use super::super::advice::Failed;
use super::super::bills::{BillError, FundAccount, FundFlowBill, FundFlowRow, TradeBill, TradeBillKind, TradeRefund, TradeRow, TradeTotals};
use super::WechatPay;
use super::call::{Call, Operation, Room};
use super::retry::Nature;
use super::sheet::{Row, Sheet};
use crate::ids::hex;

const TRADE_BILL: Operation = Operation::new("trade_bill", Nature::Read);
const FUND_FLOW_BILL: Operation = Operation::new("fund_flow_bill", Nature::Read);
const DOWNLOAD: Operation = Operation::new("bill_download", Nature::Read);

/// How large a bill may be as it comes, and how long it may take; its address is good for five minutes.
const DOWNLOAD_ROOM: Room = Room { within: Duration::from_secs(240), bytes_max: 64 * 1024 * 1024 };

/// How large a bill may be unpacked: about a million rows.
const BILL_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// What every packed bill begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Where a bill is, and what its digest is.
#[derive(Debug, Deserialize)]
struct Link {
    hash_type: String,
    hash_value: String,
    download_url: String,
}

impl WechatPay {
    /// The trade bill of a day.
    pub(in crate::connectors) async fn trade_bill(&self, day: Date, kind: TradeBillKind) -> Result<TradeBill, BillError> {
        let kind = match kind {
            TradeBillKind::All => "ALL",
            TradeBillKind::Success => "SUCCESS",
            TradeBillKind::Refund => "REFUND",
        };
        let whose = self.sub_merchant.as_ref().map(|sub| format!("&sub_mchid={}", sub.sub_mchid)).unwrap_or_default();
        let target = format!("/v3/bill/tradebill?bill_date={day}&bill_type={kind}&tar_type=GZIP{whose}");
        trade(&self.bill(TRADE_BILL, target).await?).map_err(BillError::NotBelieved)
    }

    /// The fund-flow bill of a day.
    pub(in crate::connectors) async fn fund_flow_bill(&self, day: Date, account: FundAccount) -> Result<FundFlowBill, BillError> {
        let account = match account {
            FundAccount::Basic => "BASIC",
            FundAccount::Operation => "OPERATION",
            FundAccount::Fees => "FEES",
        };
        let target = format!("/v3/bill/fundflowbill?bill_date={day}&account_type={account}&tar_type=GZIP");
        fund_flow(&self.bill(FUND_FLOW_BILL, target).await?).map_err(BillError::NotBelieved)
    }

    async fn bill(&self, operation: Operation, target: String) -> Result<String, BillError> {
        let link = self.call(&Call::<Link>::get(operation, target)).await.map_err(missing)?;
        let (origin, target) =
            self.place(&link.download_url).ok_or_else(|| BillError::NotBelieved("it lies elsewhere than at the rail".to_owned()))?;
        let packed = self.download(DOWNLOAD, &origin, target, DOWNLOAD_ROOM).await?;
        plain(&link, &packed).map_err(BillError::NotBelieved)
    }

    /// Host and target of a bill's address, if it is the rail's: our signature goes nowhere else.
    fn place(&self, url: &str) -> Option<(String, String)> {
        let uri: Uri = url.parse().ok()?;
        let origin = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
        // The whole authority: no user, no port, no further label before the vendor's name.
        let label = uri.authority()?.as_str().strip_suffix(".mch.weixin.qq.com").unwrap_or_default();
        let vendors = uri.scheme_str() == Some("https") && label.starts_with("api") && label.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (self.hosts.has(&origin) || vendors).then(|| (origin, uri.path_and_query().map_or_else(String::new, ToString::to_string)))
    }
}

fn missing(failed: Failed) -> BillError {
    match failed.code.as_str() {
        "NOSTATEMENTEXIST" => BillError::None,
        "STATEMENTCREATING" => BillError::NotYet,
        _ => BillError::Failed(failed),
    }
}

/// Checks the digest over what came or over what it unpacks to (the vendor's page leaves open which), and unpacks.
fn plain(link: &Link, came: &Bytes) -> Result<String, String> {
    if link.hash_type != "SHA1" {
        return Err("its digest is none of SHA-1".to_owned());
    }
    let is_meant = |bytes: &[u8]| hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()).eq_ignore_ascii_case(&link.hash_value);
    let unpacked = if came.starts_with(&GZIP) { unpacked(came)? } else { came.to_vec() };
    if !is_meant(&unpacked) && !is_meant(came) {
        return Err("its digest is another".to_owned());
    }
    String::from_utf8(unpacked).map_err(|_| "it is no UTF-8".to_owned())
}

fn unpacked(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(packed).take(BILL_BYTES_MAX + 1).read_to_end(&mut plain).map_err(|e| format!("it does not unpack: {e}"))?;
    if plain.len() as u64 > BILL_BYTES_MAX { Err(format!("it is longer than {BILL_BYTES_MAX} bytes")) } else { Ok(plain) }
}

/// Sums of a trade bill, each with the column it is the sum of.
const TRADE_SUMS: [(&str, &str); 6] = [
    ("应结订单总金额", "应结订单金额"),
    ("退款总金额", "退款金额"),
    ("充值券退款总金额", "充值券退款金额"),
    ("手续费总金额", "手续费"),
    ("订单总金额", "订单金额"),
    ("申请退款总金额", "申请退款金额"),
];

fn trade(text: &str) -> Result<TradeBill, String> {
    let sheet = Sheet::read(text)?;
    sheet.adds_up("总交易单数", &TRADE_SUMS)?;
    let rows = sheet.rows().map(trade_row).collect::<Result<Vec<_>, _>>()?;
    let summary = sheet.summary();
    let totals = TradeTotals {
        rows: rows.len() as u64,
        settlement_total_fen: summary.fen("应结订单总金额")?,
        refund_fen: summary.fen("退款总金额")?,
        fee_millifen: summary.millifen("手续费总金额")?,
    };
    Ok(TradeBill { rows, totals })
}

fn trade_row(row: Row<'_>) -> Result<TradeRow, String> {
    let text = |heading| row.text(heading).map(str::to_owned);
    let refund = match row.optional("微信退款单号")? {
        None => None,
        Some(refund_id) => Some(TradeRefund {
            refund_id: refund_id.to_owned(),
            out_refund_no: text("商户退款单号")?,
            refund_fen: row.fen("退款金额")?,
            requested_fen: row.optional_fen("申请退款金额")?,
            status: text("退款状态")?,
        }),
    };
    Ok(TradeRow {
        trade_time: text("交易时间")?,
        appid: text("公众账号ID")?,
        mchid: text("商户号")?,
        sub_mchid: row.optional("特约商户号")?.map(str::to_owned),
        transaction_id: text("微信订单号")?,
        out_trade_no: text("商户订单号")?,
        trade_type: text("交易类型")?,
        trade_state: text("交易状态")?,
        currency: text("货币种类")?,
        settlement_total_fen: row.fen("应结订单金额")?,
        order_total_fen: row.optional_fen("订单金额")?,
        refund,
        description: text("商品名称")?,
        fee_millifen: row.millifen("手续费")?,
    })
}

fn fund_flow(text: &str) -> Result<FundFlowBill, String> {
    let sheet = Sheet::read(text)?;
    sheet.adds_up("资金流水总笔数", &[])?;
    let rows = sheet.rows().map(fund_flow_row).collect::<Result<Vec<_>, _>>()?;
    let sum = |sign: i64| {
        let amounts = rows.iter().map(|row| row.amount_fen * sign).filter(|amount| *amount > 0);
        amounts.fold((0_u64, 0_i64), |(count, sum), amount| (count + 1, sum.saturating_add(amount)))
    };
    let (income, expense) = (sum(1), sum(-1));
    for ((count, fen), count_name, sum_name) in [(income, "收入笔数", "收入金额"), (expense, "支出笔数", "支出金额")] {
        if sheet.summary().text(count_name)? != count.to_string() || sheet.summary().fen(sum_name)? != fen {
            return Err(format!("{count_name} or {sum_name} is not the sum of its rows"));
        }
    }
    Ok(FundFlowBill { rows, income_fen: income.1, expense_fen: expense.1 })
}

fn fund_flow_row(row: Row<'_>) -> Result<FundFlowRow, String> {
    let text = |heading| row.text(heading).map(str::to_owned);
    let sign = match row.text("收支类型")? {
        "收入" => 1,
        "支出" => -1,
        other => return Err(format!("a movement neither in nor out: {other}")),
    };
    Ok(FundFlowRow {
        booked: text("记账时间")?,
        business_id: text("微信支付业务单号")?,
        flow_id: text("资金流水单号")?,
        business_name: text("业务名称")?,
        business_kind: text("业务类型")?,
        amount_fen: sign * row.fen("收支金额(元)")?,
        balance_fen: row.fen("账户结余(元)")?,
        voucher: text("业务凭证号")?,
    })
}

#[cfg(test)]
mod tests;
