//! The fund-flow bill of the basic account: every movement of the day with the balance after it.

use jiff::civil::Date;

use super::{Paid, Refunded, day_of, file, row, time, yuan};

const HEADINGS: &str =
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号";
const SUMMARY: &str = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额";

/// Money that came or went.
struct Movement<'r> {
    at_seconds: i64,
    /// What it belongs to: the transaction or the refund.
    business_no: &'r str,
    transaction_id: &'r str,
    name: &'static str,
    kind: &'static str,
    /// Negative for money that went, in fen.
    fen: i64,
    note: String,
    voucher: &'r str,
}

/// The bill of `day`; `None` when nothing moved. Takes everything that ever happened, because the balance comes from all of it.
pub(in crate::sandbox) fn fund_flow(day: Date, mchid: &str, paid: &[Paid], refunded: &[Refunded]) -> Option<String> {
    let mut movements: Vec<Movement<'_>> = paid.iter().flat_map(of_payment).chain(refunded.iter().map(of_refund)).collect();
    movements.sort_by_key(|movement| movement.at_seconds);
    let (mut balance, mut rows, mut income, mut outgo) = (0i64, Vec::new(), (0u64, 0i64), (0u64, 0i64));
    let applicant = format!("{mchid}API");
    for movement in movements.iter().filter(|movement| day_of(movement.at_seconds) <= day) {
        balance += movement.fen;
        if day_of(movement.at_seconds) != day {
            continue;
        }
        let sum = if movement.fen < 0 { &mut outgo } else { &mut income };
        *sum = (sum.0 + 1, sum.1 + movement.fen.abs());
        rows.push(movement_row(movement, balance, &applicant));
    }
    let summary = row(&[&rows.len().to_string(), &income.0.to_string(), &yuan(income.1), &outgo.0.to_string(), &yuan(outgo.1)]);
    (!rows.is_empty()).then(|| file(HEADINGS, &rows, (SUMMARY, summary)))
}

fn movement_row(movement: &Movement<'_>, balance_fen: i64, applicant: &str) -> String {
    let direction = if movement.fen < 0 { "支出" } else { "收入" };
    let (amount, balance, at) = (yuan(movement.fen.abs()), yuan(balance_fen), time(movement.at_seconds));
    let what = [movement.business_no, movement.transaction_id, movement.name, movement.kind, direction];
    let [business_no, transaction_id, name, kind, direction] = what;
    row(&[&at, business_no, transaction_id, name, kind, direction, &amount, &balance, applicant, &movement.note, movement.voucher])
}

/// A payment comes whole, its fee goes at once; a fee below half a fen is none.
fn of_payment(paid: &Paid) -> Vec<Movement<'_>> {
    let movement = |kind, fen| Movement {
        at_seconds: paid.at_seconds,
        business_no: &paid.transaction_id,
        transaction_id: &paid.transaction_id,
        name: "交易",
        kind,
        fen,
        note: String::new(),
        voucher: &paid.out_trade_no,
    };
    let mut movements = vec![movement("交易", paid.total_fen)];
    if paid.fee_fen() > 0 {
        movements.push(movement("扣除交易手续费", -paid.fee_fen()));
    }
    movements
}

/// A refund goes without the part of the fee that comes back with it.
fn of_refund(refund: &Refunded) -> Movement<'_> {
    Movement {
        at_seconds: refund.asked_at_seconds,
        business_no: &refund.refund_id,
        transaction_id: &refund.of.transaction_id,
        name: "退款",
        kind: "退款",
        fen: refund.fee_fen() - refund.refund_fen,
        note: format!("退款总金额{}元;含手续费{}元", yuan(refund.refund_fen), yuan(refund.fee_fen())),
        voucher: &refund.out_refund_no,
    }
}
