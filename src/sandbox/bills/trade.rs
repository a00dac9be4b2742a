//! The trade bill: a row for each payment and each refund of the day, in the columns of ALL, SUCCESS or REFUND.

use jiff::civil::Date;

use super::{FEE_RATE, Paid, Refunded, day_of, fee, file, row, time, yuan};

const SUMMARY: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

/// Which rows a trade bill has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum TradeBill {
    /// Payments and refunds.
    All,
    /// Payments.
    Success,
    /// Refunds, with the times they were asked for and made.
    Refund,
}

impl TradeBill {
    fn headings(self) -> &'static str {
        match self {
            Self::All => {
                "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,\
                 微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
            }
            Self::Success => {
                "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,\
                 商品名称,商户数据包,手续费,费率,订单金额,费率备注"
            }
            Self::Refund => {
                "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,\
                 退款申请时间,退款成功时间,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
            }
        }
    }
}

/// The bill of `day`; `None` when nothing happened. A payment belongs to the day it was made, a refund to the day it was asked for.
pub(in crate::sandbox) fn trade(kind: TradeBill, day: Date, paid: &[Paid], refunded: &[Refunded]) -> Option<String> {
    let paid: Vec<&Paid> = paid.iter().filter(|paid| kind != TradeBill::Refund && day_of(paid.at_seconds) == day).collect();
    let refunded: Vec<&Refunded> = refunded.iter().filter(|one| kind != TradeBill::Success && day_of(one.asked_at_seconds) == day).collect();
    if paid.is_empty() && refunded.is_empty() {
        return None;
    }
    let mut rows: Vec<(i64, String)> = paid.iter().map(|one| (one.at_seconds, payment_row(kind, one))).collect();
    rows.extend(refunded.iter().map(|one| (one.asked_at_seconds, refund_row(kind, one))));
    rows.sort_by_key(|(at, _)| *at);
    let total: i64 = paid.iter().map(|one| one.total_fen).sum();
    let back: i64 = refunded.iter().map(|one| one.refund_fen).sum();
    let fees = paid.iter().map(|one| one.fee_fen()).sum::<i64>() - refunded.iter().map(|one| one.fee_fen()).sum::<i64>();
    let (total, back) = (yuan(total), yuan(back));
    let summary = row(&[&rows.len().to_string(), &total, &back, "0.00", &fee(fees), &total, &back]);
    let rows: Vec<String> = rows.into_iter().map(|(_, row)| row).collect();
    Some(file(kind.headings(), &rows, (SUMMARY, summary)))
}

/// The fourteen columns every kind begins with.
fn opening(paid: &Paid, at_seconds: i64, state: &'static str, settled_fen: i64) -> Vec<String> {
    let sub_mchid = if paid.sub_mchid.is_empty() { "0" } else { &paid.sub_mchid };
    let texts = [&time(at_seconds), &paid.appid, &paid.mchid, sub_mchid, &paid.device_id, &paid.transaction_id, &paid.out_trade_no, &paid.openid];
    let mut values: Vec<String> = texts.into_iter().map(str::to_owned).collect();
    values.extend([paid.trade_type.clone(), state.to_owned(), paid.bank_type.clone(), "CNY".to_owned(), yuan(settled_fen), "0.00".to_owned()]);
    values
}

fn payment_row(kind: TradeBill, paid: &Paid) -> String {
    let mut values = opening(paid, paid.at_seconds, "SUCCESS", paid.total_fen);
    if kind == TradeBill::All {
        values.extend(["0", "0", "0.00", "0.00", "", ""].map(str::to_owned));
    }
    values.extend([paid.description.clone(), paid.attach.clone(), fee(paid.fee_fen()), FEE_RATE.to_owned(), yuan(paid.total_fen)]);
    if kind == TradeBill::All {
        values.push("0.00".to_owned());
    }
    values.push(String::new());
    finished(&values)
}

fn refund_row(kind: TradeBill, refund: &Refunded) -> String {
    let at_seconds = if kind == TradeBill::Refund { refund.of.at_seconds } else { refund.asked_at_seconds };
    let mut values = opening(&refund.of, at_seconds, "REFUND", 0);
    if kind == TradeBill::Refund {
        values.extend([time(refund.asked_at_seconds), refund.succeeded_at_seconds.map(time).unwrap_or_default()]);
    }
    let status = if refund.succeeded_at_seconds.is_some() { "SUCCESS" } else { "PROCESSING" };
    values.extend([refund.refund_id.clone(), refund.out_refund_no.clone(), yuan(refund.refund_fen), "0.00".to_owned()]);
    values.extend(["ORIGINAL".to_owned(), status.to_owned(), refund.of.description.clone(), refund.of.attach.clone()]);
    values.extend([fee(-refund.fee_fen()), FEE_RATE.to_owned(), "0.00".to_owned(), yuan(refund.refund_fen), String::new()]);
    finished(&values)
}

fn finished(values: &[String]) -> String {
    row(&values.iter().map(String::as_str).collect::<Vec<_>>())
}
